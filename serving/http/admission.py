"""Admission: a request is read and held against what there is; then it is a job."""

import asyncio
import uuid
from pathlib import Path

from serving.addresses import Addresses
from serving.config import ServiceConfig
from serving.http.asked_specs import specs_of_request
from serving.http.backend import Backend
from serving.http.contract import check_specs, chosen_profile
from serving.http.logs import LOGGER
from serving.http.probing import ADDRESSES, Prober, state_of
from serving.http.problems import Refused
from serving.store.keys import Allowance, Key
from worldgen.datatypes import Source, Spec, digest
from worldgen.datatypes.digest import Value
from worldgen.errors import ServiceError, WorldgenError
from worldgen.wire import JobRequest, JobStatus


class Checked(Value):
    """A request that can be accepted."""

    request: JobRequest
    """With the default model named, and what was fetched named by content."""
    specs: tuple[Spec, ...]
    content: tuple[str, ...]
    """What source, labels and calibration hold."""
    source: Source | None
    """None for a source that is fetched while the job prepares."""

    def fingerprint(self, idempotency_key: str = "") -> str:
        """Name the request by content; with an Idempotency-Key, two that differ in it are two."""
        asked = self.request.model_dump(mode="json", include={"model", "camera", "priority"})
        specs = [spec.model_dump(mode="json") for spec in self.specs]
        return digest(asked, specs, self.content, idempotency_key)


class Accepted(Value):
    """A job that is durable."""

    status: JobStatus
    is_new: bool
    left: int
    """Variants of today's quota that are left."""
    limit: int
    resets_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """What an answer says beside the job."""
        told = {
            "Location": f"/v1/jobs/{self.status.id}",
            "RateLimit-Policy": f'"variants";q={self.limit};w=86400',
            "RateLimit": f'"variants";r={self.left};t={self.resets_seconds}',
        }
        return told if self.is_new else told | {"Idempotent-Replayed": "true"}


class Admission:
    """Checks requests and accepts jobs; one per ingress replica.

    Args:
        config: Of the service.
        backend: Stores, queue and contracts.
    """

    def __init__(self, config: ServiceConfig, backend: Backend) -> None:
        self.config = config
        self.backend = backend
        self.addresses = Addresses(config)
        self.prober = Prober(config, self.addresses)
        self._one_each: dict[str, asyncio.Lock] = {}

    async def check(self, request: JobRequest, key: Key) -> Checked:
        """Check a request; nothing is written but what is fetched.

        Raises:
            BadInput: What was asked for cannot be made of that source.
            ServiceError: The source may not be used, or is not there.
            Refused: The model's contract, with the nearest request that would fit.
        """
        await asyncio.to_thread(self._see_room)
        profiles = self.backend.profiles()
        profile = chosen_profile(profiles, request.model)
        specs = specs_of_request(request, self.config.http.max_specs)
        check_specs(specs, profile)
        request = request.model_copy(update={"model": profile.name})
        paths: dict[str, Path] = {}
        content: list[str] = []
        for name in ADDRESSES:
            address = getattr(request, name)
            if address is None:
                continue
            address, version = await self._fetched_first(address, key)
            request = request.model_copy(update={name: address})
            if version:
                content.append(version)
                continue
            await self._check_owner(address, key)
            paths[name] = await asyncio.to_thread(self.addresses.path_of, address)
            content.append(state_of(address, paths[name]))
        source = await self.prober.probe(request, paths, profile, profiles) if "source" in paths else None
        return Checked(request=request, specs=specs, content=tuple(content), source=source)

    async def accept(self, checked: Checked, key: Key, *, idempotency_key: str = "") -> Accepted:
        """Make a job of a checked request; it is durable when this returns, and was handed to the queue.

        Raises:
            Refused: `busy`: the queue is full, or the key's quota or number of jobs is reached.
        """
        # One at a time per owner, so that counting and inserting are one act in this replica.
        async with self._one_each.setdefault(key.owner, asyncio.Lock()):
            return await asyncio.to_thread(self._accept, checked, key, idempotency_key)

    def _accept(self, checked: Checked, key: Key, idempotency_key: str) -> Accepted:
        http, keys = self.config.http, self.backend.keys
        most = key.jobs_in_flight or http.jobs_in_flight
        limit, count = key.variants_per_day or http.variants_per_day, len(checked.specs)
        fingerprint = checked.fingerprint(idempotency_key)
        if (same := self.backend.jobs.same(key.owner, fingerprint)) is not None:
            return self._duplicate(same, keys.charge(key.owner, 0, limit=limit), idempotency_key)
        if keys.in_flight(key.owner) >= most:
            message = f"{most} jobs of this key wait or run; more are taken when one has ended"
            raise self._busy(message, http.retry_after_seconds)
        self._see_room()
        allowance = keys.charge(key.owner, count, limit=limit)
        if not allowance.granted:
            message = f"{allowance.left} variants are left of {limit} for today; {count} were asked for"
            raise self._busy(message, allowance.resets_seconds)
        try:
            status, is_new = self.backend.jobs.submit(
                checked.request,
                job_id=uuid.uuid4().hex,
                owner=key.owner,
                variants_total=count,
                fingerprint=fingerprint,
                limit=self.config.max_queued_jobs,
            )
        except WorldgenError as error:
            keys.charge(key.owner, -count, limit=limit)
            if isinstance(error, ServiceError) and error.reason == "busy":
                raise self._busy(error.message, http.retry_after_seconds) from error
            raise
        if not is_new:
            return self._duplicate(status, keys.charge(key.owner, -count, limit=limit), idempotency_key)
        self._enqueue(status)
        self.backend.counters.add("worldgen_jobs_submitted_total", model=checked.request.model)
        return _accepted(status, allowance, is_new=True)

    def _duplicate(self, status: JobStatus, allowance: Allowance, idempotency_key: str) -> Accepted:
        by = "idempotency_key" if idempotency_key else "fingerprint"
        self.backend.counters.add("worldgen_duplicates_suppressed_total", by=by)
        return _accepted(status, allowance, is_new=False)

    def _enqueue(self, status: JobStatus) -> None:
        try:
            self.backend.enqueue(status.id, status.priority)
        except Exception:  # noqa: BLE001 -- accepted is accepted: a runner finds the row without a queue
            LOGGER.warning("not enqueued", extra={"job": status.id}, exc_info=True)

    def _see_room(self) -> None:
        """Refuse before anything is written when the queue is full; the store decides once more."""
        waiting = self.backend.jobs.counts().get("queued", 0)
        if waiting >= self.config.max_queued_jobs:
            message = f"{waiting} jobs are waiting; the queue takes {self.config.max_queued_jobs}"
            raise self._busy(message, self.config.http.retry_after_seconds)

    async def _check_owner(self, address: str, key: Key) -> None:
        """An upload is named by its content, but only who has shown the content may name it."""
        if self.addresses.kind(address) != "blob":
            return
        name = address.removeprefix("blob:")
        if name not in await asyncio.to_thread(self.backend.blobs.owned, key.sees, (name,)):
            message = f"no such upload: {address}"
            raise ServiceError(message, reason="not_found", hint="PUT /v1/blobs/{sha256} first")
        # Nobody cleans it away between this and the job that names it.
        await asyncio.to_thread(self.backend.blobs.touch, name)

    async def _fetched_first(self, address: str, key: Key) -> tuple[str, str]:
        """Fetch what is small and lies elsewhere now, so that it is checked before the job is accepted.

        Returns:
            The address to go on with; and what its server says of the content when it is not fetched yet.
        """
        if self.addresses.kind(address) != "remote":
            return address, ""
        fetcher, http = self.addresses.fetcher, self.config.http
        announced = await asyncio.to_thread(fetcher.announce, address)
        if announced.size is None or announced.size > http.fetch_first_bytes:
            return address, digest(address, announced.size, announced.version)
        fetched = await asyncio.to_thread(fetcher.fetch, address, seconds=http.fetch_first_seconds)
        await asyncio.to_thread(self.backend.blobs.own, key.owner, fetched.sha256, fetched.size)
        return f"blob:{fetched.sha256}", ""

    def _busy(self, message: str, seconds: int) -> Refused:
        return Refused(message, reason="busy", headers={"Retry-After": str(seconds)}, hint="try again later")


def _accepted(status: JobStatus, allowance: Allowance, *, is_new: bool) -> Accepted:
    return Accepted(
        status=status,
        is_new=is_new,
        left=allowance.left,
        limit=allowance.limit,
        resets_seconds=allowance.resets_seconds,
    )
