"""Jobs of this process: state, events and who waits for them.

The slice keeps jobs in the runner's memory; results are durable in the catalogue, so a job that is
submitted again after a restart makes only what is missing. Durable jobs are the next step.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from worldgen.wire import FINAL, JobEvent, JobRequest, JobState, JobStatus, VariantLine


class Job:
    """One job: its request, its events in order, and the task that works on it."""

    def __init__(self, request: JobRequest, variants_total: int) -> None:
        self.id = uuid.uuid4().hex
        self.request = request
        self.variants_total = variants_total
        self.created = datetime.now(UTC).isoformat(timespec="seconds")
        self.state: JobState = "queued"
        self.events: list[JobEvent] = []
        self.lines: list[VariantLine] = []
        self.error: dict[str, str] | None = None
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._latest = JobEvent(id=0, kind="state", state="queued")

    async def emit(self, event: JobEvent) -> None:
        """Append an event and wake those who wait; nothing follows a final state."""
        if self.state in FINAL and event.state != self.state:
            return
        async with self._changed:
            numbered = event.model_copy(update={"id": len(self.events) + 1})
            self.state = numbered.state
            self.events.append(numbered)
            if numbered.kind == "progress":
                self._latest = numbered
            if numbered.variant is not None:
                self.lines.append(numbered.variant)
            self._changed.notify_all()

    async def follow(self, after: int = 0) -> AsyncIterator[JobEvent]:
        """Yield the events after number `after`, as they come, to the final one."""
        position = after
        while True:
            async with self._changed:
                while len(self.events) <= position and self.state not in FINAL:
                    await self._changed.wait()
                fresh = self.events[position:]
            for event in fresh:
                yield event
            position += len(fresh)
            if self.state in FINAL and position >= len(self.events):
                return

    def status(self) -> JobStatus:
        """Summarise."""
        latest = self._latest
        return JobStatus(
            id=self.id,
            state=self.state,
            created=self.created,
            variants_total=self.variants_total,
            variants_done=len(self.lines),
            counts=dict(Counter(line.state for line in self.lines)),
            step=latest.step,
            steps=latest.steps,
            stage=latest.stage,
            seconds_left=latest.seconds_left,
            variants=tuple(self.lines),
            error=self.error,
        )
