"""The page over the ingress: the same checks, stores and audit log as `/v1`."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request

from serving.web.backend import Principal
from serving.web.routes import add_page
from serving.web.session import Sessions
from worldgen.catalog import Catalog
from worldgen.datatypes import Audit, ModelProfile
from worldgen.errors import ServiceError
from worldgen.wire import AuditRequest, JobPage, JobRequest, JobState, JobStatus

if TYPE_CHECKING:
    from serving.http.service import Service
    from serving.store.keys import Key

_IDS_AT_ONCE = 1000


class IngressBackend:
    """What the page needs, of one ingress replica. Who asks is what the gate in front has found.

    Args:
        service: Of the ingress.
        sessions: Makes the cookies that the gate reads.
    """

    def __init__(self, service: "Service", sessions: Sessions) -> None:
        config = service.config
        self.keys_on = config.http.asks_for_keys(config.host)
        self.max_upload_bytes = config.max_upload_bytes
        self.default_model = service.backend.profiles()[0].name
        self._service = service
        self._sessions = sessions

    @property
    def catalog(self) -> Catalog:
        """Where variants are published."""
        return self._service.backend.catalog

    def models(self) -> Sequence[ModelProfile]:
        """Name the world models that this server runs."""
        return self._service.backend.profiles()

    async def principal(self, request: Request) -> "Key | None":
        """Return the key that the gate has found."""
        key: Key | None = request.state.key
        return key

    async def sign_in(self, key: str) -> str:
        """Exchange a key for the value of the page's cookie.

        Raises:
            ServiceError: `unauthorized`.
        """
        found = await asyncio.to_thread(self._service.backend.keys.authenticate, key)
        if found is None:
            message = "this key is not known, or was revoked"
            raise ServiceError(message, reason="unauthorized")
        return self._sessions.issue(found.id)

    async def submit(self, request: Request, principal: Principal, body: JobRequest) -> JobStatus:
        """Check and accept, once per Idempotency-Key."""
        del principal  # The service asks the request.
        return (await self._service.submit(request, body, "jobs")).status

    async def jobs(
        self,
        principal: Principal,
        *,
        after: str | None = None,
        limit: int = 20,
        states: frozenset[JobState] | None = None,
    ) -> JobPage:
        """List the principal's jobs, newest first."""
        store = self._service.backend.jobs
        return await asyncio.to_thread(
            store.page, owner=principal.sees, after=after, limit=limit, states=states
        )

    async def job(self, principal: Principal, job_id: str) -> JobStatus:
        """Say what a job is doing."""
        return await asyncio.to_thread(self._service.backend.jobs.get, job_id, owner=principal.sees)

    async def cancel(self, request: Request, principal: Principal, job_id: str) -> JobStatus:
        """Stop a job."""
        backend = self._service.backend
        found = await asyncio.to_thread(backend.jobs.request_cancel, job_id, owner=principal.sees)
        await asyncio.to_thread(backend.stop, job_id)
        await self._service.log(request, "job.cancel", job_id)
        return found

    async def visible(self, principal: Principal, variant_ids: Sequence[str]) -> frozenset[str]:
        """Say which of these variants the principal's jobs made."""
        if principal.sees is None or not self.keys_on:
            return frozenset(variant_ids)
        owned = await asyncio.to_thread(self._owned, principal.sees)
        return owned.intersection(variant_ids)

    async def source_names(self, principal: Principal, sha256s: Sequence[str]) -> dict[str, str]:
        """Look the names up in the jobs that the principal sees."""
        owner = principal.sees if self.keys_on else None
        sources = [f"blob:{sha256}" for sha256 in sha256s]
        names = await asyncio.to_thread(self._service.backend.jobs.source_names, sources, owner)
        return {source.removeprefix("blob:"): name for source, name in names.items()}

    async def audit(
        self, request: Request, principal: Principal, variant_id: str, body: AuditRequest
    ) -> Audit:
        """Store what a person says of a variant; the page has written the key's name into it."""
        del principal
        found = await asyncio.to_thread(self.catalog.find, variant_id)
        if found is None:
            message = "no variant of that id"
            raise ServiceError(message, reason="not_found")
        said = Audit(
            variant_id=variant_id,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            verdict=found.record.state,
            **body.model_dump(),
        )
        await asyncio.to_thread(self.catalog.add_audits, (said,))
        await self._service.log(request, "variant.audit", variant_id)
        return said

    def _owned(self, owner: str) -> frozenset[str]:
        found: list[str] = []
        after = ""
        while ids := self._service.backend.jobs.variant_ids(owner, after, _IDS_AT_ONCE):
            found.extend(ids)
            after = ids[-1]
        return frozenset(found)


def add_ingress_page(app: FastAPI, sessions: Sessions) -> None:
    """Add the page to what `build_http` made.

    Args:
        app: Made with the same sessions, so that `/v1` takes the page's cookie.
        sessions: Over the key store's secret.
    """
    add_page(app, IngressBackend(app.state.service, sessions))
