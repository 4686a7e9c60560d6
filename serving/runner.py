"""The runner: takes jobs and runs the spine near the generators; publishes every variant once."""

import asyncio
from pathlib import Path
from typing import Any

from serving.config import ServiceConfig
from serving.jobs import Job
from serving.remote import RemoteSteps
from worldgen.assembly import Assembly, publish, specs_of
from worldgen.catalog import Catalog
from worldgen.datatypes import Failure, Outcome, Source, Spec, Variant
from worldgen.datatypes import Progress as Step
from worldgen.errors import ServiceError, WorldgenError
from worldgen.media.scratch import Scratch
from worldgen.pipeline import Limits, make_variants
from worldgen.sources.open import open_source
from worldgen.wire import FINAL, JobEvent, JobRequest, JobStatus, VariantLine


class Runner:
    """Holds the jobs of one machine and works on one at a time.

    Args:
        config: Settings of the service.
        generator: Serve handle of the generating worker.
        critic: Serve handle of the judging worker.
    """

    def __init__(self, config: ServiceConfig, generator: Any, critic: Any) -> None:  # noqa: ANN401 -- untyped handles
        self.config = config
        self.catalog = Catalog(config.out)
        self.steps = RemoteSteps(generator, critic)
        # Names and contracts only; its model is never asked to generate.
        self.assembly = Assembly(
            Scratch(config.scratch, shared=True), model=config.model, parameters=config.parameters
        )
        self.jobs: dict[str, Job] = {}
        self._one_job = asyncio.Semaphore(1)

    async def submit(self, request: JobRequest) -> JobStatus:
        """Check a request and queue it.

        Raises:
            BadInput: The request cannot be run; nothing was queued.
            ServiceError: `busy` when the queue is full.
        """
        waiting = sum(job.state not in FINAL for job in self.jobs.values())
        if waiting >= self.config.max_queued_jobs:
            message = f"{waiting} jobs are waiting; the queue takes {self.config.max_queued_jobs}"
            raise ServiceError(message, reason="busy", hint="try again later")
        specs = specs_of(request.specs, seed=request.seed)
        path = self.resolve(request.source)
        source = await asyncio.to_thread(open_source, path, camera=request.camera)
        job = Job(request, len(specs))
        self.jobs[job.id] = job
        await job.emit(JobEvent(id=0, kind="state", state="queued"))
        job.task = asyncio.create_task(self._work(job, source, specs))
        return job.status()

    def resolve(self, source: str) -> Path:
        """Find a source by blob or by a path inside an allowed folder.

        Raises:
            ServiceError: Not uploaded, or outside the allowed folders.
        """
        if source.startswith("blob:"):
            path = self.config.blobs / f"{source.removeprefix('blob:')}"
            if not path.name.isalnum() or not path.is_file():
                message = f"no such upload: {source}"
                raise ServiceError(message, reason="not_found", hint="PUT /v1/blobs/{sha256} first")
            return path
        path = Path(source).resolve()
        if not any(path.is_relative_to(root.resolve()) for root in self.config.source_roots):
            message = "the path is outside the folders that this server allows"
            raise ServiceError(
                message, reason="forbidden", hint="upload the clip, or start with --source-root"
            )
        return path

    async def _work(self, job: Job, source: Source, specs: tuple[Spec, ...]) -> None:
        try:
            async with self._one_job:
                await job.emit(JobEvent(id=0, kind="state", state="preparing"))
                await self._make(job, source, specs)
            await job.emit(JobEvent(id=0, kind="state", state="completed"))
        except asyncio.CancelledError:
            await job.emit(JobEvent(id=0, kind="state", state="cancelled"))
        except WorldgenError as error:
            job.error = {"code": error.code, "message": error.message, "hint": error.hint}
            await job.emit(JobEvent(id=0, kind="state", state="failed"))
        except Exception as error:  # noqa: BLE001 -- a job must end in a state, whatever happened
            job.error = {
                "code": "internal.unexpected",
                "message": f"{type(error).__name__}: {error}",
                "hint": "",
            }
            await job.emit(JobEvent(id=0, kind="state", state="failed"))

    async def _make(self, job: Job, source: Source, specs: tuple[Spec, ...]) -> None:
        identity = self.assembly.identity(source, specs)
        names = {self.assembly.variant_id(source, spec, identity): spec for spec in specs}
        for variant_id, spec in list(names.items()):
            if self.catalog.find(variant_id) is not None:
                await self._finish(job, self.catalog.load(variant_id), spec.name)
                del names[variant_id]
        if not names:
            return
        loop = asyncio.get_running_loop()
        emitting: set[asyncio.Task[None]] = set()

        def report(variant_id: str, step: Step) -> None:
            event = JobEvent(
                id=0,
                kind="progress",
                state="running",
                variant_id=variant_id,
                spec=names[variant_id].name,
                stage=step.stage,
                step=step.step,
                steps=step.steps,
                chunk=step.chunk,
                chunks=step.chunks,
                seconds_left=step.seconds_left,
            )
            # Kept in a set: the loop itself holds tasks only weakly.
            task = loop.create_task(job.emit(event))
            emitting.add(task)
            task.add_done_callback(emitting.discard)

        outcomes = make_variants(
            source,
            tuple(names.values()),
            profile=self.assembly.model.profile,
            identity=identity,
            extract=self.steps.extract,
            generate=self.steps.generate,
            judge=self.steps.judge,
            policy=self.assembly.policy,
            limits=Limits(),
            report=report,
        )
        async for outcome in outcomes:
            if isinstance(outcome, Variant):
                await asyncio.to_thread(publish, self.catalog, outcome, source)
            else:
                self.catalog.record_failure(outcome)
            await self._finish(job, outcome, outcome.spec.name)

    async def _finish(self, job: Job, outcome: Outcome, name: str) -> None:
        line = self.line(outcome, name)
        await job.emit(
            JobEvent(id=0, kind="variant", state="running", variant=line, variant_id=line.id, spec=name)
        )

    def line(self, outcome: Outcome, name: str) -> VariantLine:
        """Summarise an outcome for the wire."""
        if isinstance(outcome, Failure):
            state = outcome.code.partition(".")[2] if outcome.is_expected else "failed"
            return VariantLine(
                id=outcome.id, spec=name, state=state, message=f"{outcome.code}: {outcome.message}"
            )
        found = self.catalog.find(outcome.id)
        files = tuple(sorted(p.name for p in found.folder.iterdir() if p.is_file())) if found else ()
        return VariantLine(
            id=outcome.id,
            spec=name,
            state=outcome.verdict.state,
            recognised=outcome.verdict.recognised,
            findings=tuple(f.model_dump(mode="json") for f in outcome.verdict.findings),
            files=files,
        )

    def status(self, job_id: str) -> JobStatus:
        """Say what a job is doing.

        Raises:
            ServiceError: `not_found`.
        """
        return self._job(job_id).status()

    async def events(self, job_id: str, after: int = 0) -> Any:  # noqa: ANN401 -- an async generator over Ray
        """Stream a job's events after number `after`."""
        async for event in self._job(job_id).follow(after):
            yield event

    async def cancel(self, job_id: str) -> JobStatus:
        """Stop a job; returns when its generation has stopped."""
        job = self._job(job_id)
        if job.task is not None and not job.task.done():
            job.task.cancel()
            await asyncio.wait({job.task})
        return job.status()

    def file(self, variant_id: str, name: str) -> str:
        """Find a variant's file.

        Raises:
            ServiceError: `not_found`.
        """
        found = self.catalog.find(variant_id)
        if found is None or "/" in name or name.startswith(".") or not (found.folder / name).is_file():
            message = f"no file {name!r} of variant {variant_id!r}"
            raise ServiceError(message, reason="not_found")
        return str(found.folder / name)

    def _job(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            message = f"no job {job_id!r}"
            raise ServiceError(message, reason="not_found")
        return self.jobs[job_id]

    def check_health(self) -> None:
        """Answer Serve's health check."""
