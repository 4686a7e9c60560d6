"""What a plan says to a world model that reads text, and which control maps it follows."""

import json

import pytest

from tests.situations_captions import SUNNY
from worldgen.config.specs import parse_spec
from worldgen.datatypes import (
    CONTROL_KINDS,
    Box2d,
    Condition,
    ControlKind,
    ControlRef,
    FrameLabels,
    Labels,
    Material,
    ModelProfile,
    ObjectLabel,
    Source,
    Spec,
    VideoRef,
)
from worldgen.planning import RetryPolicy, needs_of, plan_generation, variant_id_of, words_of

VIDEO = VideoRef(uri="a.mp4", sha256="0" * 64, frames=40, width=1920, height=1080, fps=10.0, size_bytes=1)
MATERIAL = Material(
    video=VIDEO,
    geometry=None,
    controls=tuple(ControlRef(kind=kind, video=VIDEO, origin="estimated") for kind in CONTROL_KINDS),
    condition=Condition(label="clear", origin="given", has_hard_shadows=True),
    recipe="r",
)


def _source(**changes: object) -> Source:
    fields = {
        "kind": "video",
        "uri": "a.mp4",
        "sha256": "0" * 64,
        "video": VIDEO,
        "frames": 40,
        "width": 1920,
    }
    return Source.model_validate(fields | {"height": 1080, "fps": 10.0} | changes)


def _profile(**changes: object) -> ModelProfile:
    fields = {
        "name": "reader",
        "revision": "1",
        "kind": "diffusion",
        "needs": {"controls"},
        "control_kinds": set(CONTROL_KINDS),
        "default_controls": ("edge", "blur"),
        "frame_step": 4,
        "frame_offset": 1,
        "sizes": ((1280, 720),),
        "removes": {"wet", "fog", "snow", "night", "shadows", "rain", "clouds", "dusk", "low_sun"},
        "parameters": {"prompt_style": "structured"},
    }
    return ModelProfile.model_validate(fields | changes)


def test_the_source_s_caption_reaches_the_plan_edited_and_in_the_model_s_format() -> None:
    source = _source(caption=SUNNY.to_json())
    plan = plan_generation(source, MATERIAL, parse_spec("night"), _profile(), variant_id="v")
    said = json.loads(plan.prompt)
    assert said["subjects"][0]["description"] == "A silver sedan driving ahead in the same lane"
    assert said["lighting"]["conditions"].startswith("Night")
    assert said["resolution"] == {"W": 1280, "H": 720}
    assert (said["duration"], said["fps"]) == ("4s", 10), "41 padded frames at 10 a second"
    assert json.loads(plan.negative_prompt)["lighting"]
    plain = plan_generation(
        source, MATERIAL, parse_spec("night"), _profile(parameters={"prompt_style": "plain"}), variant_id="v"
    )
    assert plain.parameters["prompt_style"] == "plain", "provenance tells it"
    assert "silver sedan" in plain.prompt
    assert not plain.prompt.startswith("{")


def test_physics_reads_no_text() -> None:
    profile = _profile(kind="physics", needs={"rgb"})
    plan = plan_generation(
        _source(caption="a street"), MATERIAL, parse_spec("night"), profile, variant_id="v"
    )
    assert (plan.prompt, plan.negative_prompt) == ("", "")


@pytest.mark.parametrize(
    ("words", "own", "kinds"),
    [
        ("night", ("edge", "blur"), {"edge"}),
        ("dusk", ("edge", "blur", "seg"), {"edge", "seg"}),
        ("night", ("blur",), {"edge"}),
        ("fog", ("edge", "blur"), {"edge", "blur"}),
        ("clear noon", ("blur",), {"blur"}),
    ],
)
def test_after_dark_blur_is_left_out_because_it_keeps_the_light(
    words: str, own: tuple[ControlKind, ...], kinds: set[ControlKind]
) -> None:
    profile, spec = _profile(default_controls=own), parse_spec(words)
    assert needs_of((spec,), profile) == kinds
    material = MATERIAL.model_copy(update={"condition": Condition(label="overcast")})
    plan = plan_generation(_source(), material, spec, profile, variant_id="v")
    assert {c.kind for c in plan.controls} == kinds
    assert set(plan.control_weights) == kinds


def test_who_weighs_blur_by_hand_gets_it() -> None:
    spec = parse_spec("night").model_copy(update={"control_weights": {"blur": 0.2, "edge": 1.0, "seg": 0.0}})
    plan = plan_generation(_source(), MATERIAL, spec, _profile(), variant_id="v")
    assert plan.control_weights == {"blur": 0.2, "edge": 1.0}


def test_one_spec_s_own_weights_do_not_take_the_controls_of_the_others() -> None:
    weighed = parse_spec("fog").model_copy(update={"control_weights": {"depth": 1.0}})
    assert needs_of((weighed, parse_spec("rain")), _profile()) == {"depth", "edge", "blur"}


def test_the_directive_to_follow_the_controls_is_a_setting() -> None:
    asked = _profile(parameters={"emphasize_control_in_prompt": True})
    plan = plan_generation(_source(), MATERIAL, parse_spec("fog"), asked, variant_id="v")
    assert plan.prompt.endswith("in every frame.")
    assert "edge and blur control video" in plan.prompt


def test_a_caption_is_part_of_the_identity_where_it_is_read() -> None:
    def name(profile: ModelProfile, **changes: object) -> str:
        source = _source(**changes)
        return variant_id_of(
            source.sha256,
            "r",
            Spec(seed=0),
            profile,
            policy=RetryPolicy(),
            critic="c",
            caption=words_of(source),
        )

    box = Box2d(left=0, top=0, right=500, bottom=700)
    thing = ObjectLabel(id=1, category="car", box2d=box)
    labels = Labels(width=1920, height=1080, frames=(FrameLabels(frame=0, objects=(thing,)),))
    reader, physics = _profile(), _profile(kind="physics")
    assert name(reader) != name(reader, caption="a street")
    assert name(reader) != name(reader, labels=labels)
    assert name(physics) == name(physics, caption="a street", labels=labels)
