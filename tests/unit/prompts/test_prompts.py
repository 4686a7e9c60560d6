"""What world models read: structured and plain, positive and negative, with and without a caption."""

import json

import pytest

from tests.situations_captions import SUNNY, WET_NIGHT
from worldgen.config.specs import parse_spec, presets
from worldgen.datatypes import Box2d, Condition, FrameLabels, Labels, ObjectLabel, Spec
from worldgen.prompts import (
    Caption,
    Shot,
    blocked_words,
    contradictions,
    emphasis_on,
    negative_prompt_for,
    prompt_for,
)
from worldgen.prompts.blocked import risky_words
from worldgen.prompts.edit import edit_text

ALL = [spec for preset in presets().values() for spec in preset.specs]
SHOT = Shot(width=1280, height=720, frames=121, fps=30.0)


def test_a_structured_prompt_has_the_schema_s_fields_and_the_shot_s_format() -> None:
    for spec in ALL:
        values = json.loads(prompt_for(spec, style="structured", shot=SHOT))
        assert list(values) == [k for k in Caption.model_fields if k in values]
        assert values["resolution"] == {"W": 1280, "H": 720}
        assert (values["aspect_ratio"], values["duration"], values["fps"]) == ("16,9", "4s", 30)
        assert values["temporal_caption"]
        assert not contradictions(Caption.parse(json.dumps(values)), spec)
        assert set(values["lighting"]) <= {"conditions", "direction", "shadows", "illumination_effect"}


@pytest.mark.parametrize(
    ("size", "ratio"),
    [((832, 480), "16,9"), ((1280, 704), "16,9"), ((640, 480), "4,3"), ((704, 1280), "9,16")],
)
def test_the_nearest_known_aspect_ratio(size: tuple[int, int], ratio: str) -> None:
    assert Shot(width=size[0], height=size[1], frames=10, fps=10).aspect_ratio == ratio


def test_prompts_name_no_thing_that_might_not_be_there() -> None:
    """Without a caption or labels nothing is known of the scene but that it is a drive."""
    night = prompt_for(parse_spec("night"), style="structured")
    assert "that the scene has" in night
    for spec in ALL:
        values = json.loads(prompt_for(spec, style="structured"))
        assert values["subjects"] == []
        for word in ("pedestrian", "truck", "bus", "neon", "skyscraper", "bridge"):
            assert word not in json.dumps(values).lower()


def test_labels_name_the_subjects() -> None:
    def thing(number: int, category: str, left: float, top: float, size: float) -> ObjectLabel:
        box = Box2d(left=left, top=top, right=left + size, bottom=top + size)
        return ObjectLabel(id=number, category=category, box2d=box)

    frames = (
        FrameLabels(frame=0, objects=(thing(1, "car", 500, 350, 200), thing(2, "pedestrian", 50, 380, 60))),
        FrameLabels(frame=1, objects=(thing(1, "car", 480, 340, 260), thing(3, "pedestrian", 80, 380, 60))),
        FrameLabels(frame=2, objects=(thing(4, "other", 0, 0, 300), thing(5, "car", 600, 300, 4))),
    )
    labels = Labels(width=1280, height=720, frames=frames)
    values = json.loads(prompt_for(parse_spec("fog"), style="structured", labels=labels))
    assert [(s["description"], s["location"], s["number_of_subjects"]) for s in values["subjects"]] == [
        ("A car", "Center foreground", 1),
        ("2 pedestrians", "Left midground", 2),
    ]


def test_a_caption_in_words_is_edited_and_kept() -> None:
    said = "A sunny street with a red tram. Two cyclists wait in bright daylight."
    assert edit_text(said, parse_spec("night")).count("tram") == 1
    for style in ("plain", "structured"):
        prompt = prompt_for(parse_spec("night"), style=style, caption=said)
        assert "red tram" in prompt
        assert "Two cyclists wait" in prompt
        assert "sunny" not in prompt
        assert "daylight" not in prompt


def test_a_structured_caption_serves_models_that_read_a_paragraph() -> None:
    prompt = prompt_for(parse_spec("heavy rain at night"), caption=SUNNY.to_json())
    assert "silver sedan" in prompt
    assert "cafe with a striped awning" in prompt
    assert "sunny" not in prompt.lower()
    assert "{" not in prompt
    long = SUNNY.model_copy(update={"background_setting": "A house stands there. " * 400})
    assert len(prompt_for(parse_spec("fog"), caption=long.to_json()).split()) < 400


def test_the_user_s_own_prompt_is_taken_as_it_is() -> None:
    spec = parse_spec("fog").model_copy(update={"prompt": "just this"})
    assert prompt_for(spec, style="structured", caption=SUNNY.to_json()) == "just this"
    assert spec.identity != parse_spec("fog").identity


def test_negative_prompts_say_what_contradicts() -> None:
    night = json.loads(negative_prompt_for(parse_spec("night"), style="structured"))
    assert "daylight" in night["lighting"]["conditions"]
    assert "night" not in json.dumps(night).lower()
    assert "dry road" in negative_prompt_for(parse_spec("wet road"))
    assert "wet road" in negative_prompt_for(Spec(wetness=0, seed=0))
    for spec in ALL:
        Caption.parse(negative_prompt_for(spec, style="structured"))


def test_no_shipped_prompt_trips_the_guardrail_s_list() -> None:
    """The publisher's own negative prompt did, with "bleeding" and "lifeless" (NVIDIA/TensorRT-LLM#17523)."""
    shipped = [emphasis_on(("edge", "blur", "depth", "seg", "wsm"))]
    for spec in [*ALL, Spec(seed=0)]:
        for style in ("plain", "structured"):
            shipped += [negative_prompt_for(spec, style=style), prompt_for(spec, style=style, shot=SHOT)]
            shipped += [prompt_for(spec, style=style, caption=c.to_json()) for c in (SUNNY, WET_NIGHT)]
            shipped += [prompt_for(spec, style=style, condition=Condition(label="night", is_night=True))]
    assert len(shipped) > 500
    assert [t for t in shipped if not t] == []
    assert {word for text in shipped for word in risky_words(text)} == set()


@pytest.mark.parametrize(
    "text",
    [
        "color bleeding between elements",
        "a LIFELESS street",
        "an x-box",
        "a robot at a desk in the hall",
        "it bleeds",
    ],
)
def test_the_check_sees_words_as_the_guardrail_does(text: str) -> None:
    assert risky_words(text)


def test_harmless_words_pass_the_check() -> None:
    assert blocked_words("vehicles bleed past") == ()
    assert blocked_words("A truck passes the houses; the hood shines, diesel smoke, dyed shirts.") == ()
