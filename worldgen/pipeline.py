"""The spine: one source and its specs in, variants out. Notebook, HTTP and bulk all run this.

The heavy steps are plain awaitables given by the caller, so that near (a worker thread) and far (an actor,
a Serve replica) look the same. Nothing here knows which they are, and nothing here publishes.
"""

import asyncio
import platform
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from worldgen.datatypes import (
    Candidate,
    Case,
    ControlKind,
    Failure,
    Finding,
    GenerationPlan,
    Material,
    ModelProfile,
    Outcome,
    Progress,
    Provenance,
    Source,
    Spec,
    Variant,
    Verdict,
)
from worldgen.errors import Cancelled, ExtractError, GenerationError, JudgeError, WorldgenError, boundary
from worldgen.labelling import labels_of
from worldgen.planning import (
    RetryPolicy,
    masks_of,
    needs_of,
    next_attempt,
    plan_generation,
    variant_id_of,
    words_of,
)

Extract: TypeAlias = Callable[[Source, frozenset[ControlKind]], Awaitable[Material]]
Generate: TypeAlias = Callable[[GenerationPlan], AsyncGenerator[Progress | Candidate, None]]
Judge: TypeAlias = Callable[[Case], Awaitable[Verdict]]
Report: TypeAlias = Callable[[str, Progress], None]
"""Called with a variant id and the progress of its current stage; must return at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one source's work."""

    variants_in_flight: int = 2
    """Judging one overlaps generating the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What, beside source and spec, decides a variant's id: known before anything is decoded."""

    recipe: str
    """Of the extractor, for this source and these control kinds."""
    critic: str
    code_version: str


def ignore_progress(variant_id: str, progress: Progress) -> None:
    """Report to nobody."""
    del variant_id, progress


async def make_variants(
    source: Source,
    specs: Sequence[Spec],
    *,
    profile: ModelProfile,
    identity: Identity,
    extract: Extract,
    generate: Generate,
    judge: Judge,
    policy: RetryPolicy,
    limits: Limits,
    report: Report = ignore_progress,
) -> AsyncIterator[Outcome]:
    """Yield a `Variant` or a `Failure` per spec, as each is finished.

    The order of completion never affects bytes. A failure of one spec is a value; the others go on.

    Raises:
        ExtractError: The source yields no material, so there is nothing to make variants of.
        Cancelled: Raised into the caller when a generation was told to stop.
    """
    ids = {id(spec): _id_of(source, spec, profile, identity, policy) for spec in specs}
    with boundary(ExtractError, f"extract material from {source.uri}"):
        material = await extract(source, needs_of(tuple(specs), profile))

    async def make(spec: Spec) -> Outcome:
        variant_id = ids[id(spec)]
        try:
            return await _make_variant(variant_id, spec)
        except Cancelled:
            raise
        except WorldgenError as error:
            return Failure(id=variant_id, spec=spec, code=error.code, message=error.message, hint=error.hint)

    async def _make_variant(variant_id: str, spec: Spec) -> Variant:
        plan: GenerationPlan | None = plan_generation(source, material, spec, profile, variant_id=variant_id)
        seconds = dict(material.seconds)
        earlier: list[Verdict] = []
        while plan is not None:
            used = plan
            with boundary(GenerationError, f"generate {spec.name or variant_id} with {profile.name}"):
                candidate = await _last(generate(plan), variant_id, report)
            verdict = await _judged(judge, case_of(material, candidate, plan), candidate, seconds)
            plan = None if _is_hopeless(candidate) else next_attempt(plan, verdict, policy)
            if plan is not None:
                earlier.append(verdict.model_copy(update={"observations": (), "ignore": ()}))
        seconds.update(candidate.seconds)
        return Variant(
            id=variant_id,
            spec=spec,
            candidate=candidate,
            verdict=verdict,
            labels=labels_of(
                material.labels,
                verdict,
                spec,
                rendered=candidate.rendered,
                geometry_ref=material.geometry,
                painted=profile.kind in ("diffusion", "remote"),
            ),
            provenance=_provenance(source, material, used, profile, (*earlier, verdict), identity, seconds),
        )

    async for outcome in bounded(make, specs, limits.variants_in_flight):
        yield outcome


def _id_of(source: Source, spec: Spec, profile: ModelProfile, identity: Identity, policy: RetryPolicy) -> str:
    return variant_id_of(
        source.sha256,
        identity.recipe,
        spec,
        profile,
        policy=policy,
        critic=identity.critic,
        caption=words_of(source),
        masks=masks_of(source),
    )


def _is_hopeless(candidate: Candidate) -> bool:
    """Whether another seed cannot help: the words were refused, and they stay the same."""
    return candidate.guardrail is not None and candidate.guardrail.text == "blocked"


def case_of(material: Material, candidate: Candidate, plan: GenerationPlan) -> Case:
    """Make what the critic may see: source, geometry, candidate and the asked spec; not who made it."""
    return Case(
        source=material.video,
        geometry=material.geometry,
        controls=material.controls,
        candidate=candidate.video,
        spec=plan.spec,
        condition=material.condition,
        labels=material.labels,
    )


async def bounded(
    make: Callable[[Spec], Awaitable[Outcome]], specs: Sequence[Spec], in_flight: int
) -> AsyncIterator[Outcome]:
    """Run `make` over the specs, at most `in_flight` at a time, and yield results as they finish.

    When the caller stops early or is cancelled, what is under way is cancelled and awaited, so that no
    generation outlives its job.
    """
    waiting = list(reversed(specs))
    running: set[asyncio.Task[Outcome]] = set()
    try:
        while waiting or running:
            while waiting and len(running) < max(1, in_flight):
                running.add(asyncio.ensure_future(make(waiting.pop())))
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _last(
    stream: AsyncGenerator[Progress | Candidate, None], variant_id: str, report: Report
) -> Candidate:
    """Consume a generation, reporting progress; the stream is closed however this ends."""
    candidate: Candidate | None = None
    async with aclosing(stream):
        async for event in stream:
            if isinstance(event, Progress):
                report(variant_id, event)
            else:
                candidate = event
    if candidate is None:
        message = "the world model ended without a candidate"
        raise GenerationError(message)
    return candidate


async def _judged(judge: Judge, case: Case, candidate: Candidate, seconds: dict[str, float]) -> Verdict:
    """Judge a candidate. A critic that fails gives `inconclusive`: never yes, never no."""
    if candidate.blocked:
        finding = Finding(
            check="guardrail", passed=False, value=None, threshold=None, reason=candidate.blocked
        )
        return Verdict.of((finding,), critic="guardrail")
    started = time.perf_counter()
    try:
        with boundary(JudgeError, "judge the candidate"):
            verdict = await judge(case)
    except JudgeError as error:
        finding = Finding(
            check="critic", passed=None, value=None, threshold=None, reason=f"{error.code}: {error.message}"
        )
        verdict = Verdict.of((finding,), critic="failed")
    seconds["judge"] = seconds.get("judge", 0.0) + time.perf_counter() - started
    if not candidate.findings:
        return verdict
    joined = Verdict.of((*verdict.findings, *candidate.findings)).state
    return verdict.model_copy(update={"state": joined, "findings": (*verdict.findings, *candidate.findings)})


def _provenance(
    source: Source,
    material: Material,
    plan: GenerationPlan,
    profile: ModelProfile,
    verdicts: tuple[Verdict, ...],
    identity: Identity,
    seconds: dict[str, float],
) -> Provenance:
    origins = material.geometry.origins.model_dump() if material.geometry else {}
    return Provenance(
        source_uri=source.uri,
        source_sha256=source.sha256,
        source_license=source.license,
        recipe=material.recipe,
        geometry_origins=origins,
        spec=plan.spec,
        model=plan.model,
        revision=plan.revision,
        model_note=profile.note,
        plan=plan,
        attempts=plan.attempt,
        earlier=verdicts[:-1],
        critic=verdicts[-1].critic or identity.critic,
        code_version=identity.code_version,
        machine=machine(),
        seconds={name: round(value, 4) for name, value in seconds.items()},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def machine() -> dict[str, str]:
    """Describe this machine without naming it."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "python": platform.python_version(),
    }
