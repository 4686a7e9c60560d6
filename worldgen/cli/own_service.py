"""A service of our own: `worldgen serve` as a process that a command starts, waits for, and stops again."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, Self

import httpx2

from worldgen.errors import ServiceError

LIBRARIES: Final = ("ray", "dbos", "fastapi", "sqlalchemy", "multipart", "prometheus_client")
"""Of the serve extra."""
_PORT: Final = 8000
_START_SECONDS: Final = 600.0
_STOP_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 0.25


def can_serve() -> bool:
    """Whether the serve extra is installed; nothing of it is imported."""
    return all(find_spec(name) is not None for name in LIBRARIES)


class OwnService:
    """A service on the loopback; leaving the block stops it, unless it is to be kept.

    One that works in the folder already is used instead, and left as it was.

    Args:
        out: Folder of results.
        roots: Folders whose clips jobs may name by path.
        models: World models, the first is the default.
        log: Where the service's process writes.
        keep: Leave it running when the block ends well.
        hint: What to do when it cannot be started.
    """

    def __init__(
        self, out: Path, *, roots: Sequence[Path], models: Sequence[str], log: Path, keep: bool, hint: str
    ) -> None:
        self._out = out.resolve()
        self._roots, self._models = roots, models
        self._log = log
        self._keep = keep
        self._hint = hint
        self._process: subprocess.Popen[bytes] | None = None
        self._held: socket.socket | None = None
        self._handlers: dict[int, Any] = {}
        self.url = ""

    @property
    def stays(self) -> bool:
        """Whether it goes on when the block has been left."""
        return self._keep or self._process is None

    def __enter__(self) -> Self:
        """Begin to start it; `wait` says when it is ready."""
        from serving.local import find_server

        there = find_server(self._out)
        if there is not None:
            self.url = there.url
            return self
        self._held = reserve_port(_PORT)
        port = int(self._held.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self._listen()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "worldgen", "serve", "--port", str(port), "-o", str(self._out)]
        command += [part for root in self._roots for part in ("--source-root", str(root))]
        command += [part for model in self._models for part in ("--model", model)]
        # Lines of errors are read from the log: they must not be folded.
        environment = {**os.environ, "COLUMNS": "1000"}
        environment.pop("RAY_ADDRESS", None)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what was started, without waiting for its jobs when something went wrong."""
        if self._held is not None:
            self._held.close()
        try:
            if self._process is not None and not (self._keep and kind is None):
                _stop(self._process, hurry=kind is not None)
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def wait(self) -> None:
        """Wait until it can work on jobs.

        Raises:
            ServiceError: `failed` when it does not start; `timeout`.
        """
        end = time.monotonic() + _START_SECONDS
        while (found := self._readiness()).get("state") != "ready":
            if self._process is not None and self._process.poll() is not None:
                raise self._failed(_last_words(self._log))
            if found.get("state") == "broken":
                raise self._failed(str(found.get("why", "")))
            if time.monotonic() > end:
                message = (
                    f"the service is not ready after {_START_SECONDS:.0f} s: {found.get('why', 'no answer')}"
                )
                raise ServiceError(message, reason="timeout", hint=self._hint)
            time.sleep(_LOOK_SECONDS)
        if self._held is not None:
            self._held.close()

    def _readiness(self) -> dict[str, Any]:
        try:
            # Whatever proxy is set is for elsewhere.
            found = httpx2.get(f"{self.url}/readyz", timeout=10.0, trust_env=False).json()
        except (httpx2.TransportError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _failed(self, why: str) -> ServiceError:
        message = f"the service did not start: {why or 'its process ended'} (log: {self._log})"
        return ServiceError(message, reason="failed", hint=self._hint)

    def _listen(self) -> None:
        """Leave the block for SIGTERM and a closed terminal as for Ctrl-C: nothing is left running."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._handlers[number] = signal.signal(number, _interrupt)


def reserve_port(wanted: int) -> socket.socket:
    """Bind a port of the loopback: the one that is wanted, or any when that is taken.

    The socket does not listen. Serve may bind the same port beside it, because both share it (SO_REUSEPORT);
    whoever looks for a free one, as a second demo does, finds it taken.
    """
    for port in (wanted, 0):
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return held
    message = "no port of 127.0.0.1 is free"
    raise ServiceError(message, reason="failed")


def _stop(process: subprocess.Popen[bytes], *, hurry: bool) -> None:
    """End the service and what it started; a second interrupt does not wait for anything."""
    try:
        if hurry:
            # The first asks, the second leaves whatever is being started or drained.
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        process.send_signal(signal.SIGINT if hurry else signal.SIGTERM)
        process.wait(_STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        # Ray's own processes end when the one that started them has.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _last_words(log: Path) -> str:
    """Return the last thing that a process said that ended."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    said = [line for line in lines if line.startswith("error ")]
    return (said or lines or [""])[-1].removeprefix("error ")[:500]
