"""The bounded process: probes and decodes files of strangers, and can do nothing else for long.

Started by `worldgen.media.bounded` as ``python -m worldgen.media.worker FD``. Speaks JSON lines over a
Unix socket; a decode comes with an open file descriptor that takes the raw RGB frames. A crash, a hang
or a flood of memory ends this process, never the caller.
"""

import json
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from worldgen.errors import SourceError, boundary
from worldgen.media.decode import decode
from worldgen.media.failpoint import failpoint
from worldgen.media.frame_file import FrameSink
from worldgen.media.images import decode_images
from worldgen.media.limits import Limits
from worldgen.media.probe import describe

_OPEN_FILES = 64


def main() -> None:
    """Serve requests until the other end closes."""
    with socket.socket(fileno=int(sys.argv[1])) as link:
        _bound_process()
        while True:
            text, fds = _receive(link)
            if not text:
                return
            try:
                answer = _answer(json.loads(text), fds[0] if fds else -1)
            finally:
                for fd in fds:
                    os.close(fd)
            link.sendall(json.dumps(answer).encode() + b"\n")


def _receive(link: socket.socket) -> tuple[bytes, list[int]]:
    text, fds, _, _ = socket.recv_fds(link, 1 << 16, 1)
    while text and not text.endswith(b"\n"):
        part = link.recv(1 << 16)
        if not part:
            return b"", fds
        text += part
    return text, fds


def _answer(request: dict[str, Any], fd: int) -> dict[str, Any]:
    limits = Limits.model_validate(request["limits"])
    name = Path(request["path"]).name
    _bound_job(limits)
    try:
        with boundary(SourceError, f"read {name}"):
            return _DOES[request["do"]](request, limits, fd)
    except SourceError as error:
        return {"error": {"message": error.message, "reason": error.reason, "hint": error.hint}}
    except MemoryError:
        message = f"{name} needs more than {limits.decode_memory_bytes} bytes of memory to decode"
        return {"error": {"message": message, "reason": "too_large", "hint": ""}}


def _probe(request: dict[str, Any], limits: Limits, _fd: int) -> dict[str, Any]:
    return {"info": describe(Path(request["path"]), limits).model_dump(mode="json")}


def _decode(request: dict[str, Any], limits: Limits, fd: int) -> dict[str, Any]:
    decoded = decode(Path(request["path"]), FrameSink(fd), limits=limits, threads=request["threads"])
    failpoint("decode.before_answer")
    return {"decoded": decoded._asdict()}


def _images(request: dict[str, Any], limits: Limits, fd: int) -> dict[str, Any]:
    folder, names = Path(request["path"]), request["names"]
    width, height = decode_images([folder / name for name in names], FrameSink(fd), limits=limits)
    return {"decoded": {"frames": len(names), "width": width, "height": height}}


_DOES = {"probe": _probe, "decode": _decode, "images": _images}


def _bound_process() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def _bound_job(limits: Limits) -> None:
    """Lower the soft limits for one job: address space, processor time and what it may write."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Four threads' worth; the wall clock, kept by the parent, is the tighter bound of one.
    seconds = int(used.ru_utime + used.ru_stime + limits.decode_seconds * 4) + 1
    for kind, value in (
        (resource.RLIMIT_AS, limits.decode_memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, limits.max_bytes),
    ):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    main()
