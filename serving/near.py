"""The service in one process, without Ray: the same stores and spine, one worker thread, one job at a time.

    python -m serving.near --out runs --model fake --port 8000

What is accepted is in the database before it is answered; after a restart the worker goes on with what is
there. It is for development and tests, and where one process is enough.
"""

import argparse
import asyncio
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from serving.addresses import Addresses
from serving.config import ModelConfig, ServiceConfig
from serving.http.backend import BatchRunner, Readiness, Stores
from serving.http.logs import LOGGER, log_json
from serving.store.counters import counted
from serving.store.database import Database
from serving.thinning import Thinning
from worldgen.assembly import Assembly, publish, specs_of
from worldgen.catalog import Catalog
from worldgen.datatypes import Failure, ModelProfile, Outcome, Progress, Source, Spec, Variant
from worldgen.errors import ServiceError, WorldgenError
from worldgen.media.scratch import Scratch
from worldgen.models.build import profile_of
from worldgen.sources.open import open_source
from worldgen.wire import JobEvent, JobRequest, JobState, Priority, VariantLine

_IDLE_SECONDS: Final = 0.5
_PROGRESS_SECONDS: Final = 0.2
"""Progress is told at most so often; the last step of a generation always is."""


class NearBackend(Stores):
    """A backend whose queue is the database and whose worker is a thread.

    Args:
        config: Of the service.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self.database = Database(config.database_url)
        super().__init__(self.database)
        self.catalog = Catalog(config.out)
        self._profiles = (profile_of(config.model, config.parameters),)
        self._worker = _Worker(config, self)

    def enqueue(self, job_id: str, priority: Priority) -> None:
        """Wake the worker; the rows say what is next."""
        del job_id, priority
        self._worker.wake.set()

    def stop(self, job_id: str) -> None:
        """Nothing to tell: the worker looks at the flag after every step."""

    def profiles(self) -> tuple[ModelProfile, ...]:
        """Return the one contract there is."""
        return self._profiles

    def batch_runner(self) -> BatchRunner:
        """Refuse: batches are Ray's jobs.

        Raises:
            ServiceError: `unsupported`.
        """
        message = "batches run as jobs of Ray, and this service runs without it"
        raise ServiceError(message, reason="unsupported", hint="worldgen serve --batches")

    def readiness(self) -> Readiness:
        """Say whether the worker lives."""
        return Readiness(state="ready" if self._worker.thread.is_alive() else "loading")

    def gauges(self) -> Mapping[str, float]:
        """Nothing is measured elsewhere."""
        return {}

    def start(self) -> None:
        """Start working."""
        self._worker.thread.start()

    def close(self) -> None:
        """Stop working: the job under way is taken up again at the next start."""
        self._worker.leave.set()
        self._worker.wake.set()
        if self._worker.thread.is_alive():
            self._worker.thread.join(30.0)
        self.database.close()


class _Stopped(Exception):  # noqa: N818 -- not a failure
    """Somebody asked to stop this job, or this process."""

    def __init__(self, state: JobState | None) -> None:
        self.state = state


class _Worker:
    """Takes jobs in the order of the queue and runs the spine on each."""

    def __init__(self, config: ServiceConfig, backend: NearBackend) -> None:
        self.wake, self.leave = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run, name="near-worker", daemon=True)
        self._config = config
        self._backend = backend
        self._addresses = Addresses(config)

    def _run(self) -> None:
        scratch = Scratch(self._config.scratch)
        assembly = Assembly(scratch, model=self._config.model, parameters=self._config.parameters)
        try:
            while not self.leave.is_set():
                self.wake.clear()
                waiting = list(self._backend.jobs.unfinished())
                if waiting:
                    self._work(assembly, waiting[0])
                else:
                    self.wake.wait(_IDLE_SECONDS)
        finally:
            assembly.close()

    def _work(self, assembly: Assembly, job_id: str) -> None:
        jobs = self._backend.jobs
        try:
            attempt = jobs.take(job_id, "near")
        except ServiceError:
            return  # It was cancelled, or removed, in between.
        try:
            try:
                asyncio.run(_Job(self._config, self._backend, assembly, job_id, attempt, self.leave).make())
            except _Stopped as stopped:
                if stopped.state is not None:
                    jobs.finish(job_id, attempt, stopped.state)
            except WorldgenError as error:
                told = {"code": error.code, "message": error.message, "hint": error.hint}
                jobs.finish(job_id, attempt, "failed", told)
            except Exception as error:  # noqa: BLE001 -- a job must end in a state
                LOGGER.exception("job failed", extra={"job": job_id})
                told = {"code": "internal.unexpected", "message": type(error).__name__, "hint": ""}
                jobs.finish(job_id, attempt, "failed", told)
            else:
                jobs.finish(job_id, attempt, "completed")
        except ServiceError:
            LOGGER.warning("job lost", extra={"job": job_id})
            time.sleep(_IDLE_SECONDS)


class _Job:
    """One attempt at one job."""

    def __init__(
        self,
        config: ServiceConfig,
        backend: NearBackend,
        assembly: Assembly,
        job_id: str,
        attempt: int,
        leave: threading.Event,
    ) -> None:
        self._backend, self._assembly, self._leave = backend, assembly, leave
        self._id, self._attempt = job_id, attempt
        self._addresses = Addresses(config)
        self._thinning = Thinning(_PROGRESS_SECONDS)
        self._names: dict[str, Spec] = {}

    async def make(self) -> None:
        """Make every variant that is not there yet."""
        self._emit(JobEvent(id=0, kind="state", state="preparing"))
        request = self._backend.jobs.request(self._id)
        source = self._open(request)
        specs = specs_of(request.specs, seed=request.seed)
        identity = self._assembly.identity(source, specs)
        ids = {self._assembly.variant_id(source, spec, identity): spec for spec in specs}
        missing = []
        for variant_id, spec in ids.items():
            if self._backend.catalog.find(variant_id) is None:
                missing.append(spec)
            else:
                self._finish(self._backend.catalog.load(variant_id))
        self._names = ids
        making = asyncio.ensure_future(self._make(source, missing, request.model))
        try:
            while not making.done():
                await asyncio.wait({making}, timeout=_PROGRESS_SECONDS)
                self._check()
            await making
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

    async def _make(self, source: Source, specs: list[Spec], model: str) -> None:
        if not specs:
            return
        async for outcome in self._assembly.make_variants(source, specs, report=self._report):
            if isinstance(outcome, Variant):
                await asyncio.to_thread(publish, self._backend.catalog, outcome, source)
            else:
                self._backend.catalog.record_failure(outcome, source)
            self._backend.counters.add_all(counted(outcome, model=model))
            self._finish(outcome)

    def _open(self, request: JobRequest) -> Source:
        named = (request.source, request.labels, request.calibration)
        path, labels, calibration = (self._addresses.path_of(name) if name else None for name in named)
        assert path is not None  # noqa: S101 -- a request has a source
        return open_source(path, camera=request.camera, labels=labels, calibration=calibration)

    def _check(self) -> None:
        if self._leave.is_set():
            raise _Stopped(None)
        why = self._backend.jobs.why_stop(self._id, self._attempt)
        if why is not None:
            raise _Stopped(None if why == "lost" else why)

    def _report(self, variant_id: str, step: Progress) -> None:
        if not self._thinning.tells(step):
            return
        self._emit(JobEvent.of_step(variant_id, self._names[variant_id].name, step))

    def _finish(self, outcome: Outcome) -> None:
        line = line_of(outcome, self._backend.catalog)
        event = JobEvent(id=0, kind="variant", state="running", variant=line, variant_id=line.id)
        self._emit(event.model_copy(update={"spec": line.spec}))

    def _emit(self, event: JobEvent) -> None:
        self._backend.jobs.emit(self._id, self._attempt, event)


def line_of(outcome: Outcome, catalog: Catalog) -> VariantLine:
    """Summarise an outcome for the wire."""
    if isinstance(outcome, Failure):
        state = outcome.code.partition(".")[2] if outcome.is_expected else "failed"
        message = f"{outcome.code}: {outcome.message}"
        return VariantLine(id=outcome.id, spec=outcome.spec.name, state=state, message=message)
    found = catalog.find(outcome.id)
    return VariantLine(
        id=outcome.id,
        spec=outcome.spec.name,
        state=outcome.verdict.state,
        recognised=outcome.verdict.recognised,
        findings=tuple(finding.model_dump(mode="json") for finding in outcome.verdict.findings),
        files=(*sorted(found.record.files), "variant.json") if found else (),
    )


def main() -> None:
    """Serve from one process until interrupted."""
    import uvicorn

    from serving.ingress import build_ingress

    parser = argparse.ArgumentParser(prog="python -m serving.near", description="worldgen in one process")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--model", default="physics")
    asked = parser.parse_args()
    models = (ModelConfig(name=asked.model),)
    config = ServiceConfig(host=asked.host, port=asked.port, out=asked.out.resolve(), models=models)
    log_json()
    backend = NearBackend(config)
    backend.start()
    try:
        uvicorn.run(
            build_ingress(config, backend),
            host=config.host,
            port=config.port,
            access_log=False,
            server_header=False,
        )
    finally:
        backend.close()


if __name__ == "__main__":
    main()
