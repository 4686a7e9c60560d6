"""Each check: an honest variant passes, a planted defect fails, at the right place."""

import numpy as np
import pytest

from tests import situations_critic as situations
from worldgen.critic.build import build_critic
from worldgen.critic.critic import MeasuredCritic
from worldgen.critic.thresholds import Thresholds
from worldgen.datatypes import Case, Finding, Verdict
from worldgen.errors import ConfigError, JudgeError
from worldgen.media.scratch import Scratch


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Scratch:
    return situations.new_scratch(tmp_path_factory.mktemp("critic"))


@pytest.fixture(scope="module")
def critic(scratch) -> MeasuredCritic:
    return build_critic(scratch)


def failed(verdict: Verdict) -> list[Finding]:
    return [f for f in verdict.findings if f.passed is False]


@pytest.mark.parametrize("spec", [situations.FOG, situations.NIGHT], ids=["fog", "night"])
def test_physics_of_an_asked_condition_is_not_rejected(critic, scratch, spec):
    verdict = critic.judge(situations.case_of(scratch, situations.weathered(spec), spec))
    assert not failed(verdict), failed(verdict)


def test_grading_is_not_rejected(critic, scratch):
    graded = (255 * (situations.drive().clip.frames / 255.0) ** 1.1 * 0.97).round().astype(np.uint8)
    verdict = critic.judge(situations.case_of(scratch, graded, None))
    assert not failed(verdict), failed(verdict)


@pytest.mark.parametrize("name", sorted(situations.DEFECTS))
def test_a_planted_defect_is_found_by_its_check(critic, scratch, name):
    plant, check = situations.DEFECTS[name]
    verdict = critic.judge(situations.case_of(scratch, plant(situations.drive().clip.frames), None))
    assert verdict.state == "rejected"
    assert any(f.check.startswith(check) for f in failed(verdict)), failed(verdict)


def test_a_defect_is_found_under_fog_and_without_geometry(critic, scratch):
    frames = situations.inserted(situations.weathered(situations.FOG))
    verdict = critic.judge(situations.case_of(scratch, frames, situations.FOG, geometry=False))
    assert any(f.check.startswith("structure.") for f in failed(verdict))


def test_an_inserted_thing_is_named_with_its_place(critic, scratch):
    verdict = critic.judge(
        situations.case_of(scratch, situations.inserted(situations.drive().clip.frames), None)
    )
    finding = next(f for f in failed(verdict) if f.check == "structure.new")
    box = finding.places[0].box2d
    assert box is not None
    assert box.left < 150
    assert box.right > 110
    assert box.top < 115
    assert box.bottom > 80


def test_a_copy_of_the_source_is_rejected_where_a_change_was_asked(critic, scratch):
    verdict = critic.judge(situations.case_of(scratch, situations.drive().clip.frames, situations.FOG))
    assert {"technical.copy", "condition.visible"} <= {f.check for f in failed(verdict)}


def test_the_right_file_for_another_condition_is_rejected(critic, scratch):
    verdict = critic.judge(
        situations.case_of(scratch, situations.weathered(situations.NIGHT), situations.FOG)
    )
    assert {"condition.visible", "condition.named"} & {f.check for f in failed(verdict)}
    verdict = critic.judge(
        situations.case_of(scratch, situations.weathered(situations.FOG), situations.NIGHT)
    )
    assert {"condition.visible", "condition.named"} & {f.check for f in failed(verdict)}


def test_fog_on_one_half_is_rejected(critic, scratch):
    frames = situations.half(situations.weathered(situations.FOG))
    verdict = critic.judge(situations.case_of(scratch, frames, situations.FOG))
    assert verdict.state == "rejected"


def test_another_number_of_frames_ends_the_judgement(critic, scratch):
    verdict = critic.judge(situations.case_of(scratch, situations.drive().clip.frames[:-2], None))
    assert [f.check for f in failed(verdict)] == ["technical.frame_count"]


def test_boxes_beside_their_objects_are_found(critic, scratch):
    d = situations.drive()
    good = critic.judge(situations.case_of(scratch, d.clip.frames, None, labels=d.labels))
    assert next(f for f in good.findings if f.check == "labels.boxes").passed is True
    moved = tuple(
        f.model_copy(
            update={
                "objects": tuple(
                    o.model_copy(
                        update={
                            "box2d": o.box2d.model_copy(
                                update={
                                    "left": o.box2d.left + o.box2d.width,
                                    "right": o.box2d.right + o.box2d.width,
                                }
                            )
                        }
                    )
                    for o in f.objects
                )
            }
        )
        for f in d.labels.frames
    )
    bad = critic.judge(
        situations.case_of(scratch, d.clip.frames, None, labels=d.labels.model_copy(update={"frames": moved}))
    )
    assert next(f for f in bad.findings if f.check == "labels.boxes").passed is False


def test_every_labelled_object_is_observed(critic, scratch):
    d = situations.drive()
    verdict = critic.judge(
        situations.case_of(scratch, situations.weathered(situations.FOG), situations.FOG, labels=d.labels)
    )
    asked = {(o.id, f.frame) for f in d.labels.frames for o in f.objects}
    assert {(o.object_id, o.frame) for o in verdict.observations} == asked
    through = [
        o.visibility.transmission for o in verdict.observations if o.visibility.transmission is not None
    ]
    assert through
    assert all(0 <= t <= 1 for t in through)


def test_a_deadline_is_an_error_and_never_a_verdict(scratch):
    hurried = build_critic(scratch, Thresholds(deadline_seconds=0.0))
    with pytest.raises(JudgeError) as caught:
        hurried.judge(situations.case_of(scratch, situations.drive().clip.frames, None))
    assert caught.value.code == "judge.timeout"


def test_an_unknown_threshold_file_is_a_typed_error(scratch):
    with pytest.raises(ConfigError):
        build_critic(scratch, "no_such_file")


def test_without_a_source_only_technique_is_judged(critic, scratch):
    case = situations.case_of(scratch, situations.drive().clip.frames, None)
    verdict = critic.judge(case.model_copy(update={"source": None}))
    assert verdict.state == "accepted"
    assert all(f.check.startswith("technical.") for f in verdict.findings)


def test_a_case_is_judged_from_files_alone(critic, scratch):
    case = situations.case_of(scratch, situations.weathered(situations.FOG), situations.FOG)
    again = Case.model_validate_json(case.model_dump_json())
    assert critic.judge(again).state == critic.judge(case).state
