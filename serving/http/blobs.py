"""Uploads by content: streamed to disk, taken up where they broke off, believed when the hash agrees."""

import asyncio
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi import Path as InPath

from serving.http.auth import key_of
from serving.http.problems import Refused
from serving.http.service import PROBLEMS, Service
from serving.store.keys import Key
from worldgen.datatypes.digest import Value
from worldgen.errors import OutputError, ServiceError, disk_errors
from worldgen.wire import BlobAnswer, BlobQuestion, Sha256

_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_PIECE: Final = 1 << 20
_RESERVE_BYTES: Final = 64 << 20
"""Left free on the disk by uploads."""
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Stored(Value):
    """An upload, or what there is of it."""

    sha256: str
    known: bool
    """Whether it was here before; nothing was read then."""
    size: int
    whole: bool = True
    """False after a part that was not the last."""


def blobs_router(service: Service) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/v1/blobs", tags=["uploads"], responses=PROBLEMS)
    shelf = Shelf(service)

    @router.post("/check", summary="Ask what has to be uploaded")
    async def check(request: Request, body: BlobQuestion) -> BlobAnswer:
        """What another key has uploaded has to be shown by this one too: a name alone is no right to it."""
        return await asyncio.to_thread(shelf.missing, key_of(request), body.sha256)

    @router.put(
        "/{sha256}",
        status_code=201,
        openapi_extra=_BODY,
        responses={
            200: {"model": Stored, "description": "It was here already."},
            202: {"model": Stored, "description": "A part that was not the last."},
        },
        summary="Upload a file by content",
    )
    async def put(
        request: Request,
        response: Response,
        sha256: Annotated[str, InPath(description="Of the whole file, in hexadecimal.")],
        content_range: Annotated[
            str | None, Header(description="`bytes first-last/size`, to go on with what broke off.")
        ] = None,
    ) -> Stored:
        """Stream a file; a connection that breaks leaves what came, and `check` says how much that is."""
        stored = await shelf.receive(request, sha256, content_range)
        if stored.known:
            response.status_code = 200
        elif not stored.whole:
            response.status_code = 202
        else:
            await service.log(request, "blob.put", sha256)
        return stored

    return router


class Shelf:
    """The folder of uploads: whole ones by content, broken ones by owner and content.

    Args:
        service: Folder, limits and owners.
    """

    def __init__(self, service: Service) -> None:
        self._folder = service.config.blobs
        self._most = service.config.max_upload_bytes
        self._blobs = service.backend.blobs
        self._busy: set[Path] = set()

    def missing(self, key: Key, names: tuple[str, ...]) -> BlobAnswer:
        """Say what a key still has to show."""
        names = tuple(dict.fromkeys(names))
        owned = self._blobs.owned(key.owner, names)
        missing = tuple(n for n in names if n not in owned or not (self._folder / n).is_file())
        sizes = {name: _size(self._partial(key, name)) for name in missing}
        return BlobAnswer(missing=missing, received={name: size for name, size in sizes.items() if size})

    async def receive(self, request: Request, sha256: str, content_range: str | None) -> Stored:
        """Receive a body, whole or the rest of one.

        Raises:
            ServiceError: `invalid`: not a sha256, or the content has another; `too_large`; `conflict` while
                the same upload is under way, or when it does not go on where it broke off.
            OutputError: `disk_full`.
        """
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            message = "a blob is named by the 64 hexadecimal characters of its sha256"
            raise ServiceError(message, reason="invalid")
        key, whole = key_of(request), self._folder / sha256
        owned = await asyncio.to_thread(self._blobs.owned, key.owner, (sha256,))
        if owned and (size := _size(whole)) is not None:
            await asyncio.to_thread(self._blobs.own, key.owner, sha256, size)
            return Stored(sha256=sha256, known=True, size=size)
        partial = self._partial(key, sha256)
        if partial in self._busy:
            message = "this upload is under way on another connection"
            raise ServiceError(message, reason="conflict", hint="wait for it, or send it again in a while")
        self._busy.add(partial)
        try:
            with disk_errors("the folder of uploads"):
                size, total = await self._fill(request, partial, content_range)
                if total is not None and size < total:
                    return Stored(sha256=sha256, known=False, size=size, whole=False)
                await asyncio.to_thread(_keep, partial, whole, sha256)
        finally:
            self._busy.discard(partial)
        await asyncio.to_thread(self._blobs.own, key.owner, sha256, size)
        return Stored(sha256=sha256, known=False, size=size)

    async def take(self, key: Key, pieces: AsyncIterator[bytes]) -> Stored:
        """Take a file whose name is not known yet, such as one of a form.

        Raises:
            ServiceError: `too_large`.
            OutputError: `disk_full`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f".form-{uuid.uuid4().hex}"
        state, size = hashlib.sha256(), 0
        try:
            with disk_errors("the folder of uploads"), partial.open("wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    self._check_size(size)
                    state.update(piece)
                    await asyncio.to_thread(file.write, piece)
                file.flush()
                os.fsync(file.fileno())
            name = state.hexdigest()
            partial.replace(self._folder / name)
        finally:
            partial.unlink(missing_ok=True)
        await asyncio.to_thread(self._blobs.own, key.owner, name, size)
        return Stored(sha256=name, known=False, size=size)

    async def _fill(
        self, request: Request, partial: Path, content_range: str | None
    ) -> tuple[int, int | None]:
        """Append a body to what is there; returns how much that is now, and how much it shall be."""
        first, total = _first_and_total(request, content_range)
        if total is not None:
            self._check_size(total)
            self._check_room(total - first)
        partial.parent.mkdir(parents=True, exist_ok=True)
        there = _size(partial) or 0
        if first > there:
            message = f"the upload broke off after {there} bytes; go on from there, not from {first}"
            raise Refused(message, reason="conflict", headers={"Upload-Offset": str(there)})
        size = first
        with partial.open("r+b" if there else "wb") as file:
            file.truncate(first)
            file.seek(first)
            async for piece in request.stream():
                size += len(piece)
                self._check_size(size)
                if piece:
                    await asyncio.to_thread(file.write, piece)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        return size, total

    def _check_size(self, size: int) -> None:
        if size > self._most:
            message = f"an upload may have at most {self._most} bytes"
            raise ServiceError(message, reason="too_large", hint="cut the clip into pieces")

    def _check_room(self, size: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._folder).free < size + _RESERVE_BYTES:
            message = "there is no room for this upload"
            raise OutputError(message, reason="disk_full", hint="try again later")

    def _partial(self, key: Key, sha256: str) -> Path:
        # By owner: nobody can put a wrong beginning under another's upload.
        owner = hashlib.sha256(key.owner.encode()).hexdigest()[:16]
        return self._folder / ".partial" / f"{owner}-{sha256}"


def _keep(partial: Path, whole: Path, sha256: Sha256) -> None:
    state = hashlib.sha256()
    with partial.open("rb") as file:
        while piece := file.read(_PIECE):
            state.update(piece)
    found = state.hexdigest()
    if found != sha256:
        partial.unlink(missing_ok=True)
        message = f"the body has sha256 {found}, not {sha256}"
        raise ServiceError(message, reason="invalid", hint="send the file from its beginning")
    partial.replace(whole)


def _first_and_total(request: Request, content_range: str | None) -> tuple[int, int | None]:
    said = request.headers.get("content-length", "")
    length = int(said) if said.isdigit() else None
    if content_range is None:
        return 0, length
    parts = _RANGE.fullmatch(content_range.strip())
    first, last, total = (int(number) for number in parts.groups()) if parts else (1, 0, 0)
    if not first <= last < total:
        message = "Content-Range is `bytes first-last/size`"
        raise ServiceError(message, reason="invalid")
    if length is not None and length != last - first + 1:
        message = f"Content-Range promises {last - first + 1} bytes, the body has {length}"
        raise ServiceError(message, reason="invalid")
    return first, total


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
