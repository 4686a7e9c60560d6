"""Reporting: what happens in a job, into the store, in order, from one writer."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from serving.store.jobs import JobStore
from serving.thinning import Thinning
from worldgen.datatypes import Progress
from worldgen.errors import ServiceError
from worldgen.wire import JobEvent, JobState, VariantLine

_EVERY_SECONDS: Final = 0.2
_AGAIN_SECONDS: Final = 0.5

_log = logging.getLogger("worldgen.serving")


class Reporter:
    """Writes the events of one attempt. Made and used on an event loop.

    Progress is thinned to five events per second, and always tells the last step of a stage. While the
    store does not answer, progress is dropped and everything else waits.

    Args:
        jobs: The store.
        job_id: Whose events these are.
        attempt: The number that fences them.
        lost: Called once when another attempt has the job.
    """

    def __init__(self, jobs: JobStore, job_id: str, attempt: int, lost: Callable[[], None]) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._attempt = attempt
        self._lost = lost
        self._is_lost = False
        self._state: JobState = "queued"
        self._thinning = Thinning(_EVERY_SECONDS)
        self._events: asyncio.Queue[JobEvent] = asyncio.Queue()
        self._writer = asyncio.get_running_loop().create_task(self._write())

    def state(self, state: JobState) -> None:
        """Say that the job is in another state; saying the same again is nothing."""
        if state != self._state:
            self._state = state
            self._events.put_nowait(JobEvent(id=0, kind="state", state=state))

    def progress(self, variant_id: str, spec: str, step: Progress) -> None:
        """Say how far a variant is; returns at once."""
        self.state("running")
        if not self._thinning.tells(step):
            return
        self._events.put_nowait(JobEvent.of_step(variant_id, spec, step))

    async def variant(self, line: VariantLine) -> None:
        """Say that a spec is finished; returns when it is stored."""
        event = JobEvent(
            id=0, kind="variant", state="running", variant=line, variant_id=line.id, spec=line.spec
        )
        self._state = "running"
        self._events.put_nowait(event)
        await self.flush()

    async def flush(self) -> None:
        """Wait until everything that was said is stored, or the job is lost."""
        await self._events.join()

    def close(self) -> None:
        """Stop the writer; what was not flushed is not told."""
        self._writer.cancel()

    async def _write(self) -> None:
        while True:
            event = await self._events.get()
            try:
                while not self._is_lost and not await self._stored(event):  # noqa: ASYNC110 -- the store is far
                    await asyncio.sleep(_AGAIN_SECONDS)
            finally:
                self._events.task_done()

    async def _stored(self, event: JobEvent) -> bool:
        try:
            await asyncio.to_thread(self._jobs.emit, self._job_id, self._attempt, event)
        except ServiceError as error:
            if error.reason in ("forbidden", "not_found"):
                self._is_lost = True
                self._lost()
                return True
            _log.warning("job %s: an event is not stored yet: %s", self._job_id, error)
            return event.kind == "progress"
        return True
