"""Routes of jobs: submit, list, look, cancel, follow."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Header, Query, Request, Response

from serving.http.auth import key_of
from serving.http.service import PROBLEMS, Service, job_id_of
from serving.http.sse import event_stream
from worldgen.errors import ServiceError
from worldgen.wire import JobPage, JobRequest, JobState, JobStatus

_EXAMPLES: Final[dict[str, Any]] = {
    "words": {
        "summary": "An upload, conditions in words",
        "value": {"source": "blob:" + "0" * 64, "specs": ["fog 80 m", "heavy rain at night"], "seed": 7},
    },
    "typed": {
        "summary": "An https source, a typed spec",
        "value": {
            "source": "https://data.example.com/clip.mp4",
            "specs": [{"name": "fog", "fog_mor_m": 80.0, "seed": 7}],
            "priority": "batch",
            "deadline_seconds": 86400,
        },
    },
}
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events; `id` counts from 1, `data` is a JobEvent.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'id: 1\nevent: state\ndata: {"id":1,"kind":"state","state":"queued"}\n\n',
            }
        },
    },
    204: {"description": "The job has ended, and its last event was seen."},
}


def jobs_router(service: Service) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=PROBLEMS)
    jobs = service.backend.jobs

    @router.post("", status_code=202, summary="Submit one source with its specs")
    async def submit(
        request: Request,
        response: Response,
        body: Annotated[JobRequest, Body(openapi_examples=_EXAMPLES)],
        idempotency_key: Annotated[
            str | None, Header(description="Sent again with the same body, the answer is the first one's.")
        ] = None,
    ) -> JobStatus:
        """Accept a job: it is durable when this answers, and is worked on by itself.

        The source is probed and held against the world model's contract first; a refusal names the nearest
        request that would fit. Without an Idempotency-Key, the same request within a day is the same job.
        """
        del idempotency_key
        accepted = await service.submit(request, body, "jobs")
        response.headers.update(accepted.headers)
        return accepted.status

    @router.get("", summary="List jobs, newest first")
    async def page(
        request: Request,
        after: Annotated[str | None, Query(max_length=64, description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        state: Annotated[list[JobState] | None, Query(description="Only these; may be repeated.")] = None,
    ) -> JobPage:
        states = frozenset(state) if state else None
        cursor = job_id_of(after) if after is not None else None
        owner = key_of(request).sees
        return await asyncio.to_thread(jobs.page, owner=owner, after=cursor, limit=limit, states=states)

    @router.get("/{job_id}", response_model=JobStatus, summary="Say what a job is doing")
    async def status(request: Request, job_id: str) -> Response:
        checked, owner = job_id_of(job_id), key_of(request).sees
        return await asyncio.to_thread(service.statuses.answer, checked, owner, request.headers)

    @router.post("/{job_id}/cancel", summary="Stop a job")
    async def cancel(request: Request, job_id: str) -> JobStatus:
        """A job that waits is cancelled at once; one that runs stops within a step; an ended one stays."""
        checked = job_id_of(job_id)
        found = await asyncio.to_thread(jobs.request_cancel, checked, owner=key_of(request).sees)
        await asyncio.to_thread(service.backend.stop, checked)
        await service.log(request, "job.cancel", checked)
        return found

    @router.get("/{job_id}/events", responses=_EVENTS, summary="Follow a job")
    async def events(
        request: Request,
        job_id: str,
        last_event_id: Annotated[str | None, Header(description="Go on after this event.")] = None,
        after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    ) -> Response:
        """Stream every event from the first, or after the last that was seen, to the end of the job."""
        return await event_stream(service, request, job_id_of(job_id), _number(last_event_id, after))

    return router


def _number(header: str | None, query: int) -> int:
    if header is None or not header.strip():
        return query
    text = header.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        message = "Last-Event-ID is the number of an event"
        raise ServiceError(message, reason="invalid")
    return int(text)
