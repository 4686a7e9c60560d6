"""One attempt at a job: fenced, watched, and ended in a state, whatever happens."""

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, Final, TypeVar

from serving.addresses import Addresses
from serving.making import Making
from serving.patience import until_answered
from serving.reporting import Reporter
from serving.site import Site
from serving.workflow import Journalled, Lost
from worldgen.assembly import specs_of
from worldgen.datatypes import Source, Spec
from worldgen.errors import ServiceError, WorldgenError
from worldgen.media.failpoint import failpoint
from worldgen.sources.open import open_source
from worldgen.wire import JobRequest, VariantLine

T = TypeVar("T")

_LOOK_SECONDS: Final = 0.3
"""How often an attempt looks whether it was cancelled, is too late, or has lost the job."""

_log = logging.getLogger("worldgen.serving")


class JobAttempt:
    """Makes what is missing of one job. Its public methods block; its work runs on the replica's loop.

    Args:
        site: What all attempts of this runner share.
        job_id: Of the job.
        attempt: The number that fences what is written.
        request: What was asked for.
    """

    def __init__(self, site: Site, job_id: str, attempt: int, request: JobRequest) -> None:
        self.site = site
        self.job_id = job_id
        self.attempt = attempt
        self.request = request
        self._opened: tuple[Source, tuple[Spec, ...]] | None = None
        self._lines: list[asyncio.Future[VariantLine]] = []
        self._task: asyncio.Task[None] | None = None
        self._reason: str | None = None
        self._reporter = self._blocking(self._report())
        self._making = Making(site, job_id, request, self._reporter, self._done)

    def prepare(self) -> Journalled:
        """Open the source and name the variants, one id per spec."""
        return self._blocking(self._prepare())

    def variant(self, ids: list[str], index: int) -> Journalled:
        """See to it that variant `index` is published, by this attempt or an earlier one."""
        return self._blocking(self._variant(ids, index))

    def finish(self, ended: Journalled) -> None:
        """End the job."""
        failpoint("runner.before_finish")
        self._blocking(self._reporter.flush())
        state, error_ = ended.get("ended", "completed"), ended.get("error")
        try:
            until_answered(
                lambda: self.site.jobs.finish(self.job_id, self.attempt, state, error_),
                given_up=lambda: self.site.is_leaving,
            )
        except ServiceError as error:
            if error.reason == "forbidden":
                raise Lost(error.message) from None
            raise
        failpoint("runner.after_finish")

    def close(self) -> None:
        """Leave the generation and stop reporting."""
        self._blocking(self._leave())

    def stop(self, reason: str) -> None:
        """End early, on the loop: `cancelled`, `expired`, `lost` or `leaving`."""
        self._reason = self._reason or reason
        if self._task is not None:
            self._task.cancel()

    @property
    def is_busy(self) -> bool:
        """Whether a variant that got its turn at the model is not published yet."""
        return self.is_working and self._making.is_busy

    @property
    def is_working(self) -> bool:
        """Whether anything of this attempt runs."""
        return self._task is not None and not self._task.done()

    async def _report(self) -> Reporter:
        reporter = Reporter(self.site.jobs, self.job_id, self.attempt, lambda: self.stop("lost"))
        reporter.state("preparing")
        return reporter

    async def _prepare(self) -> Journalled:
        try:
            source, specs = await self._open()
            assembly = self.site.assembly(self.request.model)
            identity = assembly.identity(source, specs)
            ids = [assembly.variant_id(source, spec, identity) for spec in specs]
        except Exception as error:  # noqa: BLE001 -- a job must end in a state, whatever happened
            return _failed(error)
        failpoint("runner.prepared")
        return {"ids": ids}

    async def _open(self) -> tuple[Source, tuple[Spec, ...]]:
        if self._opened is None:
            source = await asyncio.to_thread(self._read)
            self._opened = source, specs_of(self.request.specs, seed=self.request.seed)
        return self._opened

    def _read(self) -> Source:
        request, addresses = self.request, Addresses(self.site.config)
        return open_source(
            addresses.path_of(request.source),
            camera=request.camera,
            labels=addresses.path_of(request.labels) if request.labels else None,
            calibration=addresses.path_of(request.calibration) if request.calibration else None,
        )

    async def _variant(self, ids: list[str], index: int) -> Journalled:
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._lines = [loop.create_future() for _ in ids]
            self._task = loop.create_task(self._make(ids, index))
            if self._reason is not None:
                self._task.cancel()
        try:
            line = await asyncio.shield(self._lines[index])
        except _EndedError as end:
            return end.journalled
        failpoint("runner.before_journal")
        return {"variant": line.id, "state": line.state}

    async def _make(self, ids: list[str], first: int) -> None:
        watch = asyncio.get_running_loop().create_task(self._watch())
        end: BaseException = Lost(f"job {self.job_id} is left to the next runner")
        try:
            source, specs = await self._open()
            await self._making.make(source, specs, ids, first)
        except asyncio.CancelledError:
            if self._reason in ("cancelled", "expired"):
                end = _EndedError({"ended": self._reason})
        except Exception as error:  # noqa: BLE001 -- a job must end in a state, whatever happened
            end = _EndedError(_failed(error))
        finally:
            watch.cancel()
            for line in self._lines[first:]:
                if not line.done():
                    line.set_exception(end)
                    line.exception()  # looked at: whether somebody waits for it does not matter

    def _done(self, index: int, line: VariantLine) -> None:
        if not self._lines[index].done():
            self._lines[index].set_result(line)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                reason = await asyncio.to_thread(self.site.jobs.why_stop, self.job_id, self.attempt)
            except ServiceError:
                continue
            if reason is not None:
                self.stop(reason)
                return

    async def _leave(self) -> None:
        if self._task is not None and not self._task.done():
            self._reason = self._reason or "leaving"
            self._task.cancel()
            await asyncio.wait({self._task})
        self._reporter.close()
        self.site.attempts.discard(self)

    def _blocking(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self.site.loop).result()
        except CancelledError:
            # Only the end of the loop, and of this process, cancels what a thread waits for.
            message = f"job {self.job_id} is left to the next runner"
            raise Lost(message) from None


class _EndedError(Exception):
    def __init__(self, journalled: Journalled) -> None:
        super().__init__(str(journalled))
        self.journalled = journalled


def _failed(error: Exception) -> Journalled:
    if isinstance(error, WorldgenError):
        cause = getattr(error, "cause", None)
        known = cause if isinstance(cause, WorldgenError) else error
        return {
            "ended": "failed",
            "error": {"code": known.code, "message": known.message, "hint": known.hint},
        }
    _log.error("a job failed in a way that is not foreseen", exc_info=error)
    text = f"{type(error).__name__}: {error}"
    return {"ended": "failed", "error": {"code": "internal.unexpected", "message": text, "hint": ""}}
