"""Actors of a bulk job: workers that hold a model and a critic, and runners that run the spine."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from cluster.manifest import ManifestLine
from cluster.remote import ActorSteps
from worldgen.assembly import Assembly, publish, specs_of
from worldgen.catalog import Catalog
from worldgen.datatypes import (
    Candidate,
    Case,
    ControlKind,
    Failure,
    GenerationPlan,
    Material,
    Progress,
    Source,
    Verdict,
)
from worldgen.errors import WorldgenError
from worldgen.media.near import stream_in_thread
from worldgen.media.scratch import Scratch
from worldgen.pipeline import Limits, make_variants
from worldgen.sources.open import open_source


class Worker:
    """Extracts, generates and judges near, for runners in other processes.

    Args:
        model: Name of the world model.
        scratch: Folder that all actors can read.
    """

    def __init__(self, model: str, scratch: str) -> None:
        self.assembly = Assembly(Scratch(Path(scratch), shared=True), model=model)
        self._one_generation = asyncio.Lock()
        self._running: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}
        self.steps_done = 0

    async def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Extract in a worker thread."""
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
            del self._running[plan.attempt_id]
            left.set()

    async def stop(self, attempt_id: str) -> None:
        """End a generation; returns when the model has been left."""
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


class Runner:
    """Runs the spine for one source after another against shared workers.

    Args:
        model: Name of the world model, for its contract.
        scratch: Folder that all actors can read.
        out: Folder of results.
        generator: Actor handle.
        critic: Actor handle.
    """

    def __init__(self, model: str, scratch: str, out: str, generator: Any, critic: Any) -> None:  # noqa: ANN401
        self.assembly = Assembly(Scratch(Path(scratch), shared=True), model=model)
        self.catalog = Catalog(Path(out))
        self.steps = ActorSteps(generator, critic)

    async def run(self, line: ManifestLine) -> dict[str, int]:
        """Make what is missing of one source; returns counts per outcome, and how many were there."""
        counts: dict[str, int] = {}
        try:
            source = await asyncio.to_thread(
                open_source,
                Path(line.source),
                camera=line.camera,
                labels=Path(line.labels) if line.labels else None,
                calibration=Path(line.calibration) if line.calibration else None,
            )
            specs = specs_of(line.specs, seed=line.seed)
        except WorldgenError as error:
            # One bad source is a line of the result; the others go on.
            return {f"source_failed:{error.code}": 1}
        identity = self.assembly.identity(source, specs)
        missing = [
            spec
            for spec in specs
            if self.catalog.find(self.assembly.variant_id(source, spec, identity)) is None
        ]
        if len(specs) > len(missing):
            counts["made_before"] = len(specs) - len(missing)
        if not missing:
            return counts
        outcomes = make_variants(
            source,
            missing,
            profile=self.assembly.model.profile,
            identity=identity,
            extract=self.steps.extract,
            generate=self.steps.generate,
            judge=self.steps.judge,
            policy=self.assembly.policy,
            limits=Limits(),
        )
        async for outcome in outcomes:
            if isinstance(outcome, Failure):
                self.catalog.record_failure(outcome)
                key = outcome.code
            else:
                await asyncio.to_thread(publish, self.catalog, outcome, source)
                key = outcome.verdict.state
            counts[key] = counts.get(key, 0) + 1
        return counts
