"""The server of a bench: a real `worldgen serve` in a process of its own, on its own port, Ray and folder."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import yaml

from worldgen.errors import ServiceError

ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
"""What numpy, torch and OpenCV read when they are loaded: what is compared computes with one thread each."""

ROOMY: Final = {"max_queued_jobs": 8192, "http": {"jobs_in_flight": 8192, "variants_per_day": 1 << 30}}
"""Settings of a service under a bench: what is measured is work, not how it refuses."""

_START_SECONDS: Final = 600.0
_STOP_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs."""

    url: str
    out: Path
    """Folder of its results."""
    pid: int
    born: float
    """When its process was started, in seconds of `time.monotonic`."""


@contextmanager
def served(
    folder: Path,
    *options: str,
    settings: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    answers: str = "readyz",
) -> Iterator[Served]:
    """Start a service, and stop it at the end: it, and nobody else's.

    Args:
        folder: For its results, settings and log.
        options: Of `worldgen serve`, beside port, folder and settings.
        settings: Fields of its configuration that have no option.
        environment: Added to this process's.
        answers: What has to answer 200 before this yields: `readyz`, or `healthz` for a start that is timed.

    Raises:
        ServiceError: `unreachable`: it did not start.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    out, config = folder / "runs", folder / "service.yaml"
    out.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(dict(settings or {})))
    command = [sys.executable, "-m", "worldgen", "serve", "--config", str(config)]
    command += ["--port", str(port), "-o", str(out), *options]
    # The sockets of Ray lie in its temporary folder, and a socket's path is short: not inside ours.
    ray = tempfile.mkdtemp(prefix="wg-")
    born = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "RAY_TMPDIR": ray, **(environment or {})},
        )
    try:
        with _left_in_order():
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/{answers}", process, folder / "log")
            yield Served(url, out, process.pid, born)
    finally:
        _stop(process)
        shutil.rmtree(ray, ignore_errors=True)


@contextmanager
def _left_in_order() -> Iterator[None]:
    """Let a bench that is told to end stop its service first, as one that is interrupted does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx2.get(address, timeout=30).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    message = f"the service did not start: {log.read_text()[-1000:]}"
    raise ServiceError(message, reason="unreachable")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
