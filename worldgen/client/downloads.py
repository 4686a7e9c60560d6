"""Downloads: into a temporary name, resumed by Range, checked by sha256, and renamed when whole."""

import hashlib
import os
import re
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import httpx2

from worldgen.client.connection import Arriving, Call
from worldgen.client.http import Http, Patience
from worldgen.errors import ServiceError, disk_errors

_PIECE: Final = 1 << 20
_ETAG: Final = re.compile(r'"([0-9a-f]{64})"')
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


async def download(http: Http, path: str, target: Path, *, sha256: str | None = None) -> Path:
    """Fetch a file; what an earlier, broken try has left beside `target` is gone on with.

    Args:
        http: The server.
        path: Of the file there.
        target: Where it shall be; its folder exists.
        sha256: What it must have; None: what the server's ETag says, if that is one.

    Raises:
        ServiceError: The server refused, was out of reach for too long, or sent something else.
        OutputError: `disk_full`, `not_writable`.
    """
    unfinished = target.with_name(target.name + ".part")
    if sha256 is None:
        _remove(unfinished)  # nothing says that it belongs to this file
    patience = Patience(http, time.monotonic)
    is_second = False
    with disk_errors(target):
        while True:
            try:
                found = await _go_on(http, path, unfinished, patience, sha256)
            except ServiceError as error:
                await patience.endure(error)
                continue
            expected = sha256 or found
            actual = await http.connection.work(partial(_sha256, unfinished))
            if expected is None or actual == expected:
                os.replace(unfinished, target)  # noqa: PTH105 -- the atomic call by its name
                return target
            _remove(unfinished)
            if is_second:
                message = f"{path} arrived with sha256 {actual}, not {expected}"
                raise ServiceError(message, reason="bad_answer", hint="a proxy on the way may change files")
            is_second = True


async def read(http: Http, path: str, *, most_bytes: int | None = None) -> bytes | None:
    """Fetch a file into memory; None when it is larger than `most_bytes`.

    Raises:
        ServiceError: The server refused, or was out of reach for too long.
    """
    patience = Patience(http, time.monotonic)
    while True:
        try:
            async with http.stream(_get(path, 0)) as arriving:
                body = bytearray()
                async for piece in arriving.pieces():
                    body += piece
                    if most_bytes is not None and len(body) > most_bytes:
                        return None
                return bytes(body)
        except ServiceError as error:
            await patience.endure(error)


async def _go_on(
    http: Http, path: str, unfinished: Path, patience: Patience, sha256: str | None
) -> str | None:
    """Fetch what is missing of a file; returns the sha256 that the server names, if it does."""
    have = _size(unfinished)
    try:
        async with http.stream(_get(path, have)) as arriving:
            start, total = _placed(arriving.response)
            if start not in (0, have):
                message = f"{path}: asked for byte {have} on, got byte {start} on"
                raise ServiceError(message, reason="bad_answer")
            await _write(http, arriving, unfinished, patience, at=start)
            named = _ETAG.fullmatch(arriving.response.headers.get("ETag", ""))
        size = _size(unfinished)
        if total is not None and size != total:
            message = f"{path} ended at byte {size} of {total}"
            raise ServiceError(message, reason="unreachable")
        return named[1] if named else None
    except ServiceError as error:
        if getattr(error, "status", 0) != 416 or not have:
            raise
        # All of it is here already, or it is no part of that file; the digest tells, and without one: again.
        if sha256 is None:
            _remove(unfinished)
            return await _go_on(http, path, unfinished, patience, sha256)
        return sha256


async def _write(http: Http, arriving: Arriving, unfinished: Path, patience: Patience, *, at: int) -> None:
    with unfinished.open("r+b" if at else "wb") as file:
        file.seek(at)
        file.truncate()
        # As it comes: what waits to become a piece of a size would be lost with the connection.
        async for piece in arriving.pieces():
            patience.restore()
            await http.connection.work(partial(file.write, piece))


def _get(path: str, start: int) -> Call:
    # Compressed on the way, ranges would count other bytes than the file has.
    headers: Mapping[str, str] = {"Accept-Encoding": "identity"}
    if start:
        headers = {**headers, "Range": f"bytes={start}-"}
    return Call(method="GET", path=path, headers=headers, follow=True)


def _placed(response: httpx2.Response) -> tuple[int, int | None]:
    """Return the first byte of an answer and the size of the whole, as far as the server says."""
    if response.status_code != 206:
        size = response.headers.get("Content-Length", "")
        return 0, int(size) if size.isdigit() and "Content-Encoding" not in response.headers else None
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None:
        message = "a part of a file came without saying which"
        raise ServiceError(message, reason="bad_answer")
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    state = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            state.update(piece)
    return state.hexdigest()
