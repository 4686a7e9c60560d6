"""Files of variants: ranges, entity tags by content, and nothing but what the catalogue lists."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from serving.http.auth import key_of
from serving.http.problems import Refused
from serving.http.service import PROBLEMS, Service, variant_id_of
from worldgen.catalog import Catalog, Published
from worldgen.catalog.files import sha256_of
from worldgen.errors import ServiceError

SOURCE: Final = "source.mp4"
"""Name under which a variant's source is given, as a browser plays it."""
_RANGE: Final = re.compile(r"bytes=\s*\d*-\d*(\s*,\s*\d*-\d*)*\s*")
_TYPES: Final = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".json": "application/json"}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file; its ETag is the sha256 of its content.",
        "content": {
            media: {"schema": {"type": "string", "format": "binary"}}
            for media in ("video/mp4", "image/jpeg", "application/octet-stream")
        }
        | {"application/json": {"schema": {}}},
    },
    206: {"description": "The ranges that were asked for."},
    304: {"description": "The client has it."},
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that may be given out."""

    path: Path
    etag: str
    """Quoted."""


def files_router(service: Service) -> APIRouter:
    """Make the route."""
    router = APIRouter(prefix="/v1/variants", tags=["variants"], responses=PROBLEMS)

    @router.head("/{variant_id}/files/{name}", include_in_schema=False)
    @router.get("/{variant_id}/files/{name}", responses=_FILE, summary="Fetch a file of a variant")
    async def file(request: Request, variant_id: str, name: str) -> Response:
        """Give a file that the variant lists, or `source.mp4`; ranges and If-None-Match are known."""
        published = await visible_variant(service, request, variant_id)
        stored = await asyncio.to_thread(stored_file, service.backend.catalog, published, name)
        return file_response(request, stored)

    return router


async def visible_variant(service: Service, request: Request, variant_id: str) -> Published:
    """Find a variant that the asking key sees.

    Raises:
        ServiceError: `not_found`.
    """
    checked, owner = variant_id_of(variant_id), key_of(request).sees
    is_seen = await asyncio.to_thread(service.backend.jobs.variants_owner, checked, owner)
    found = await asyncio.to_thread(service.backend.catalog.find, checked) if is_seen else None
    if found is None:
        message = f"no variant {checked!r}"
        raise ServiceError(message, reason="not_found")
    return found


def stored_file(catalog: Catalog, published: Published, name: str) -> Stored:
    """Find a file by a name that the record lists; no other name is ever joined to a path.

    Raises:
        ServiceError: `not_found`.
    """
    record = published.record
    if name in record.files:
        return Stored(published.folder / name, f'"{record.files[name]}"')
    if name == "variant.json":
        path = published.folder / name
        return Stored(path, f'"{sha256_of(path)}"')
    video = catalog.source_video(record.source_sha256) if name == SOURCE else None
    if video is None:
        message = "this variant has no file of that name"
        raise ServiceError(message, reason="not_found")
    return Stored(video, f'"{record.source_sha256}-{video.stat().st_size}"')


def file_response(request: Request, stored: Stored, *, filename: str | None = None) -> Response:
    """Answer with a file, a part of it, or that the client has it.

    Raises:
        Refused: 416 for a range that is none.
    """
    headers = {
        "ETag": stored.etag,
        # What a published variant holds never changes.
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    asked = request.headers.get("if-none-match", "")
    if asked.strip() == "*" or stored.etag in (tag.strip().removeprefix("W/") for tag in asked.split(",")):
        return Response(status_code=304, headers=headers)
    size = stored.path.stat().st_size
    ranges = request.headers.get("range")
    if ranges is not None and not _is_satisfiable(ranges, size):
        message = f"the file has {size} bytes"
        raise Refused(message, status=416, headers={"Content-Range": f"bytes */{size}"})
    return FileResponse(
        stored.path,
        headers=headers,
        media_type=_TYPES.get(stored.path.suffix, "application/octet-stream"),
        filename=filename or stored.path.name,
        content_disposition_type="inline",
    )


def _is_satisfiable(header: str, size: int) -> bool:
    if not header.startswith("bytes="):
        return False
    if not _RANGE.fullmatch(header) or len(header) > 1000:
        return False
    for part in header.removeprefix("bytes=").split(","):
        first, _, last = part.strip().partition("-")
        if not first and (not last or int(last) == 0):
            return False
        if first and (int(first) >= size or (last and int(last) < int(first))):
            return False
    return True
