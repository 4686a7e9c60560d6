"""`/v1/videos`: the shape that the OpenAI client calls, over the same jobs with one variant each.

What that shape cannot say is mapped: a variant that was not accepted is a failed video with a code, and its
file is reached as a variant. Size and seconds are the source's, whatever was asked for: a variant keeps them.
"""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from serving.http.auth import key_of
from serving.http.blobs import Shelf
from serving.http.files import file_response, stored_file, visible_variant
from serving.http.forms import fields_of, pieces_of
from serving.http.problems import Refused
from serving.http.service import Service, job_id_of
from serving.http.video_fields import request_of
from worldgen.datatypes import Source, VideoRef
from worldgen.errors import PublishError, ServiceError
from worldgen.wire import FINAL, JobRequest, JobStatus, VariantLine

_FILES: Final = {"video": "variant.mp4", "thumbnail": "thumbnail.jpg"}
_POLL_MS: Final = 1000
_MOST_LISTED: Final = 2000
_OPENAI_ERROR: Final[dict[str, Any]] = {
    "description": "Refused.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": {
                        "type": "object",
                        "required": ["message", "type", "code"],
                        "properties": {
                            "message": {"type": "string"},
                            "type": {"type": "string"},
                            "code": {"type": "string"},
                            "param": {"type": ["string", "null"]},
                        },
                    }
                },
            }
        }
    },
}
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {"4XX": _OPENAI_ERROR, "5XX": _OPENAI_ERROR}
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["prompt"],
                    "properties": {
                        "prompt": {"type": "string", "example": "heavy rain at night"},
                        "model": {"type": "string"},
                        "input_reference": {"type": "string", "format": "binary"},
                        "source": {"type": "string", "description": "In place of a file: as of a job."},
                        "seed": {"type": "integer"},
                        "seconds": {"type": "string"},
                        "size": {"type": "string"},
                        "extra_params": {"type": "string", "description": "JSON: spec, labels, camera..."},
                    },
                }
            }
        },
    }
}
_MP4: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}, "description": "MP4."}
}


def videos_router(service: Service) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/v1/videos", tags=["OpenAI-compatible"], responses=_ERRORS)
    videos = Videos(service)

    @router.post("", openapi_extra=_FORM, summary="Create a video")
    async def create(request: Request) -> JSONResponse:
        """Make one variant of the clip in `input_reference`; the prompt names the condition."""
        status = await videos.create(request)
        return JSONResponse(await videos.view(status), headers=_poll_headers())

    @router.post("/sync", openapi_extra=_FORM, responses=_MP4, summary="Create a video and wait for it")
    async def sync(request: Request) -> Response:
        """Answer with the file; 504 names the job when it takes too long."""
        return await videos.sync(request)

    @router.get("", summary="List videos")
    async def page(
        request: Request,
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
    ) -> dict[str, Any]:
        return await videos.page(request, after, limit, order)

    @router.get("/{video_id}", summary="Say what a video is doing")
    async def video(request: Request, video_id: str) -> JSONResponse:
        status = await videos.find(request, video_id)
        return JSONResponse(await videos.view(status), headers=_poll_headers())

    @router.delete("/{video_id}", summary="Stop and forget a video")
    async def delete(request: Request, video_id: str) -> dict[str, Any]:
        await videos.delete(request, video_id)
        return {"id": video_id, "object": "video.deleted", "deleted": True}

    @router.get("/{video_id}/content", responses=_MP4, summary="Fetch a video")
    async def content(
        request: Request, video_id: str, variant: Literal["video", "thumbnail", "spritesheet"] = "video"
    ) -> Response:
        return await videos.content(request, video_id, variant)

    return router


class Videos:
    """Jobs with one variant, seen as videos.

    Args:
        service: Of the ingress.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._shelf = Shelf(service)

    async def create(self, request: Request) -> JobStatus:
        """Accept a video from a form."""
        fields = await fields_of(request)
        file = fields.get("input_reference")
        if isinstance(file, UploadFile):
            stored = await self._shelf.take(key_of(request), pieces_of(file))
            fields["input_reference"] = f"blob:{stored.sha256}"
        wanted: JobRequest = request_of(fields)
        return (await self._service.submit(request, wanted, "videos")).status

    async def find(self, request: Request, video_id: str) -> JobStatus:
        """Find a job with one variant.

        Raises:
            ServiceError: `not_found`.
        """
        status = await self._service.job(request, video_id)
        if status.variants_total != 1:
            message = "that job has several variants; it is found under /v1/jobs"
            raise ServiceError(message, reason="not_found")
        return status

    async def view(self, status: JobStatus) -> dict[str, Any]:
        """Describe a job as a video."""
        request = await asyncio.to_thread(self._service.backend.jobs.request, status.id)
        shape = await asyncio.to_thread(self._shape, status, request)
        return video_of(status, request, shape, keep_days=self._service.config.keep_jobs_days)

    def _shape(self, status: JobStatus, request: JobRequest) -> Source | VideoRef | None:
        """Find the size of the source, or of the variant, which has the same."""
        source = self._service.admission.probed(request)
        if source is not None or not status.variants:
            return source
        found = self._service.backend.catalog.find(status.variants[0].id)
        return found.record.candidate.video if found else None

    async def page(self, request: Request, after: str | None, limit: int, order: str) -> dict[str, Any]:
        """List videos as the client pages through them: `after` is the last id it has."""
        jobs, owner = self._service.backend.jobs, key_of(request).sees
        found: list[JobStatus] = []
        cursor = job_id_of(after) if after is not None and order == "desc" else None
        most = limit + 1 if order == "desc" else _MOST_LISTED
        while len(found) < most:
            page = await asyncio.to_thread(jobs.page, owner=owner, after=cursor, limit=100)
            found.extend(status for status in page.data if status.variants_total == 1)
            cursor = page.next
            if cursor is None:
                break
        if order == "asc":
            found.reverse()
            ids = [status.id for status in found]
            found = found[ids.index(after) + 1 :] if after in ids else found
        data = [await self.view(status) for status in found[:limit]]
        return {
            "object": "list",
            "data": data,
            "has_more": len(found) > limit,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }

    async def delete(self, request: Request, video_id: str) -> None:
        """Stop a video and forget it.

        Raises:
            ServiceError: `conflict` while its generation is still being left.
        """
        status = await self.find(request, video_id)
        jobs, owner = self._service.backend.jobs, key_of(request).sees
        end = time.monotonic() + 5.0
        if status.state not in FINAL:
            status = await asyncio.to_thread(jobs.request_cancel, video_id, owner=owner)
            await asyncio.to_thread(self._service.backend.stop, video_id)
        while status.state not in FINAL and time.monotonic() < end:
            await asyncio.sleep(0.1)
            status = await asyncio.to_thread(jobs.get, video_id, owner=owner)
        await asyncio.to_thread(jobs.remove, video_id, owner=owner)
        await self._service.log(request, "video.delete", video_id)

    async def content(self, request: Request, video_id: str, kind: str) -> Response:
        """Give the file of a completed video.

        Raises:
            Refused: It is not completed, or has no such picture.
        """
        status = await self.find(request, video_id)
        line = status.variants[0] if status.variants else None
        if line is None or status_word(status) != "completed":
            where = f"; its file is /v1/variants/{line.id}/files/variant.mp4" if line and line.files else ""
            message = f"the video is {status_word(status)}{where}"
            raise Refused(message, status=404, reason="not_found", code="service.not_found")
        if kind not in _FILES:
            message = "there is no spritesheet; there are: video, thumbnail"
            raise Refused(message, reason="invalid", param="variant")
        published = await visible_variant(self._service, request, line.id)
        catalog = self._service.backend.catalog
        stored = await asyncio.to_thread(stored_file, catalog, published, _FILES[kind])
        return file_response(request, stored, filename=f"{video_id}{stored.path.suffix}")

    async def sync(self, request: Request) -> Response:
        """Make a video and wait for its file.

        Raises:
            Refused: 504 with the job's id; 422 with the code of what was not accepted.
        """
        started = time.monotonic()
        status = await self.create(request)
        end = started + self._service.config.http.sync_seconds
        while status.state not in FINAL:
            if time.monotonic() > end or await request.is_disconnected():
                message = f"it takes longer; ask for it under /v1/videos/{status.id}"
                where = {"Location": f"/v1/videos/{status.id}"}
                raise Refused(message, reason="timeout", headers=where)
            await asyncio.sleep(self._service.config.http.poll_seconds)
            status = await self._service.job(request, status.id)
        failure = _failure(status)
        if failure is not None:
            raise Refused(failure["message"], status=422, code=failure["code"])
        try:
            answer = await self.content(request, status.id, "video")
        except PublishError as error:
            raise Refused(error.message, status=422, code=error.code) from error
        answer.headers["X-Inference-Time-S"] = f"{time.monotonic() - started:.3f}"
        return answer


def video_of(
    status: JobStatus, request: JobRequest, shape: Source | VideoRef | None, *, keep_days: float
) -> dict[str, Any]:
    """Describe a job with one variant in the client's fields."""
    created = datetime.fromisoformat(status.created)
    spec = request.specs[0]
    return {
        "id": status.id,
        "object": "video",
        "model": status.model,
        "status": status_word(status),
        "progress": progress_of(status),
        "created_at": int(created.timestamp()),
        "completed_at": int(datetime.fromisoformat(status.finished).timestamp()) if status.finished else None,
        "expires_at": int((created + timedelta(days=keep_days)).timestamp()),
        "seconds": f"{shape.frames / shape.fps:.3g}" if shape else "",
        "size": f"{shape.width}x{shape.height}" if shape else "",
        "prompt": spec if isinstance(spec, str) else (spec.prompt or spec.name or None),
        "remixed_from_video_id": None,
        "error": _failure(status) if status.state in FINAL else None,
        "variant_id": status.variants[0].id if status.variants else None,
        "verdict": status.variants[0].state if status.variants else None,
    }


def status_word(status: JobStatus) -> str:
    """Say a job's state in the four words that the client knows."""
    if status.state == "queued":
        return "queued"
    if status.state not in FINAL:
        return "in_progress"
    return "failed" if _failure(status) else "completed"


def progress_of(status: JobStatus) -> int:
    """Say how far it is, in percent: generation is 5 to 90."""
    if status.state in FINAL:
        return 100
    if status.state in ("queued", "preparing"):
        return 0
    if status.state == "judging":
        return 95
    return 5 + int(85 * status.step / status.steps) if status.steps else 5


def _failure(status: JobStatus) -> dict[str, str] | None:
    """Say why an ended job has no accepted video."""
    if status.state != "completed":
        error = status.error or {}
        message = error.get("message", f"the job was {status.state}")
        return {"code": error.get("code", status.state), "message": message}
    line = status.variants[0] if status.variants else None
    if line is not None and line.state == "accepted":
        return None
    if line is None:
        return {"code": "failed", "message": "the job has no variant"}
    return {"code": line.state, "message": line.message or _why(line)}


def _why(line: VariantLine) -> str:
    reasons = [
        str(finding.get("reason", "")) for finding in line.findings if finding.get("passed") is not True
    ]
    return f"the critic's verdict is {line.state}: {'; '.join(reasons)[:1000]}".rstrip(": ")


def _poll_headers() -> dict[str, str]:
    return {"openai-poll-after-ms": str(_POLL_MS)}
