"""What can be asked of a server, each once, as coroutines over either kind of connection."""

import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pydantic import TypeAdapter

from worldgen.client.connection import Call
from worldgen.client.errors import refused
from worldgen.client.following import follow
from worldgen.client.http import Http, Patience
from worldgen.client.uploads import Given, Sent, ignore, is_elsewhere, send_all
from worldgen.datatypes.audit import Audit
from worldgen.datatypes.profile import ModelProfile
from worldgen.datatypes.spec import Spec
from worldgen.errors import ContractError, ServiceError
from worldgen.wire import (
    AuditRequest,
    BatchPage,
    BatchRequest,
    BatchStatus,
    JobEvent,
    JobPage,
    JobRequest,
    JobState,
    JobStatus,
    Priority,
    VariantLine,
    VariantPage,
    VariantView,
    source_name,
)

Specs: TypeAlias = str | Spec | Sequence[str | Spec]

P = TypeVar("P", JobPage, VariantPage, BatchPage)

_PROFILES: TypeAdapter[tuple[ModelProfile, ...]] = TypeAdapter(tuple[ModelProfile, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A source, what belongs to it, and what shall be made of it."""

    source: Given
    specs: Specs
    model: str = ""
    seed: int = 0
    camera: str | None = None
    labels: Given | None = None
    calibration: Given | None = None
    priority: Priority = "interactive"
    deadline_seconds: float | None = None
    upload: bool = True

    def local(self) -> list[Path | bytes]:
        """Return what has to be uploaded."""
        given = (self.source, self.labels, self.calibration)
        if not self.upload:
            return [item for item in given if isinstance(item, bytes)]
        return [
            item if isinstance(item, bytes) else Path(item)
            for item in given
            if item is not None and not is_elsewhere(item)
        ]

    def request(self, names: Sequence[str]) -> JobRequest:
        """Put the names of the uploads, in the order of `local`, where the content was."""
        sent = iter(names)

        def named(item: Given | None) -> str | None:
            if item is None or (not isinstance(item, bytes) and (not self.upload or is_elsewhere(item))):
                return None if item is None else str(item)
            return next(sent)

        source = named(self.source)
        given = self.source
        is_file = self.upload and not isinstance(given, bytes) and not is_elsewhere(given)
        return JobRequest(
            source=source or "",
            source_name=source_name(Path(str(given)).name) if is_file else "",
            specs=(self.specs,) if isinstance(self.specs, str | Spec) else tuple(self.specs),
            model=self.model,
            seed=self.seed,
            camera=self.camera,
            labels=named(self.labels),
            calibration=named(self.calibration),
            priority=self.priority,
            deadline_seconds=self.deadline_seconds,
        )


async def submit(http: Http, wanted: Submission, observe: Sent = ignore) -> JobStatus:
    """Upload what is local, and submit.

    Raises:
        SourceError: A file is not there, is empty, or changed while it was sent.
        ServiceError: The server refused, or did not answer.
    """
    uploads = await send_all(http, wanted.local(), observe)
    body = wanted.request([upload.name for upload in uploads]).model_dump(mode="json", exclude_none=True)
    return await http.value(JobStatus, Call(method="POST", path="/v1/jobs", json=body))


async def status(http: Http, job_id: str) -> JobStatus:
    """Ask how a job is going."""
    return await http.value(JobStatus, Call(method="GET", path=f"/v1/jobs/{job_id}"))


async def cancel(http: Http, job_id: str) -> JobStatus:
    """Ask for a job to be stopped."""
    call = Call(method="POST", path=f"/v1/jobs/{job_id}/cancel", read_seconds=300.0)
    return await http.value(JobStatus, call)


async def jobs(http: Http, *, states: Iterable[JobState] = (), page: int) -> AsyncGenerator[JobStatus]:
    """Yield jobs, newest first, fetching page after page."""
    pages = _pages(http, JobPage, "/v1/jobs", {"limit": page, "state": list(states)})
    async with aclosing(pages):
        async for found in pages:
            for one in found.data:
                yield one


async def submit_batch(http: Http, wanted: BatchRequest) -> BatchStatus:
    """Submit many sources."""
    body = wanted.model_dump(mode="json", exclude_none=True)
    return await http.value(
        BatchStatus, Call(method="POST", path="/v1/batches", json=body, read_seconds=300.0)
    )


async def batch_status(http: Http, batch_id: str) -> BatchStatus:
    """Ask how a batch is going."""
    return await http.value(BatchStatus, Call(method="GET", path=f"/v1/batches/{batch_id}"))


async def cancel_batch(http: Http, batch_id: str) -> BatchStatus:
    """Ask for a batch to be stopped."""
    call = Call(method="POST", path=f"/v1/batches/{batch_id}/cancel", read_seconds=300.0)
    return await http.value(BatchStatus, call)


async def wait_for_batch(
    http: Http,
    batch_id: str,
    observe: Callable[[BatchStatus], None],
    *,
    every_seconds: float,
    seconds: float | None,
) -> BatchStatus:
    """Ask until a batch has ended.

    Raises:
        ServiceError: `timeout` after `seconds`; the server was out of reach for too long.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    patience = Patience(http, time.monotonic)
    while True:
        try:
            found = await batch_status(http, batch_id)
        except ServiceError as error:
            await patience.endure(error)
            continue
        patience.restore()
        observe(found)
        if found.finished is not None:
            return found
        if deadline is not None and time.monotonic() > deadline:
            message = f"the batch is {found.state} after {seconds:.0f} s"
            raise ServiceError(message, reason="timeout")
        await http.connection.sleep(every_seconds)


async def batches(http: Http, *, page: int) -> AsyncGenerator[BatchStatus]:
    """Yield batches, newest first, fetching page after page."""
    pages = _pages(http, BatchPage, "/v1/batches", {"limit": page})
    async with aclosing(pages):
        async for found in pages:
            for one in found.data:
                yield one


async def variants(http: Http, *, page: int, filters: Mapping[str, Any]) -> AsyncGenerator[VariantView]:
    """Yield the catalogue's variants in a stable order, fetching page after page."""
    pages = _pages(http, VariantPage, "/v1/variants", {"limit": page, **filters})
    async with aclosing(pages):
        async for found in pages:
            for one in found.data:
                yield one


async def _pages(http: Http, kind: type[P], path: str, wanted: Mapping[str, Any]) -> AsyncGenerator[P]:
    after: str | None = None
    while True:
        params = {name: value for name, value in {**wanted, "after": after}.items() if value}
        found = await http.value(kind, Call(method="GET", path=path, params=params))
        yield found
        if found.next is None or found.next == after:
            return
        after = found.next


async def variant(http: Http, variant_id: str) -> VariantView:
    """Look a variant up."""
    return await http.value(VariantView, Call(method="GET", path=f"/v1/variants/{variant_id}"))


async def audit(http: Http, variant_id: str, said: AuditRequest) -> Audit:
    """Say what a person thinks of a variant."""
    body = said.model_dump(mode="json", exclude_none=True)
    call = Call(method="POST", path=f"/v1/variants/{variant_id}/audit", json=body)
    return await http.value(Audit, call)


async def models(http: Http) -> tuple[ModelProfile, ...]:
    """List the contracts of the server's world models."""
    answer = await http.ask(Call(method="GET", path="/v1/models"))
    try:
        return _PROFILES.validate_json(answer.content, extra="ignore")
    except ValueError as error:
        message = f"the server's list of models cannot be read: {error}"
        raise ServiceError(message, reason="bad_answer") from error


async def model(http: Http, name: str = "") -> ModelProfile:
    """Find one contract; the server names its default first.

    Raises:
        ContractError: `unknown_model`.
    """
    known = await models(http)
    found = next((profile for profile in known if name in ("", profile.name)), None)
    if found is None:
        names = ", ".join(profile.name for profile in known)
        message = f"the server has no world model {name!r}; it has: {names or 'none'}"
        raise ContractError(message, reason="unknown_model")
    return found


async def finished(http: Http, job_id: str, after: int = 0) -> AsyncGenerator[VariantLine]:
    """Yield what became of each spec, as it is known; each once, also when a runner took the job up again."""
    seen: set[str] = set()
    async with aclosing(follow(http, job_id, after)) as events:
        async for event in events:
            if event.variant is not None and event.variant.id not in seen:
                seen.add(event.variant.id)
                yield event.variant


async def wait(
    http: Http, job_id: str, observe: Callable[[JobEvent], None], *, seconds: float | None = None
) -> JobStatus:
    """Follow a job to its end.

    Raises:
        Refused: With the job's own code when it failed.
        ServiceError: The server was out of reach for too long; `timeout` after `seconds`.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    async with aclosing(follow(http, job_id, deadline=deadline)) as events:
        async for event in events:
            observe(event)
    ended = await status(http, job_id)
    if ended.state == "failed":
        error = ended.error or {}
        raise refused(
            error.get("message", "the job failed"),
            code=error.get("code", ""),
            reason="failed",
            hint=error.get("hint", ""),
        )
    return ended


def view_line(view: VariantView) -> VariantLine:
    """Summarise a variant of the catalogue as a job does."""
    shared = {
        name: getattr(view, name) for name in VariantLine.model_fields if name in type(view).model_fields
    }
    return VariantLine(**shared)
