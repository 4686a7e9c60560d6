"""What every route needs: settings, backend, admission, and the audit log's line."""

import asyncio
import hashlib
import re
from typing import Any, Final

from fastapi import Request

from serving.config import ServiceConfig
from serving.http.admission import Accepted, Admission, Checked
from serving.http.auth import key_of
from serving.http.backend import Backend
from serving.http.problems import Refused
from serving.http.statuses import Statuses
from serving.store.idempotency import Answer
from serving.store.keys import Key
from worldgen.datatypes import canonical_json
from worldgen.errors import ServiceError, WorldgenError
from worldgen.wire import JobRequest, JobStatus, Problem

_JOB_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VARIANT_ID: Final = re.compile(r"[0-9a-f]{32}")
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")

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

    async def submit(self, request: Request, wanted: JobRequest, route: str) -> Accepted:
        """Check and accept a request, once per Idempotency-Key.

        Raises:
            WorldgenError: As `Admission.check` and `Admission.accept`; `conflict` and `invalid` by the rules
                of idempotency keys.
        """
        key, name = key_of(request), _idempotency_key(request)
        stored = self.backend.idempotency
        if name:
            body = hashlib.sha256(canonical_json(wanted).encode()).hexdigest()
            known = await asyncio.to_thread(_begin, self.backend, key, route, name, body)
            if known is not None:
                request.state.job = known.job_id
                return await asyncio.to_thread(self._replayed, known, key)
        try:
            checked: Checked = await self.admission.check(wanted, key)
            accepted = await self.admission.accept(checked, key, idempotency_key=name)
        except BaseException as error:
            if name:
                await asyncio.to_thread(stored.release, key.owner, route, name)
            if isinstance(error, WorldgenError):
                await self._refused(request, error)
            raise
        if name:
            first = Answer(status=202, job_id=accepted.status.id, body=accepted.status.model_dump_json())
            await asyncio.to_thread(stored.finish, key.owner, route, name, first)
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


def _begin(backend: Backend, key: Key, route: str, name: str, body: str) -> Answer | None:
    try:
        return backend.idempotency.begin(key.owner, route, name, body)
    except ServiceError as error:
        if error.reason == "invalid":
            raise Refused(error.message, status=422, hint=error.hint) from error
        raise


def _idempotency_key(request: Request) -> str:
    name: str | None = request.headers.get("idempotency-key")
    if name is None:
        return ""
    if not _IDEMPOTENCY_KEY.fullmatch(name):
        message = "an Idempotency-Key has 1 to 255 visible characters of ASCII"
        raise ServiceError(message, reason="invalid")
    return name
