"""What every route needs: settings, backend, admission, and the audit log's line."""

import asyncio
import re
from contextlib import suppress
from typing import Any, Final

from fastapi import Request

from serving.config import ServiceConfig
from serving.http.admission import Accepted, Admission, Checked
from serving.http.auth import key_of
from serving.http.backend import Backend
from serving.http.once import Once, turn_of
from serving.http.statuses import Statuses
from serving.store.idempotency import Answer
from serving.store.keys import Key
from worldgen.errors import ServiceError, WorldgenError
from worldgen.wire import JobRequest, JobStatus, Problem

_JOB_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VARIANT_ID: Final = re.compile(r"[0-9a-f]{32}")

_PROBLEM: Final[dict[str, Any]] = {
    "model": Problem,
    "description": "Refused; a problem after RFC 9457 with a stable code.",
    "content": {
        "application/problem+json": {
            "example": {
                "type": "about:blank",
                "title": "spec: unknown word",
                "status": 400,
                "detail": "unknown word 'frogs'",
                "code": "spec.unknown_word",
            }
        }
    },
}
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {"4XX": _PROBLEM, "5XX": _PROBLEM}
"""Responses that every native route may give."""


class Service:
    """One ingress replica.

    Args:
        config: Of the service.
        backend: Stores, queue and contracts.
    """

    def __init__(self, config: ServiceConfig, backend: Backend) -> None:
        self.config = config
        self.backend = backend
        self.admission = Admission(config, backend)
        self.statuses = Statuses(backend.jobs)
        self.streams = 0
        self.once = Once(backend.idempotency)

    async def submit(self, request: Request, wanted: JobRequest, route: str) -> Accepted:
        """Check and accept a request, once per Idempotency-Key.

        Raises:
            WorldgenError: As `Admission.check` and `Admission.accept`; `conflict` and `invalid` by the rules
                of idempotency keys.
        """
        key = key_of(request)
        turn = turn_of(request, key.owner, route)
        known = await self.once.begin(turn, wanted)
        if known is not None:
            request.state.job = known.job_id
            return await asyncio.to_thread(self._replayed, known, key)
        try:
            checked: Checked = await self.admission.check(wanted, key)
            accepted = await self.admission.accept(checked, key, idempotency_key=turn.name)
        except BaseException as error:
            await self.once.give_back(turn)
            if isinstance(error, WorldgenError):
                await self._refused(request, error)
            raise
        first = Answer(status=202, job_id=accepted.status.id, body=accepted.status.model_dump_json())
        await self.once.finish(turn, first)
        request.state.job = accepted.status.id
        await self.log(request, "job.submit", accepted.status.id)
        return accepted

    async def log(self, request: Request, action: str, subject: str, outcome: str = "ok") -> None:
        """Add a line to the audit log."""
        key = key_of(request)
        await asyncio.to_thread(
            self.backend.audit_log.add,
            action,
            owner=key.owner,
            key_id=key.id,
            subject=subject,
            outcome=outcome,
            address=request.client.host if request.client else "",
            request_id=getattr(request.state, "request_id", ""),
        )

    async def job(self, request: Request, job_id: str) -> JobStatus:
        """Find a job that the asking key sees.

        Raises:
            ServiceError: `not_found`.
        """
        checked = job_id_of(job_id)
        return await asyncio.to_thread(self.backend.jobs.get, checked, owner=key_of(request).sees)

    async def _refused(self, request: Request, error: WorldgenError) -> None:
        with suppress(ServiceError):  # what was wrong first is the answer, told or not
            await asyncio.to_thread(self.backend.counters.add, "worldgen_refused_total", code=error.code)
            await self.log(request, "job.submit", "", error.code)

    def _replayed(self, known: Answer, key: Key) -> Accepted:
        self.backend.counters.add("worldgen_duplicates_suppressed_total", by="idempotency_key")
        limit = key.variants_per_day or self.config.http.variants_per_day
        left = self.backend.keys.charge(key.owner, 0, limit=limit)
        return Accepted(
            status=JobStatus.model_validate_json(known.body),
            is_new=False,
            left=left.left,
            limit=limit,
            resets_seconds=left.resets_seconds,
        )


def job_id_of(text: str) -> str:
    """Return a job's id if it could be one.

    Raises:
        ServiceError: `not_found`.
    """
    if not _JOB_ID.fullmatch(text):
        message = "no job of that id"
        raise ServiceError(message, reason="not_found")
    return text


def variant_id_of(text: str) -> str:
    """Return a variant's id if it could be one.

    Raises:
        ServiceError: `not_found`.
    """
    if not _VARIANT_ID.fullmatch(text):
        message = "no variant of that id"
        raise ServiceError(message, reason="not_found")
    return text
