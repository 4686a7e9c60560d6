"""`/v1/videos`: the shape that the OpenAI client calls, over the same jobs with one variant each.

What that shape cannot say is mapped: a variant that was not accepted is a failed video with a code, and its
file is reached as a variant. Size and seconds are the source's, whatever was asked for: a variant keeps them.
"""

import asyncio
import time
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
from serving.http.video_schemas import ERRORS, FORM, MP4
from serving.http.video_view import failure_of, status_word, video_of
from worldgen.datatypes import Source, VideoRef
from worldgen.errors import PublishError, ServiceError
from worldgen.wire import FINAL, JobRequest, JobStatus

_FILES: Final = {"video": "variant.mp4", "thumbnail": "thumbnail.jpg"}
_POLL_MS: Final = 1000
_MOST_LISTED: Final = 2000


def videos_router(service: Service) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/v1/videos", tags=["OpenAI-compatible"], responses=ERRORS)
    videos = Videos(service)

    @router.post("", openapi_extra=FORM, summary="Create a video")
    async def create(request: Request) -> JSONResponse:
        """Make one variant of the clip in `input_reference`; the prompt names the condition."""
        status = await videos.create(request)
        return JSONResponse(await videos.view(status), headers=_poll_headers())

    @router.post("/sync", openapi_extra=FORM, responses=MP4, summary="Create a video and wait for it")
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

    @router.get("/{video_id}/content", responses=MP4, summary="Fetch a video")
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
        source = self._service.admission.prober.probed(request)
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
        failure = failure_of(status)
        if failure is not None:
            raise Refused(failure["message"], status=422, code=failure["code"])
        try:
            answer = await self.content(request, status.id, "video")
        except PublishError as error:
            raise Refused(error.message, status=422, code=error.code) from error
        answer.headers["X-Inference-Time-S"] = f"{time.monotonic() - started:.3f}"
        return answer


def _poll_headers() -> dict[str, str]:
    return {"openai-poll-after-ms": str(_POLL_MS)}
