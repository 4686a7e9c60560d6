"""The site: what all attempts of one runner share."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from serving.config import ServiceConfig
from serving.store.counters import Counters
from serving.store.jobs import JobStore
from serving.turns import Turns
from worldgen.assembly import Assembly
from worldgen.catalog import Catalog
from worldgen.datatypes import (
    Candidate,
    Case,
    ControlKind,
    Failure,
    GenerationPlan,
    Material,
    Outcome,
    Progress,
    Source,
    Verdict,
)
from worldgen.media.scratch import Scratch
from worldgen.wire import VariantLine

if TYPE_CHECKING:
    from serving.attempt import JobAttempt


class Steps(Protocol):
    """The spine's heavy steps, for several world models."""

    async def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Extract geometry and controls."""

    def generate(self, model: str, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        """Generate with a world model; closing the stream leaves the model first."""

    async def judge(self, case: Case) -> Verdict:
        """Judge a candidate."""


class Site:
    """Catalogue, store, far steps, contracts and turns.

    Args:
        config: Of the service.
        executor: Name of the runner.
        jobs: The store.
        steps: Extract, generate and judge.
        loop: Where attempts do their work.
    """

    def __init__(
        self,
        config: ServiceConfig,
        executor: str,
        jobs: JobStore,
        steps: Steps,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.config = config
        self.executor = executor
        self.incarnation = uuid.uuid4().hex
        self.jobs = jobs
        self.steps = steps
        self.loop = loop
        self.catalog = Catalog(config.out)
        self.counters = Counters(jobs.database)
        self.attempts: set[JobAttempt] = set()
        self.is_leaving = False
        scratch = Scratch(config.scratch, shared=True)
        self._assemblies = {
            model.name: Assembly(scratch, model=model.name, parameters=model.parameters, names_only=True)
            for model in config.models
        }
        self._turns = {
            model.name: Turns(model.autoscale.most if model.autoscale else model.replicas)
            for model in config.models
        }

    def assembly(self, model: str) -> Assembly:
        """Return the contract and the names of a served world model; empty: the default."""
        return self._assemblies[self.config.model_named(model).name]

    def turns(self, model: str) -> Turns:
        """Return the turns at a world model."""
        return self._turns[model]

    def line(self, outcome: Outcome, name: str) -> VariantLine:
        """Summarise an outcome for the wire."""
        if isinstance(outcome, Failure):
            state = outcome.code.partition(".")[2] if outcome.is_expected else "failed"
            message = f"{outcome.code}: {outcome.message}"
            return VariantLine(id=outcome.id, spec=name, state=state, message=message)
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

    def forget_candidate(self, uri: str) -> None:
        """Remove a published candidate from the scratch folder; the catalogue has its own copy."""
        path = Path(uri)
        if path.is_relative_to(self.config.scratch):
            path.unlink(missing_ok=True)

    async def leave(self, seconds: float) -> None:
        """Finish what is being generated and judged, begin nothing more, and leave the rest to others.

        `is_leaving` is set before, so that nobody takes a job meanwhile.

        Args:
            seconds: To wait at most; what is not finished then is stopped within a step.
        """
        for turns in self._turns.values():
            turns.close()
        end = self.loop.time() + seconds
        while any(a.is_busy for a in self.attempts) and self.loop.time() < end:  # noqa: ASYNC110 -- bounded
            await asyncio.sleep(0.1)
        for attempt in tuple(self.attempts):
            attempt.stop("leaving")
        while any(a.is_working for a in self.attempts):  # noqa: ASYNC110 -- seconds, at the end
            await asyncio.sleep(0.05)
