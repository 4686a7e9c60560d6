"""Uploads by content: what the server has is not sent, and what was interrupted goes on where it broke."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from worldgen.client.connection import Call
from worldgen.client.http import Http, pause
from worldgen.errors import ServiceError, SourceError
from worldgen.wire import BlobAnswer, BlobQuestion

Given: TypeAlias = str | Path | bytes
"""A local file, its content, an https or s3 address, or a name on the server."""

Sent: TypeAlias = Callable[[str, int, int], None]
"""Called as (what, bytes that the server has, bytes in all)."""

_PIECE: Final = 1 << 20
_BLOB: Final = re.compile(r"blob:[0-9a-f]{64}")
_CHECK_SECONDS: Final = 600.0
"""How long a server may take to look through a large upload after its last byte."""


def ignore(what: str, sent: int, total: int) -> None:
    """Do not show how far an upload is."""
    del what, sent, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Content and its name."""

    sha256: str
    size: int
    """In bytes."""
    label: str
    """For people."""
    content: Path | bytes = field(repr=False)

    @property
    def name(self) -> str:
        """How a request names it."""
        return f"blob:{self.sha256}"

    def pieces(self, start: int, observe: Sent) -> Iterator[bytes]:
        """Yield the content from byte `start` on."""
        if isinstance(self.content, bytes):
            for at in range(start, self.size, _PIECE):
                yield self.content[at : at + _PIECE]
                observe(self.label, min(at + _PIECE, self.size), self.size)
            return
        with self.content.open("rb") as file:
            at = file.seek(start)
            while piece := file.read(_PIECE):
                yield piece
                at += len(piece)
                observe(self.label, at, self.size)


def upload_of(content: Path | bytes) -> Upload:
    """Name content by its sha256.

    Raises:
        SourceError: `not_found` when there is no such file; `empty`.
    """
    if isinstance(content, bytes):
        state, size, label = hashlib.sha256(content), len(content), "bytes"
    else:
        if not content.is_file():
            what = "is a folder; a server takes single files" if content.is_dir() else "is not there"
            message = f"{content} {what}"
            raise SourceError(message, reason="not_found")
        state, size, label = hashlib.sha256(), 0, content.name
        with content.open("rb") as file:
            while piece := file.read(_PIECE):
                state.update(piece)
                size += len(piece)
    if not size:
        message = f"{label} is empty"
        raise SourceError(message, reason="empty")
    return Upload(sha256=state.hexdigest(), size=size, label=label, content=content)


def is_elsewhere(given: Given) -> bool:
    """Tell whether something is named by an address or a blob, and so has nothing to be uploaded."""
    return isinstance(given, str) and (
        given.startswith(("https://", "http://", "s3://")) or _BLOB.fullmatch(given) is not None
    )


async def send_all(http: Http, contents: Sequence[Path | bytes], observe: Sent = ignore) -> list[Upload]:
    """Upload what the server does not have.

    Raises:
        SourceError: A file is not there, is empty, or changed while it was sent.
        ServiceError: The server refused, or did not answer.
    """
    uploads = [await http.connection.work(partial(upload_of, c)) for c in contents]
    if uploads:
        missing = await missing_of(http, uploads)
        for upload in uploads:
            if upload.sha256 in missing.missing:
                await _send(http, upload, missing.received.get(upload.sha256, 0), observe)
            else:
                observe(upload.label, upload.size, upload.size)
    return uploads


async def missing_of(http: Http, uploads: Sequence[Upload]) -> BlobAnswer:
    """Ask what the server does not have, and what of it is there already."""
    names = tuple(dict.fromkeys(upload.sha256 for upload in uploads))
    body = BlobQuestion(sha256=names).model_dump(mode="json")
    return await http.value(BlobAnswer, Call(method="POST", path="/v1/blobs/check", json=body))


async def missing_bytes(http: Http, content: Path | bytes) -> int:
    """Say how much of some content the server would have to be sent."""
    upload = await http.connection.work(partial(upload_of, content))
    answer = await missing_of(http, [upload])
    if upload.sha256 not in answer.missing:
        return 0
    return upload.size - answer.received.get(upload.sha256, 0)


async def _send(http: Http, upload: Upload, start: int, observe: Sent) -> None:
    """Send from byte `start` on; the patience is for tries that bring nothing further."""
    attempt = 0
    while True:
        try:
            await http.once(_put(upload, start if start < upload.size else 0, observe))
        except ServiceError as error:
            seconds = pause(attempt, error)
            if seconds is None and start:
                start = 0  # the server does not agree with the start: all of it, then
                continue
            if seconds is None or attempt >= http.settings.retries:
                await _explain(http, upload)
                raise
            await http.connection.sleep(seconds)
            left = await missing_of(http, [upload])
            if upload.sha256 not in left.missing:
                return
            received = left.received.get(upload.sha256, 0)
            attempt = 0 if received > start else attempt + 1
            start = received
        else:
            return


async def _explain(http: Http, upload: Upload) -> None:
    """Say so when the server's refusal is that the file changed under our hands.

    Raises:
        SourceError: `damaged`.
    """
    if isinstance(upload.content, Path):
        now = await http.connection.work(partial(upload_of, upload.content))
        if now.sha256 != upload.sha256:
            message = f"{upload.content} changed while it was being sent"
            raise SourceError(message, reason="damaged")


def _put(upload: Upload, start: int, observe: Sent) -> Call:
    headers = {"Content-Length": str(upload.size - start), "Content-Type": "application/octet-stream"}
    if start:
        headers["Content-Range"] = f"bytes {start}-{upload.size - 1}/{upload.size}"
    return Call(
        method="PUT",
        path=f"/v1/blobs/{upload.sha256}",
        content=lambda: upload.pieces(start, observe),
        headers=headers,
        read_seconds=_CHECK_SECONDS,
    )
