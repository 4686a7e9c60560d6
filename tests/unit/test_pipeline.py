"""The spine, over plain awaitables: what it yields, what it survives, what it never does."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from worldgen.datatypes import (
    Candidate,
    Case,
    Condition,
    ControlKind,
    Failure,
    Finding,
    GenerationPlan,
    GuardrailRecord,
    Material,
    ModelProfile,
    Progress,
    Source,
    Spec,
    Variant,
    Verdict,
    VideoRef,
)
from worldgen.errors import Cancelled, ContractError, GenerationError
from worldgen.pipeline import Identity, Limits, make_variants
from worldgen.planning import RetryPolicy, check_needs

VIDEO = VideoRef(uri="clip.mp4", sha256="0" * 64, frames=9, width=64, height=36, fps=10.0)
SOURCE = Source(
    kind="video", uri="clip.mp4", sha256="0" * 64, video=VIDEO, frames=9, width=64, height=36, fps=10.0
)
PROFILE = ModelProfile(
    name="steps", revision="1", kind="fake", needs=frozenset({"rgb"}), removes=frozenset({"fog"})
)
IDENTITY = Identity(recipe="r", critic="c", code_version="0")
FOG, RAIN, NIGHT = (
    Spec(name="fog", fog_mor_m=100.0, seed=1),
    Spec(name="rain", rain_mm_h=4.0, seed=1),
    Spec(name="night", sun_elevation_deg=-20.0, seed=1),
)


class House:
    """Near steps that record what they are asked; each can be told to fail."""

    def __init__(self) -> None:
        self.extracted = 0
        self.plans: list[GenerationPlan] = []
        self.cases: list[Case] = []
        self.closed = 0
        self.break_on: dict[str, Exception] = {}
        self.verdicts: list[bool] = []
        self.pauses: dict[str, float] = {}

    async def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        self.extracted += 1
        return Material(video=source.video, geometry=None, condition=Condition(), recipe="r")

    async def generate(self, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        self.plans.append(plan)
        try:
            for step in range(1, 4):
                await asyncio.sleep(self.pauses.get(plan.spec.name, 0.0))
                yield Progress(stage="paint", step=step, steps=3)
            if plan.spec.name in self.break_on:
                raise self.break_on[plan.spec.name]
            yield Candidate(variant_id=plan.variant_id, attempt_id=plan.attempt_id, video=VIDEO)
        finally:
            self.closed += 1

    async def judge(self, case: Case) -> Verdict:
        self.cases.append(case)
        passed = self.verdicts.pop(0) if self.verdicts else True
        return Verdict.of((Finding(check="x", passed=passed, value=1.0, threshold=0.5, reason="because"),))

    async def run(self, *specs: Spec, judge=None, attempts: int = 1, in_flight: int = 2):
        seen: list[tuple[str, int]] = []
        outcomes = [
            outcome
            async for outcome in make_variants(
                SOURCE,
                specs,
                profile=PROFILE,
                identity=IDENTITY,
                extract=self.extract,
                generate=self.generate,
                judge=judge or self.judge,
                policy=RetryPolicy(max_attempts=attempts),
                limits=Limits(variants_in_flight=in_flight),
                report=lambda vid, step: seen.append((vid, step.step)),
            )
        ]
        return outcomes, seen


def test_material_is_made_once_for_all_specs() -> None:
    house = House()
    outcomes, seen = asyncio.run(house.run(FOG, RAIN, NIGHT))
    assert house.extracted == 1
    assert {o.spec.name for o in outcomes} == {"fog", "rain", "night"}
    assert len(seen) == 9


def test_a_failure_is_a_value_and_the_others_go_on() -> None:
    house = House()
    house.break_on["rain"] = ZeroDivisionError("nothing to divide")
    outcomes, _ = asyncio.run(house.run(FOG, RAIN, NIGHT))
    failures = [o for o in outcomes if isinstance(o, Failure)]
    assert [f.spec.name for f in failures] == ["rain"]
    assert failures[0].code == "generate.unexpected"
    assert "ZeroDivisionError" in failures[0].message
    assert sum(isinstance(o, Variant) for o in outcomes) == 2


def test_a_typed_error_keeps_its_code() -> None:
    house = House()
    house.break_on["fog"] = GenerationError("full", reason="out_of_memory")
    (failure,), _ = asyncio.run(house.run(FOG))
    assert failure.code == "generate.out_of_memory"


def test_order_of_completion_changes_nothing() -> None:
    slow_first, slow_last = House(), House()
    slow_first.pauses = {"fog": 0.02}
    slow_last.pauses = {"rain": 0.02}
    one, _ = asyncio.run(slow_first.run(FOG, RAIN))
    two, _ = asyncio.run(slow_last.run(FOG, RAIN))
    assert [o.spec.name for o in one] == ["rain", "fog"]
    assert [o.spec.name for o in two] == ["fog", "rain"]
    assert {o.id: o.candidate for o in one} == {o.id: o.candidate for o in two}


def test_a_rejection_is_tried_again_with_another_seed_under_the_same_id() -> None:
    house = House()
    house.verdicts = [False, True]
    (variant,), _ = asyncio.run(house.run(FOG, attempts=3))
    assert variant.verdict.accepted
    assert [p.attempt for p in house.plans] == [1, 2]
    assert house.plans[0].seed != house.plans[1].seed
    assert house.plans[0].variant_id == house.plans[1].variant_id == variant.id
    assert len(variant.provenance.earlier) == 1
    assert variant.provenance.earlier[0].state == "rejected"


def test_a_spent_rejection_is_kept() -> None:
    house = House()
    house.verdicts = [False, False]
    (variant,), _ = asyncio.run(house.run(FOG, attempts=2))
    assert variant.verdict.state == "rejected"
    assert len(house.plans) == 2


def test_a_critic_that_fails_says_neither_yes_nor_no() -> None:
    async def broken(case: Case) -> Verdict:
        raise RuntimeError("out of order")

    house = House()
    (variant,), _ = asyncio.run(house.run(FOG, judge=broken, attempts=3))
    assert variant.verdict.state == "inconclusive"
    assert variant.verdict.findings[0].passed is None
    assert len(house.plans) == 1, "only rejections are tried again"


def test_the_critic_never_sees_who_made_it() -> None:
    house = House()
    asyncio.run(house.run(FOG))
    seen = house.cases[0].model_dump_json()
    assert PROFILE.name not in seen
    assert house.plans[0].variant_id not in seen


def test_leaving_early_closes_what_is_under_way() -> None:
    house = House()
    house.pauses = {"rain": 5.0}

    async def first_only() -> None:
        variants = make_variants(
            SOURCE,
            (FOG, RAIN),
            profile=PROFILE,
            identity=IDENTITY,
            extract=house.extract,
            generate=house.generate,
            judge=house.judge,
            policy=RetryPolicy(),
            limits=Limits(variants_in_flight=2),
        )
        async for _ in variants:
            break
        await variants.aclose()

    asyncio.run(asyncio.wait_for(first_only(), 2))
    assert house.closed == 2, "the generation that was under way was not closed"


def test_a_stopped_generation_is_not_a_failure() -> None:
    house = House()
    house.break_on["fog"] = Cancelled("by somebody", reason="by_user")
    with pytest.raises(Cancelled):
        asyncio.run(house.run(FOG, RAIN))


def test_what_the_model_cannot_make_is_answered_before_any_compute() -> None:
    house = House()
    wet = Condition(is_wet=True, label="wet", origin="given")

    async def extract(source: Source, kinds: frozenset[ControlKind]) -> Material:
        return Material(video=source.video, geometry=None, condition=wet, recipe="r")

    house.extract = extract
    dry = Spec(name="dry", wetness=0.0, clouds_okta=1, seed=1)
    (failure,), _ = asyncio.run(house.run(dry))
    assert failure.code == "spec.unsupported"
    assert "wet" in failure.message
    assert not house.plans


def test_a_control_video_is_refused_by_a_model_that_repaints_rgb() -> None:
    source = SOURCE.model_copy(update={"kind": "controls", "video": None})
    with pytest.raises(ContractError, match="without RGB") as refused:
        check_needs(source, PROFILE)
    assert refused.value.code == "contract.needs"
    check_needs(source, PROFILE.model_copy(update={"needs": frozenset({"controls"})}))


def test_ids_need_no_decoding_and_follow_what_matters(tmp_path: Path) -> None:
    from worldgen.planning import variant_id_of

    def name(**changes: object) -> str:
        spec = changes.get("spec", FOG)
        profile = PROFILE.model_copy(update={"revision": changes.get("revision", "1")})
        return variant_id_of(
            str(changes.get("sha", "0" * 64)),
            str(changes.get("recipe", "r")),
            spec,
            profile,
            policy=RetryPolicy(),
            critic=str(changes.get("critic", "c")),
        )

    base = name()
    assert name(spec=FOG.model_copy(update={"name": "another name"})) == base
    others = {
        name(spec=FOG.model_copy(update={"seed": 2})),
        name(sha="1" * 64),
        name(recipe="s"),
        name(critic="d"),
        name(revision="2"),
    }
    assert base not in others
    assert len(others) == 5


@pytest.mark.parametrize(("text", "attempts"), [("blocked", 1), ("passed", 2)])
def test_a_guardrail_s_refusal_is_a_rejection_with_one_finding(text: str, attempts: int) -> None:
    """A refused prompt is not tried again, for it stays the same; refused frames are, with another seed."""
    house = House()

    async def refused(plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        house.plans.append(plan)
        nothing = VIDEO.model_copy(update={"uri": "", "frames": 0, "sha256": ""})
        record = GuardrailRecord(
            requested="cosmos", text=text, video="off" if text == "blocked" else "blocked"
        )
        yield Candidate(
            variant_id=plan.variant_id,
            attempt_id=plan.attempt_id,
            video=nothing,
            blocked="blocked by a guardrail (a reason)",
            guardrail=record,
        )

    house.generate = refused
    (variant,), _ = asyncio.run(house.run(FOG, attempts=2))
    assert isinstance(variant, Variant)
    assert variant.verdict.state == "rejected"
    assert [f.reason for f in variant.verdict.findings] == ["blocked by a guardrail (a reason)"]
    assert not house.cases, "there is nothing for the critic to see"
    assert len(house.plans) == attempts
    assert variant.candidate.guardrail is not None
    assert variant.candidate.guardrail.requested == "cosmos"
