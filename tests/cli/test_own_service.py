"""The service that a command starts for itself: its port."""

import socket
from contextlib import closing

import pytest

from worldgen.cli.own_service import reserve_port


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _as_serve_binds(port: int) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind(("127.0.0.1", port))
    found.listen()
    return found


def test_a_reserved_port_is_left_alone_by_others_and_listened_at_by_serve() -> None:
    wanted = _free()
    with closing(reserve_port(wanted)) as first, closing(reserve_port(wanted)) as second:
        assert first.getsockname() == ("127.0.0.1", wanted)
        assert second.getsockname()[1] != wanted, "two that start at once would share a port"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", wanted), timeout=5)
        with (
            closing(_as_serve_binds(wanted)) as server,
            closing(socket.create_connection(("127.0.0.1", wanted), timeout=5)) as client,
        ):
            met, _ = server.accept()
            with met:
                assert met.getpeername() == client.getsockname()


def test_a_port_at_which_somebody_listens_is_not_taken() -> None:
    wanted = _free()
    with closing(_as_serve_binds(wanted)), closing(reserve_port(wanted)) as held:
        assert held.getsockname()[1] != wanted
