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
from worldgen.media.limits import Limits
from worldgen.media.probe import describe

_OPEN_FILES = 64


def main() -> None:
    """Serve requests until the other end closes."""
    with socket.socket(fileno=int(sys.argv[1])) as link:
        _bound_process()
        while True:
            text, fds, _, _ = socket.recv_fds(link, 1 << 16, 1)
            if not text:
                return
            try:
                answer = _answer(json.loads(text), fds[0] if fds else -1)
            finally:
                for fd in fds:
                    os.close(fd)
            link.sendall(json.dumps(answer).encode() + b"\n")


def _answer(request: dict[str, Any], fd: int) -> dict[str, Any]:
    path, limits = Path(request["path"]), Limits.model_validate(request["limits"])
    _bound_job(limits)
    try:
        with boundary(SourceError, f"read {path.name}"):
            if request["do"] == "probe":
                return {"info": describe(path, limits).model_dump(mode="json")}
            # One write per frame: the kernel copies it into memory that outlives this process.
            decoded = decode(
                path, lambda rgb: _write_all(fd, rgb.tobytes()), limits=limits, threads=request["threads"]
            )
            return {"decoded": decoded._asdict()}
    except SourceError as error:
        return {"error": {"message": error.message, "reason": error.reason, "hint": error.hint}}
    except MemoryError:
        message = f"{path.name} needs more than {limits.decode_memory_bytes} bytes of memory to decode"
        return {"error": {"message": message, "reason": "too_large", "hint": ""}}


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _bound_process() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def _bound_job(limits: Limits) -> None:
    """Lower the soft limits for one job: address space, processor time and what it may write."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_at_most(limits.decode_memory_bytes, hard), hard))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + limits.decode_seconds * 4) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (_at_most(seconds, hard), hard))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_at_most(limits.max_bytes, hard), hard))


def _at_most(value: int, hard: int) -> int:
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


if __name__ == "__main__":
    main()
