"""A Postgres server of its own, on a socket in a temporary folder; it can be killed and started again."""

import getpass
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest


class PostgresServer:
    """A server over a folder of data.

    Args:
        folder: Of the data and the socket; the path of a socket has at most 107 characters.
        programs: Folder of initdb and pg_ctl.
        user: That the server runs as; empty: the caller's own.
    """

    def __init__(self, folder: Path, programs: Path, user: str = "") -> None:
        self.folder = folder
        self._as_user = ["runuser", "-u", user, "--"] if user else []
        self._programs = programs
        self.user = user or getpass.getuser()
        self.url = f"postgresql://{self.user}@/postgres?host={folder}"

    def make(self) -> None:
        """Make the folder of data."""
        self._run(
            *(str(self._programs / "initdb"), "-D", str(self.folder / "data")),
            *("-A", "trust", "-U", self.user, "--no-sync"),
        )

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self._control("-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def kill(self) -> None:
        """Kill the postmaster and all of its children at once, as the end of a machine does."""
        postmaster = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]))
        family = [postmaster, *postmaster.children(recursive=True)]
        # Stopped first: a postmaster that sees a child die would tell the others to leave.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
        psutil.wait_procs(family, timeout=30)

    def stop(self) -> None:
        """Stop, if it runs."""
        with suppress(AssertionError):
            self._control("-m", "immediate", "stop")

    def _control(self, *arguments: str) -> None:
        self._run(str(self._programs / "pg_ctl"), "-D", str(self.folder / "data"), *arguments)

    def _run(self, *command: str) -> None:
        # The server would keep a pipe open for as long as it lives.
        with (self.folder / "control.log").open("a") as log:
            ended = subprocess.run([*self._as_user, *command], stdout=log, stderr=log, check=False)
        assert ended.returncode == 0, (self.folder / "control.log").read_text()[-3000:]


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that runs; skips where none is installed."""
    programs = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), Path(shutil.which("initdb") or "/none")]
    found = next((p for p in programs if p.is_file() and (p.parent / "postgres").is_file()), None)
    if found is None:
        pytest.skip("no Postgres server is installed (Debian: apt-get install postgresql)")
    folder = Path("/tmp") / f"wg-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    user = ""
    if os.geteuid() == 0:
        if subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode:
            pytest.skip("a Postgres server does not run as root, and there is no user postgres")
        shutil.chown(folder, "postgres")
        user = "postgres"
    server = PostgresServer(folder, found.parent, user)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
