"""The queue and one job, live."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from serving.web.backend import Principal
from serving.web.forms import (
    exact_fields,
    preset_choices,
    word_groups,
)
from serving.web.render import HEADERS, fragment
from serving.web.site import SignInNeededError, Site
from worldgen.errors import WorldgenError
from worldgen.wire import FINAL, JobStatus

_SHOWN: Final = 20
_EVERY_SECONDS: Final = 0.5
_IDLE_SECONDS: Final = 2.0
"""Between looks while no job is under way."""
_HEARTBEAT_SECONDS: Final = 15.0
_STREAM_SECONDS: Final = 600.0
"""A stream ends after this long and the browser opens another: a replica that drains is not held up."""


def add_jobs(router: APIRouter, site: Site) -> None:
    """Add `/`, `/jobs` and `/queue/events`."""

    @router.get("/")
    async def home(request: Request) -> Response:
        who = await site.who(request)
        page = await site.backend.jobs(who, limit=_SHOWN)
        return site.page(
            request,
            "home.html.j2",
            who,
            jobs=page.data,
            next=page.next,
            final=FINAL,
            presets=preset_choices(),
            words=word_groups(),
            exact=exact_fields(),
            models=site.backend.models(),
            default_model=site.backend.default_model,
            most_bytes=site.backend.max_upload_bytes,
        )

    @router.get("/jobs")
    async def older(request: Request, after: str | None = None) -> Response:
        who = await site.who(request)
        page = await site.backend.jobs(who, after=after, limit=_SHOWN)
        return site.page(request, "queue_part.html.j2", who, jobs=page.data, next=page.next, final=FINAL)

    @router.get("/jobs/{job_id}")
    async def job(request: Request, job_id: str) -> Response:
        who = await site.who(request)
        return await _job(request, who, job_id)

    @router.post("/jobs/{job_id}/cancel")
    async def cancel(request: Request, job_id: str) -> Response:
        who = await site.who(request, "submit")
        status = await site.backend.cancel(request, who, job_id)
        return site.page(request, "job_row.html.j2", who, job=status, final=FINAL)

    async def _job(request: Request, who: Principal, job_id: str) -> HTMLResponse:
        status = await site.backend.job(who, job_id)
        template = "job_part.html.j2" if "hx-request" in request.headers else "job.html.j2"
        model = status.model or site.backend.default_model
        notes = [profile.note for profile in site.backend.models() if profile.name == model and profile.note]
        return site.page(request, template, who, job=status, final=FINAL, notes=notes)

    @router.get("/queue/events")
    async def events(request: Request) -> Response:
        try:
            who = await site.who(request)
        except SignInNeededError:
            # 204 tells an event stream not to come back.
            return Response(status_code=204)
        headers = {**HEADERS, "X-Accel-Buffering": "no"}
        return StreamingResponse(_rows(site, who), media_type="text/event-stream", headers=headers)


async def _rows(site: Site, who: Principal) -> AsyncIterator[str]:
    """Send each row of the queue when it has changed; one stream for all jobs, as browsers allow six."""
    sent: dict[str, str] = {}
    ends = spoken = time.monotonic()
    ends += _STREAM_SECONDS
    while time.monotonic() < ends:
        try:
            page = await site.backend.jobs(who, limit=_SHOWN)
        except WorldgenError:
            return
        for status in reversed(page.data):
            html = row(status)
            if sent.get(status.id) != html:
                sent[status.id] = html
                spoken = time.monotonic()
                yield f"event: job\ndata: {json.dumps({'id': status.id, 'html': html})}\n\n"
        if time.monotonic() - spoken > _HEARTBEAT_SECONDS:
            spoken = time.monotonic()
            yield ": still here\n\n"
        is_idle = all(status.state in FINAL for status in page.data)
        await asyncio.sleep(_IDLE_SECONDS if is_idle else _EVERY_SECONDS)


def row(status: JobStatus, **more: Any) -> str:  # noqa: ANN401 -- whatever the template shows
    """Render one job's row of the queue."""
    return fragment("job_row.html.j2", job=status, final=FINAL, may_submit=True, **more)
