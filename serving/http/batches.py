"""Routes of batches: submit many sources, list, look, stop."""

import asyncio
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Header, Query, Request, Response

from serving.http.auth import key_of
from serving.http.batch_desk import BatchDesk
from serving.http.once import turn_of
from serving.http.service import PROBLEMS, Service
from serving.store.idempotency import Answer
from worldgen.errors import ServiceError, WorldgenError
from worldgen.wire import BatchPage, BatchRequest, BatchStatus

_ID: Final = re.compile(r"batch-[0-9a-f]{32}")
_ROUTE: Final = "batches"
_EXAMPLES: Final[dict[str, Any]] = {
    "lines": {
        "summary": "Two clips",
        "value": {
            "lines": [
                {"source": "/data/clips/a.mp4", "specs": ["fog 80 m", "night"]},
                {"source": "/data/clips/b.mp4", "specs": ["carla18"], "labels": "/data/clips/b.json"},
            ]
        },
    },
    "manifest": {
        "summary": "A file of such lines",
        "value": {"manifest": "/data/clips/all.jsonl", "runners": 4},
    },
}


def batches_router(service: Service) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/v1/batches", tags=["batches"], responses=PROBLEMS)
    desk = BatchDesk(service.config, service.backend)

    @router.post("", status_code=202, summary="Submit many sources with their specs")
    async def submit(
        request: Request,
        response: Response,
        body: Annotated[BatchRequest, Body(openapi_examples=_EXAMPLES)],
        idempotency_key: Annotated[
            str | None, Header(description="Sent again with the same body, the answer is the first one's.")
        ] = None,
    ) -> BatchStatus:
        """Run `python -m cluster.bulk` as a job of Ray; what is made already is not made again.

        Sources are paths inside the folders that the server allows. One that cannot be opened is counted,
        and the others go on.
        """
        del idempotency_key
        found = await _once(service, request, body, desk)
        response.headers["Location"] = f"/v1/batches/{found.id}"
        return found

    @router.get("", summary="List batches, newest first")
    async def page(
        request: Request,
        after: Annotated[str | None, Query(max_length=64, description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> BatchPage:
        cursor = _id(after) if after is not None else None
        return await asyncio.to_thread(desk.page, owner=key_of(request).sees, after=cursor, limit=limit)

    @router.get("/{batch_id}", summary="Say what a batch is doing")
    async def status(request: Request, batch_id: str) -> BatchStatus:
        return await asyncio.to_thread(desk.status, _id(batch_id), owner=key_of(request).sees)

    @router.post("/{batch_id}/cancel", summary="Stop a batch")
    async def cancel(request: Request, batch_id: str) -> BatchStatus:
        """What is published stays; a batch that has ended stays as it is."""
        found = await asyncio.to_thread(desk.cancel, _id(batch_id), owner=key_of(request).sees)
        await service.log(request, "batch.cancel", found.id)
        return found

    return router


async def _once(service: Service, request: Request, body: BatchRequest, desk: BatchDesk) -> BatchStatus:
    """Accept a batch, once per Idempotency-Key."""
    key = key_of(request)
    turn = turn_of(request, key.owner, _ROUTE)
    known = await service.once.begin(turn, body)
    if known is not None:
        return BatchStatus.model_validate_json(known.body)
    try:
        found = await asyncio.to_thread(desk.submit, body, key)
    except BaseException as error:
        await service.once.give_back(turn)
        if isinstance(error, WorldgenError):
            await service.log(request, "batch.submit", "", error.code)
        raise
    await service.once.finish(turn, Answer(status=202, job_id=found.id, body=found.model_dump_json()))
    await service.log(request, "batch.submit", found.id)
    return found


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        message = "no batch of that id"
        raise ServiceError(message, reason="not_found")
    return text
