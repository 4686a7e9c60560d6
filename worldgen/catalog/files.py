"""Writing files so that a kill or a full disk leaves either the old state or the new one."""

import errno
import hashlib
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from worldgen.datatypes import canonical_json
from worldgen.media.failpoint import failpoint

STALE_SECONDS: Final = 3600.0
"""Age after which a temporary folder is swept even if its writer cannot be asked (another machine)."""

_CHUNK: Final = 1 << 20


def sha256_of(path: Path) -> str:
    """Name a file by its content."""
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            state.update(block)
    return state.hexdigest()


def sync_file(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Wait until a folder's names are on the disk; a no-op where folders cannot be opened."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a new file and wait for it."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 -- whatever canonical_json takes
    """Write canonical JSON and wait for it."""
    write_text(path, canonical_json(value) + "\n")


def replace_json(path: Path, value: Any) -> None:  # noqa: ANN401 -- whatever canonical_json takes
    """Put a JSON file in place of an older one in one step: a reader sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f".partial-{uuid.uuid4().hex[:12]}.json"
    try:
        write_json(partial, value)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def copy_file(origin: Path, place: Path) -> None:
    """Copy a file's content and wait for it; the origin stays, so that a killed run can start again."""
    shutil.copyfile(origin, place)
    sync_file(place)


@contextmanager
def partial_folder(parent: Path, key: str) -> Iterator[Path]:
    """Give a new folder to fill; whatever happens, it does not stay behind under this name.

    Its name holds this machine and process, so that `sweep` can tell a dead writer from a live one.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"{_host()}-{os.getpid()}-{key}-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def commit_folder(partial: Path, place: Path, *, stage: str = "publish") -> bool:
    """Move a finished folder to its name in one step; False when the name was already taken."""
    for path in partial.iterdir():
        sync_file(path)
    sync_folder(partial)
    failpoint(f"{stage}.before_rename")
    try:
        # A folder cannot be renamed onto one that is not empty: of two writers exactly one wins.
        partial.rename(place)
    except OSError as exc:
        if exc.errno in (errno.ENOTEMPTY, errno.EEXIST) or isinstance(exc, FileExistsError):
            return False
        raise
    failpoint(f"{stage}.after_rename")
    sync_folder(place.parent)
    return True


def sweep(parent: Path) -> int:
    """Remove temporary folders that nobody will finish; return how many.

    That is: their writer was a process of this machine that is gone, or they are older than an hour.
    """
    if not parent.is_dir():
        return 0
    swept = 0
    for folder in parent.iterdir():
        if folder.is_dir() and _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


def _is_abandoned(folder: Path) -> bool:
    host, _, rest = folder.name.partition("-")
    pid = rest.partition("-")[0]
    if host == _host() and pid.isdigit() and not _is_alive(int(pid)):
        return True
    try:
        return time.time() - folder.stat().st_mtime > STALE_SECONDS
    except FileNotFoundError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _host() -> str:
    # Containers may share a host name and a disk, but then they number their processes apart.
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]
