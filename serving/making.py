"""Making what is missing of one job: the spine, in turns with other jobs, published as it goes."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from serving.reporting import Reporter
from serving.site import Site
from serving.store.counters import counted
from serving.store.rows import RANKS
from worldgen.assembly import Assembly, publish
from worldgen.datatypes import (
    Candidate,
    Case,
    Failure,
    GenerationPlan,
    Outcome,
    Progress,
    Source,
    Spec,
    Variant,
    Verdict,
)
from worldgen.errors import JudgeError, PublishError, ServiceError
from worldgen.media.failpoint import failpoint
from worldgen.pipeline import Limits, make_variants
from worldgen.wire import JobRequest, VariantLine

_log = logging.getLogger("worldgen.serving")


class Making:
    """Runs the spine on the replica's loop.

    Args:
        site: What all attempts of this runner share.
        job_id: Of the job.
        request: What was asked for.
        reporter: Of the attempt.
        done: Called with the number and the line of each variant that is published and told.
    """

    def __init__(
        self,
        site: Site,
        job_id: str,
        request: JobRequest,
        reporter: Reporter,
        done: Callable[[int, VariantLine], None],
    ) -> None:
        self._site = site
        self._job_id = job_id
        self._request = request
        self._reporter = reporter
        self._done = done
        self._generating = 0
        self._begun: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a variant that got its turn at the model is not published yet."""
        return bool(self._begun)

    async def make(self, source: Source, specs: tuple[Spec, ...], ids: list[str], first: int) -> None:
        """Make and publish the variants from number `first` on that are not published yet.

        Args:
            source: Of the job.
            specs: All of the job's.
            ids: Planned when the job was prepared, one per spec.
            first: Where to begin.
        """
        assembly = self._site.assembly(self._request.model)
        identity = assembly.identity(source, specs)
        wanted: dict[str, int] = {}
        for index in range(first, len(ids)):
            # The planned id first: newer code may give another one to what older code has published.
            now = assembly.variant_id(source, specs[index], identity)
            found = await asyncio.to_thread(self._published, ids[index], now)
            if found is None:
                wanted[now] = index
            else:
                await self._tell(index, found, specs[index].name)
        if not wanted:
            return
        async with aclosing(
            self._outcomes(assembly, source, {i: specs[n] for i, n in wanted.items()})
        ) as outcomes:
            async for outcome in outcomes:
                await self._publish(outcome, source)
                await self._tell(wanted[outcome.id], outcome, outcome.spec.name)
                self._begun.discard(outcome.id)

    def _published(self, *ids: str) -> Variant | None:
        catalog = self._site.catalog
        found = next((known for known in ids if catalog.find(known)), None)
        return catalog.load(found) if found else None

    def _outcomes(
        self, assembly: Assembly, source: Source, wanted: dict[str, Spec]
    ) -> AsyncGenerator[Outcome, None]:
        identity = assembly.identity(source, tuple(wanted.values()))
        return make_variants(  # type: ignore[return-value]  # an async generator, declared as an iterator
            source,
            tuple(wanted.values()),
            profile=assembly.profile,
            identity=identity,
            extract=self._site.steps.extract,
            generate=self._generate,
            judge=self._judge,
            policy=assembly.policy,
            limits=Limits(variants_in_flight=self._site.config.runner.variants_in_flight),
            report=lambda variant_id, step: self._reporter.progress(
                variant_id, wanted[variant_id].name, step
            ),
        )

    async def _generate(self, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        model = self._site.config.model_named(self._request.model).name
        # Between its stages too it is begun, or a runner that leaves would throw away what is nearly done;
        # a second try that waits for its turn is not.
        self._begun.discard(plan.variant_id)
        async with self._site.turns(model).turn(RANKS[self._request.priority]):
            self._begun.add(plan.variant_id)
            self._generating += 1
            self._reporter.state("running")
            try:
                async with aclosing(self._site.steps.generate(model, plan)) as stream:
                    async for event in stream:
                        failpoint("runner.generating")
                        yield event
            finally:
                self._generating -= 1

    async def _judge(self, case: Case) -> Verdict:
        failpoint("runner.judging")
        if self._generating == 0:
            self._reporter.state("judging")
        try:
            return await self._site.steps.judge(case)
        except JudgeError:
            if self._site.is_leaving:
                # The critic has left before us: that says nothing of the variant.
                raise asyncio.CancelledError from None
            raise

    async def _publish(self, outcome: Outcome, source: Source) -> None:
        catalog = self._site.catalog
        if isinstance(outcome, Failure):
            await asyncio.to_thread(catalog.record_failure, outcome, source)
            await self._count(outcome)
            return
        failpoint("runner.before_publish")
        try:
            published = await asyncio.to_thread(publish, catalog, outcome, source)
            if published.is_new:
                await self._count(outcome)
        except PublishError as error:
            if error.reason != "conflict":
                raise
            # Another attempt was first, on other hardware perhaps: what is there stays, and is the answer.
            _log.warning("variant %s was published by another attempt", outcome.id)
        failpoint("runner.after_publish")
        self._site.forget_candidate(outcome.candidate.video.uri)

    async def _count(self, outcome: Outcome) -> None:
        """Count an outcome for /metrics; a figure is no reason to fail a job."""
        try:
            await asyncio.to_thread(self._site.counters.add_all, counted(outcome, model=self._request.model))
        except ServiceError:
            _log.warning("job %s: an outcome was not counted", self._job_id)

    async def _tell(self, index: int, outcome: Outcome, name: str) -> None:
        line = await asyncio.to_thread(self._site.line, outcome, name)
        await self._reporter.variant(line)
        failpoint("runner.after_commit")
        self._done(index, line)
