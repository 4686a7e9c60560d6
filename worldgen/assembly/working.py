"""The worker: the near steps as one object, for a process of its own. Plain; runners wrap it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from worldgen.assembly.wiring import Assembly
from worldgen.datatypes import (
    Candidate,
    Case,
    ControlKind,
    GenerationPlan,
    Material,
    Progress,
    Source,
    Verdict,
)
from worldgen.media.near import stream_in_thread
from worldgen.media.scratch import Scratch


class Worker:
    """Extracts, generates and judges near, for runners in other processes.

    Args:
        model: Name of the world model.
        scratch: Folder that all processes of this machine can read.
        parameters: Of the model, in place of its own.
        cache_bytes: Bound of the decoded clips and geometry that it keeps in memory.
    """

    def __init__(
        self,
        model: str,
        scratch: str,
        parameters: Mapping[str, float | int | str | bool] | None = None,
        *,
        cache_bytes: int = 1 << 30,
    ) -> None:
        kept = Scratch(Path(scratch), shared=True, max_bytes=cache_bytes)
        self.assembly = Assembly(kept, model=model, parameters=parameters)
        self.steps_done = 0
        self._one_generation = asyncio.Lock()
        self._running: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}

    async def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Extract in a worker thread, so that health checks are answered meanwhile."""
        return await self.assembly.extract(source, kinds)

    async def generate(self, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        """Stream a generation; one at a time; `stop` ends it within one step."""
        stopped, left = asyncio.Event(), asyncio.Event()
        self._running[plan.attempt_id] = (stopped, left)
        try:
            async with self._one_generation:
                stream = stream_in_thread(self.assembly.model.generate, plan)
                try:
                    async for event in stream:
                        if stopped.is_set():
                            return
                        self.steps_done += 1
                        yield event
                finally:
                    await stream.aclose()
        finally:
            self._running.pop(plan.attempt_id, None)
            left.set()

    async def stop(self, attempt_id: str) -> None:
        """End a generation; returns when the model has been left, so that no event and no file follows."""
        if attempt_id in self._running:
            stopped, left = self._running[attempt_id]
            stopped.set()
            await left.wait()

    async def judge(self, case: Case) -> Verdict:
        """Judge in a worker thread."""
        return await self.assembly.judge(case)

    async def counted(self) -> int:
        """Say how many events were streamed, for tests and for people."""
        return self.steps_done

    def check_health(self) -> None:
        """Answer a health check: assembled means ready."""
