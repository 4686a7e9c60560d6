"""Event streams: read from the store, so that they survive every process and go on at any replica."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from serving.http.auth import key_of
from serving.http.problems import Refused
from serving.http.service import Service
from worldgen.errors import ServiceError
from worldgen.wire import FINAL, JobEvent

_LOOK_SECONDS = 2.0
"""How often a silent stream asks whether its job is still there."""


async def event_stream(service: Service, request: Request, job_id: str, after: int) -> Response:
    """Answer with a job's events after number `after`; the stream ends with the job.

    Who has seen the final event already gets 204, which tells a browser not to come back.

    Raises:
        ServiceError: `not_found`.
        Refused: `busy` when too many streams are open here.
    """
    status = await service.job(request, job_id)
    first = await asyncio.to_thread(service.backend.jobs.events, job_id, after)
    if not first and status.state in FINAL:
        return Response(status_code=204)
    if service.streams >= service.config.http.max_streams:
        message = f"{service.streams} event streams are open"
        raise Refused(message, reason="busy", headers={"Retry-After": "5"}, hint="poll the job instead")
    headers: Mapping[str, str] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _lines(service, request, job_id, first, after), media_type="text/event-stream", headers=headers
    )


async def _lines(
    service: Service, request: Request, job_id: str, fresh: tuple[JobEvent, ...], after: int
) -> AsyncGenerator[str, None]:
    http, jobs = service.config.http, service.backend.jobs
    seen, spoken, looked = after, time.monotonic(), time.monotonic()
    service.streams += 1
    try:
        yield "retry: 1000\n\n"
        while True:
            for event in fresh:
                seen = event.id
                yield _line(event)
                if event.kind == "state" and event.state in FINAL:
                    return
            now = time.monotonic()
            if fresh:
                spoken = looked = now
            elif now - looked >= _LOOK_SECONDS:
                looked = now
                if not await _is_there(service, request, job_id):
                    return
            if now - spoken >= http.heartbeat_seconds:
                spoken = now
                yield ": still here\n\n"
            await asyncio.sleep(http.poll_seconds)
            try:
                fresh = await asyncio.to_thread(jobs.events, job_id, seen)
            except ServiceError:
                # The database is away for a moment; the stream stays, and goes on where it was.
                fresh = ()
    finally:
        service.streams -= 1


async def _is_there(service: Service, request: Request, job_id: str) -> bool:
    try:
        await asyncio.to_thread(service.backend.jobs.get, job_id, owner=key_of(request).sees)
    except ServiceError as error:
        return error.reason != "not_found"
    return not await request.is_disconnected()


def _line(event: JobEvent) -> str:
    return f"id: {event.id}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"
