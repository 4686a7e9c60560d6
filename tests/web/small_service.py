"""A small service in one process: real catalogue, real variants, real port; what the page needs, no more."""

import asyncio
import hashlib
import re
import secrets
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from serving.web import Sessions, add_page, session_of
from serving.web.site import status_of
from worldgen.assembly import specs_of
from worldgen.assembly.augmenting import Options, augment_async
from worldgen.catalog import Catalog
from worldgen.datatypes import Audit, Failure, Progress
from worldgen.errors import ContractError, ServiceError, WorldgenError
from worldgen.models.build import profiles
from worldgen.wire import FINAL, JobEvent, JobPage, JobRequest, JobStatus, VariantLine

ALL = frozenset({"submit", "read", "audit"})


@dataclass(frozen=True)
class Key:
    name: str
    scopes: frozenset[str] = ALL

    @property
    def sees(self) -> str | None:
        return self.name


@dataclass
class Job:
    request: JobRequest
    status: JobStatus
    owner: str
    events: list[JobEvent] = field(default_factory=list)
    task: asyncio.Task | None = None

    def emit(self, kind: str, **changes) -> None:
        known = {name: value for name, value in changes.items() if name in JobStatus.model_fields}
        self.status = self.status.model_copy(update=known)
        fields = {name: value for name, value in changes.items() if name in JobEvent.model_fields}
        event = JobEvent(**{"id": len(self.events) + 1, "kind": kind, "state": self.status.state, **fields})
        self.events.append(event)


class SmallService:
    """Jobs of this process over a catalogue on disk.

    Args:
        folder: Of results and uploads.
        keys: Key -> who it is; none: keys are off.
        parameters: Of the fake model, which paces what a test watches.
    """

    def __init__(self, folder: Path, *, keys: dict[str, Key] | None = None, parameters: dict | None = None):
        self.folder = folder
        self.catalog = Catalog(folder)
        self.keys = keys or {}
        self.keys_on = bool(keys)
        self.default_model = "physics"
        self.max_upload_bytes = 64 << 20
        self.parameters = parameters or {}
        self.sessions = Sessions(secrets.token_bytes(32))
        self.all_jobs: dict[str, Job] = {}
        self.owned: dict[str, set[str]] = {}
        self.uploads = 0
        self.once: list[str] = []
        self.app = FastAPI()
        self._add_v1()
        add_page(self.app, self)

    def models(self):
        return [p for p in profiles() if p.name in ("physics", "fake")]

    async def principal(self, request: Request) -> Key | None:
        if not self.keys_on:
            return Key("local")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        value = session_of(request)
        name = (
            self.keys[bearer].name if bearer in self.keys else self.sessions.key_id(value) if value else None
        )
        return next((key for key in self.keys.values() if key.name == name), None)

    async def sign_in(self, key: str) -> str:
        if key not in self.keys:
            message = "this key is not known here"
            raise ServiceError(message, reason="unauthorized")
        return self.sessions.issue(self.keys[key].name)

    async def submit(self, request, principal, body: JobRequest) -> JobStatus:
        self.once.append(request.headers.get("idempotency-key", ""))
        specs = specs_of(body.specs, seed=body.seed)
        path = self._source(body.source)
        if body.camera:
            message = "this clip has one camera; leave the name out"
            raise ContractError(message, reason="unexpected")
        status = JobStatus(
            id=uuid.uuid4().hex,
            state="queued",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            model=body.model or self.default_model,
            source=body.source,
            source_name=body.source_name,
            priority=body.priority,
            queue_position=0,
            variants_total=len(specs),
        )
        job = Job(body, status, principal.name)
        self.all_jobs[status.id] = job
        job.task = asyncio.create_task(self._work(job, path, specs))
        return status

    async def _work(self, job: Job, path: Path, specs) -> None:
        def observe(variant_id, name, event) -> None:
            if isinstance(event, Progress):
                told = JobEvent.of_step(variant_id, name, event).model_dump(exclude={"id", "kind"})
                job.emit("progress", **told)
                return
            line = self._line(variant_id, name, event)
            self.owned.setdefault(job.owner, set()).add(variant_id)
            lines = (*job.status.variants, line)
            job.emit(
                "variant",
                variants=lines,
                variants_done=len(lines),
                variant=line,
                variant_id=variant_id,
                spec=name,
                counts=dict(Counter(found.state for found in lines)),
            )

        try:
            job.emit("state", state="preparing", queue_position=None)
            model = job.status.model
            options = Options(
                model=model, parameters=self.parameters if model == "fake" else {}, report_page=False
            )
            # In a thread with a loop of its own: a test's server must answer while variants are made.
            work = augment_async(path, specs, out=self.folder, options=options, observe=observe)
            await asyncio.to_thread(asyncio.run, work)
            ended, error = "completed", None
        except asyncio.CancelledError:
            ended, error = "cancelled", None
        except WorldgenError as exc:
            ended, error = "failed", {"code": exc.code, "message": exc.message, "hint": exc.hint}
        if job.status.state not in FINAL:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            job.emit("state", state=ended, error=error, finished=now)

    def _line(self, variant_id: str, name: str, event) -> VariantLine:
        found = self.catalog.find(variant_id)
        if isinstance(event, Failure) or found is None:
            state = event.code.partition(".")[2] if event.is_expected else "failed"
            return VariantLine(
                id=variant_id, spec=name, state=state, message=f"{event.code}: {event.message}"
            )
        verdict = self.catalog.load(variant_id).verdict
        return VariantLine(
            id=variant_id,
            spec=name,
            state=verdict.state,
            recognised=verdict.recognised,
            findings=tuple(f.model_dump(mode="json") for f in verdict.findings),
            files=tuple(sorted(p.name for p in found.folder.iterdir())),
        )

    def _source(self, source: str) -> Path:
        if not source.startswith("blob:") or not (self.folder / "blobs" / source[5:]).is_file():
            message = "the path is outside the folders that this server allows"
            raise ServiceError(message, reason="forbidden", hint="upload the clip")
        return self.folder / "blobs" / source[5:]

    async def jobs(self, principal, *, after=None, limit=20, states=None) -> JobPage:
        mine = [job.status for job in reversed(self.all_jobs.values()) if job.owner == principal.name]
        mine = [s for s in mine if states is None or s.state in states]
        start = next((i + 1 for i, s in enumerate(mine) if s.id == after), 0)
        more = mine[start + limit - 1].id if len(mine) > start + limit else None
        return JobPage(data=tuple(mine[start : start + limit]), next=more)

    def _job(self, principal, job_id: str) -> Job:
        job = self.all_jobs.get(job_id)
        if job is None or job.owner != principal.name:
            message = f"no job {job_id!r}"
            raise ServiceError(message, reason="not_found")
        return job

    async def job(self, principal, job_id: str) -> JobStatus:
        return self._job(principal, job_id).status

    async def cancel(self, request, principal, job_id: str) -> JobStatus:
        job = self._job(principal, job_id)
        if job.status.state not in FINAL:
            job.emit("state", state="cancelled", cancel_requested=True)
            job.task.cancel()
        return job.status

    async def visible(self, principal, variant_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(
            variant_ids if not self.keys_on else self.owned.get(principal.name, set()) & set(variant_ids)
        )

    async def source_names(self, principal, sha256s: Sequence[str]) -> dict[str, str]:
        requests = (job.request for job in self.all_jobs.values())
        names = {r.source.removeprefix("blob:"): r.source_name for r in requests if r.source_name}
        return {sha256: names[sha256] for sha256 in sha256s if sha256 in names}

    async def audit(self, request, principal, variant_id: str, body) -> Audit:
        found = self.catalog.load(variant_id)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        fields = body.model_dump()
        audit = Audit(variant_id=variant_id, at=now, verdict=found.verdict.state, **fields)
        self.catalog.add_audits((audit,))
        return audit

    def _add_v1(self) -> None:
        app = self.app

        @app.exception_handler(WorldgenError)
        async def _problem(request: Request, error: WorldgenError) -> JSONResponse:
            return JSONResponse({"detail": error.message, "code": error.code}, status_code=status_of(error))

        async def known(request: Request) -> Key:
            who = await self.principal(request)
            if who is None:
                message = "a key is needed"
                raise ServiceError(message, reason="unauthorized")
            return who

        @app.post("/v1/blobs/check")
        async def check(request: Request):
            await known(request)
            asked = (await request.json())["sha256"]
            return {"missing": [s for s in asked if not (self.folder / "blobs" / s).exists()], "received": {}}

        @app.put("/v1/blobs/{sha256}")
        async def put(sha256: str, request: Request):
            await known(request)
            body = await request.body()
            if not re.fullmatch("[0-9a-f]{64}", sha256) or hashlib.sha256(body).hexdigest() != sha256:
                message = "the body has another sha256"
                raise ServiceError(message, reason="invalid")
            (self.folder / "blobs").mkdir(parents=True, exist_ok=True)
            (self.folder / "blobs" / sha256).write_bytes(body)
            self.uploads += 1
            return JSONResponse({"sha256": sha256}, status_code=201)

        @app.get("/v1/jobs/{job_id}/events")
        async def events(job_id: str, request: Request):
            job = self._job(await known(request), job_id)
            after = int(request.headers.get("last-event-id", "0"))

            async def lines():
                position = after
                while True:
                    fresh = job.events[position:]
                    for event in fresh:
                        yield f"id: {event.id}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"
                    position += len(fresh)
                    if job.status.state in FINAL and position >= len(job.events):
                        return
                    await asyncio.sleep(0.05)

            return StreamingResponse(lines(), media_type="text/event-stream")

        @app.get("/v1/variants/{variant_id}/files/{name}")
        async def file(variant_id: str, name: str, request: Request):
            who = await known(request)
            found = self.catalog.find(variant_id)
            if found is None or name not in found.record.files or not await self.visible(who, [variant_id]):
                message = "no such file"
                raise ServiceError(message, reason="not_found")
            return FileResponse(found.folder / name)
