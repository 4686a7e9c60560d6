"""Runs probe and decode in a bounded process, and brings the frames back without copying them.

Processes are kept and used again: starting one costs about half a second. One that crashes or runs out
of time is killed and replaced; the file that did it is refused.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import worldgen
from worldgen.errors import SourceError
from worldgen.media import failpoint
from worldgen.media.frame_file import FrameFile
from worldgen.media.limits import Limits

_PACKET = 1 << 14
"""Bytes sent together with a file descriptor; what is longer follows."""
_IDLE = 2
"""Processes kept for the next file; more run while more files are read at once."""
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "LANG", "VIRTUAL_ENV", failpoint.VARIABLE)


def probe_bounded(path: Path, limits: Limits) -> dict[str, Any]:
    """Probe in a bounded process; returns the fields of `VideoInfo`.

    Raises:
        SourceError: As `describe`, or timeout, or damaged when the file crashed the process.
    """
    answer: dict[str, Any] = _ask({"do": "probe", "path": str(path)}, limits, None)["info"]
    return answer


def decode_bounded(
    path: Path, limits: Limits, threads: int
) -> tuple[npt.NDArray[np.uint8], list[float], float]:
    """Decode in a bounded process; returns frames [t, h, w, 3], their times and the nominal rate.

    Raises:
        SourceError: As `decode`, or timeout, or damaged when the file crashed the process.
    """
    frames, decoded = _frames_of({"do": "decode", "path": str(path), "threads": threads}, limits)
    return frames, decoded["times"], decoded["fps"]


def decode_images_bounded(paths: Sequence[Path], limits: Limits) -> npt.NDArray[np.uint8]:
    """Decode pictures of one folder in a bounded process; returns frames [t, h, w, 3].

    Raises:
        SourceError: As `decode_images`, or timeout, or damaged when a file crashed the process.
    """
    names = [path.name for path in paths]
    return _frames_of({"do": "images", "path": str(paths[0].parent), "names": names}, limits)[0]


def _frames_of(request: dict[str, Any], limits: Limits) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
    with FrameFile() as file:
        decoded = _ask(request, limits, file.fd)["decoded"]
        name = Path(request["path"]).name
        return file.frames(decoded["frames"], decoded["height"], decoded["width"], name), decoded


class _Process:
    """One bounded process and the socket to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        package_home = str(Path(worldgen.__file__).resolve().parent.parent)
        environment = {k: os.environ[k] for k in _KEPT_ENVIRONMENT if k in os.environ}
        environment |= {"PYTHONPATH": package_home, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worldgen.media.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        self._link = ours
        self.pid = self._process.pid

    def ask(self, request: dict[str, Any], fd: int | None, seconds: float) -> dict[str, Any] | None:
        """Send one request; None when the process ended before it answered.

        Raises:
            TimeoutError: No answer in time.
        """
        self._link.settimeout(seconds)
        text = json.dumps(request).encode() + b"\n"
        try:
            socket.send_fds(self._link, [text[:_PACKET]], [] if fd is None else [fd])
            self._link.sendall(text[_PACKET:])
            text = b""
            while not text.endswith(b"\n"):
                part = self._link.recv(1 << 16)
                if not part:
                    return None
                text += part
        except (BrokenPipeError, ConnectionResetError):
            return None
        answer: dict[str, Any] = json.loads(text)
        return answer

    def is_alive(self) -> bool:
        """Whether the process still runs; one may have been killed while it waited."""
        return self._process.poll() is None

    def end(self) -> int:
        """Kill the process and return how it ended."""
        self._link.close()
        self._process.kill()
        return self._process.wait()


class _Pool:
    """Processes that wait for work."""

    def __init__(self) -> None:
        self._idle: list[_Process] = []
        self._lock = threading.Lock()

    def take(self) -> _Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.is_alive():
                    return process
                process.end()
        return _Process()

    def give_back(self, process: _Process) -> None:
        with self._lock:
            if len(self._idle) < _IDLE:
                self._idle.append(process)
                return
        process.end()

    def waiting(self) -> tuple[int, ...]:
        with self._lock:
            return tuple(process.pid for process in self._idle)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    def forget(self) -> None:
        """Leave the processes to the parent: this is a fork, which must not talk on their sockets."""
        self._idle = []
        self._lock = threading.Lock()


def idle_processes() -> tuple[int, ...]:
    """Process ids of the decoders that wait for work; for tests and for `worldgen doctor`."""
    return _pool.waiting()


_pool = _Pool()
atexit.register(_pool.close)
os.register_at_fork(after_in_child=_pool.forget)


def _ask(request: dict[str, Any], limits: Limits, fd: int | None) -> dict[str, Any]:
    name = Path(request["path"]).name
    process = _pool.take()
    is_healthy = False
    try:
        answer = process.ask({**request, "limits": limits.model_dump()}, fd, limits.decode_seconds)
        is_healthy = answer is not None
    except TimeoutError:
        message = f"{name} was not read within {limits.decode_seconds:g} s; the decoder was stopped"
        raise SourceError(message, reason="timeout", hint="cut the clip, or raise the limit") from None
    finally:
        if is_healthy:
            _pool.give_back(process)
        else:
            status = process.end()
    if answer is None:
        message = f"{name} stopped the decoder (exit status {status})"
        raise SourceError(message, reason="damaged", hint="the file is broken or hostile; encode it again")
    if "error" in answer:
        raise SourceError(**answer["error"])
    return answer
