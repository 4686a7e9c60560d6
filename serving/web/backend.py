"""What the page needs of the service."""

from collections.abc import Sequence
from typing import Protocol

from fastapi import Request

from worldgen.catalog import Catalog
from worldgen.datatypes import Audit, ModelProfile
from worldgen.wire import AuditRequest, JobPage, JobRequest, JobState, JobStatus, Scope


class Principal(Protocol):
    """Who asks, and what they may do."""

    @property
    def name(self) -> str:
        """Of the key, as audits carry it; `local` when keys are off."""
        ...

    @property
    def sees(self) -> str | None:
        """Whose jobs and variants it sees; None: everybody's."""
        ...

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the key may do."""
        ...


class Backend(Protocol):
    """Jobs, variants, audits and keys, as the HTTP interface has them.

    Uploads, event streams and files go straight to ``/v1/blobs``, ``/v1/jobs/{id}/events`` and
    ``/v1/variants/{id}/files/{name}``; these must take the page's cookie where they take a key.
    """

    keys_on: bool
    """Whether anybody has to say who they are."""
    default_model: str
    """World model of a request that names none."""
    max_upload_bytes: int
    """Of one clip."""

    @property
    def catalog(self) -> Catalog:
        """Where variants are published."""
        ...

    def models(self) -> Sequence[ModelProfile]:
        """Name the world models that this server runs."""
        ...

    async def principal(self, request: Request) -> Principal | None:
        """Say who asks, by bearer key or by the page's cookie; None when nobody known does."""
        ...

    async def sign_in(self, key: str) -> str:
        """Exchange a key for the value of the page's cookie.

        Raises:
            ServiceError: `unauthorized`.
        """
        ...

    async def submit(self, request: Request, principal: Principal, body: JobRequest) -> JobStatus:
        """Check and queue, as ``POST /v1/jobs`` does, once per Idempotency-Key of the request's headers.

        Raises:
            WorldgenError: The request cannot be taken; nothing was queued.
        """
        ...

    async def jobs(
        self,
        principal: Principal,
        *,
        after: str | None = None,
        limit: int = 20,
        states: frozenset[JobState] | None = None,
    ) -> JobPage:
        """List the principal's jobs, newest first."""
        ...

    async def job(self, principal: Principal, job_id: str) -> JobStatus:
        """Say what a job is doing.

        Raises:
            ServiceError: `not_found`, also for another's job.
        """
        ...

    async def cancel(self, request: Request, principal: Principal, job_id: str) -> JobStatus:
        """Stop a job."""
        ...

    async def visible(self, principal: Principal, variant_ids: Sequence[str]) -> frozenset[str]:
        """Say which of these variants the principal may see."""
        ...

    async def source_names(self, principal: Principal, sha256s: Sequence[str]) -> dict[str, str]:
        """Return the names that the principal's uploads had where they came from, by content."""
        ...

    async def audit(
        self, request: Request, principal: Principal, variant_id: str, body: AuditRequest
    ) -> Audit:
        """Store what a person says of a variant.

        Raises:
            ServiceError: `not_found`.
        """
        ...
