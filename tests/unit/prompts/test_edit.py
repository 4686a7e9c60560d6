"""The edit of a source's caption: contradictions go, nothing comes, nothing that is there is lost."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.situations_captions import SUNNY, WET_NIGHT
from worldgen.config.specs import parse_spec, presets
from worldgen.datatypes import Condition, Spec
from worldgen.errors import SourceError
from worldgen.prompts import Caption, contradictions, edit_caption, prompt_for
from worldgen.prompts.edit import edit_text
from worldgen.prompts.mend import contradicted, mend

ALL = [spec for preset in presets().values() for spec in preset.specs]
THINGS = (
    "sedan",
    "pedestrians",
    "rain jackets",
    "van",
    "tram",
    "houses",
    "parked cars",
    "lane markings",
    "cafe",
)


def _plain(caption: Caption) -> dict[str, Any]:
    return caption.model_dump(mode="json", exclude_unset=True)


def _check(before: Caption, spec: Spec, condition: Condition | None = None) -> Caption:
    after = edit_caption(before, spec, condition)
    assert contradictions(after, spec) == ()
    old, new = _plain(before), _plain(after)
    for field in ("subjects", "actions", "segments"):
        assert len(old.get(field, [])) == len(new.get(field, [])), field
    for was, now in zip(old.get("subjects", []), new.get("subjects", []), strict=True):
        assert now["description"], was["description"]
        assert {k: v for k, v in was.items() if k.startswith("number")} == {
            k: v for k, v in now.items() if k.startswith("number")
        }
    for field, key in (("actions", "time"), ("segments", "time_range")):
        assert [row.get(key) for row in old.get(field, [])] == [row.get(key) for row in new.get(field, [])]
    for field in ("text_and_signage_elements", "cinematography", "style_medium", "resolution", "fps"):
        assert old.get(field) == new.get(field), f"{field} is never touched"
    assert edit_caption(after, spec, condition) == after, "editing twice is editing once"
    assert list(new) == [k for k in Caption.model_fields if k in new], "in the schema's order"
    return after


@pytest.mark.parametrize("before", [SUNNY, WET_NIGHT], ids=["sunny", "wet night"])
def test_every_preset_gives_a_caption_that_does_not_contradict_it(before: Caption) -> None:
    for spec in ALL:
        after = _check(before, spec)
        text = json.dumps(_plain(after)["subjects"]) + after.background_setting + after.temporal_caption
        was = json.dumps(_plain(before)["subjects"]) + before.background_setting + before.temporal_caption
        for thing in THINGS:
            assert (thing in was) == (thing in text), f"{thing}: {spec.name}"


def test_day_becomes_a_rainy_night() -> None:
    after = _check(SUNNY, parse_spec("heavy rain at night + wet road"))
    whole = after.to_json().lower()
    signs = json.dumps(_plain(after)["text_and_signage_elements"]).lower()
    for word in ("sunny", "sunlight", "sunlit", "daylight", "blue sky", "long shadows", "afternoon", "dry"):
        assert word not in whole.replace(signs[1:-1], ""), word
    assert after.lighting.conditions == "Night, heavy rain"
    assert "lamps of the vehicles that are there are lit" in after.lighting.illumination_effect.lower()
    assert "brake lights glowing red" in after.subjects[0].action, "what a vehicle signals stays"
    assert after.subjects[1].description == "Two pedestrians in rain jackets on the right sidewalk"
    assert after.temporal_caption.startswith("From the first frame to the last: night, heavy rain.")
    assert "wet" in after.background_setting


def test_daylight_turns_headlights_off_and_dries_nothing_it_was_not_asked_to() -> None:
    spec = Spec(sun_elevation_deg=50, clouds_okta=1, seed=0)
    after = _check(WET_NIGHT, spec)
    assert "headlights" not in json.dumps(_plain(after)["subjects"]).lower()
    assert after.subjects[0].description == "A black van approaching in the left lane"
    assert "no vehicle lamps but brake lights" in after.lighting.illumination_effect.lower()
    assert "wet asphalt" in after.background_setting.lower(), "the road was not asked to be dry"
    dry = _check(WET_NIGHT, Spec(wetness=0, rain_mm_h=0, sun_elevation_deg=50, clouds_okta=1, seed=0))
    assert "wet" not in dry.background_setting.lower().replace("the asphalt is dry", "")
    assert "tram" in dry.background_setting, "the clause with the rain went, the tram stayed"


def test_a_wet_road_changes_the_road_alone() -> None:
    after = _check(SUNNY, Spec(wetness=0.6, seed=0))
    assert after.lighting == SUNNY.lighting
    assert after.aesthetics == SUNNY.aesthetics
    assert "sunny day" in after.background_setting
    assert "dry" not in after.background_setting.lower()
    assert "wet" in after.background_setting


def test_a_spec_that_says_nothing_changes_nothing() -> None:
    assert edit_caption(SUNNY, Spec(seed=0)) == SUNNY


def test_what_the_spec_leaves_alone_is_taken_from_the_source() -> None:
    night = Condition(label="night", is_night=True)
    assert "Night" in edit_caption(WET_NIGHT, parse_spec("fog 80 m"), night).lighting.conditions
    assert edit_caption(SUNNY, parse_spec("fog 80 m"), Condition()).lighting.conditions.startswith(
        "Daytime, fog"
    )


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("A quiet street on an overcast day with parked cars.", "night", "A quiet street with parked cars."),
        ("The damp asphalt shines.", "dry road", "The asphalt shines."),
        ("An icy road leads past a school.", "dry road", "An icy road leads past a school."),
        ("Reflections of the overcast sky on the hood.", "clear noon", "Reflections on the hood."),
        ("Muted grays of the asphalt and overcast sky.", "clear noon", "Muted grays of the asphalt and sky."),
        ("The truck turns left while sunlight glints off its hood.", "night", "The truck turns left."),
        (
            "A man in a raincoat; fog lights and a sunroof.",
            "clear noon",
            "A man in a raincoat; fog lights and a sunroof.",
        ),
        ("A van with its headlights on waits.", "clear noon", "A van waits."),
        ("Rain is falling, and a cyclist waits.", "clear noon", "A cyclist waits."),
        ("The sky is blue with few clouds, and a bus passes.", "night", "A bus passes."),
        ("Bright, natural daylight fills the scene, with parked cars.", "night", "Parked cars."),
        ("The night bus stops.", "clear noon", "The bus stops."),
        ("The Sunday market and daily life.", "night", "The Sunday market and daily life."),
    ],
)
def test_as_little_as_possible_is_taken_out(text: str, words: str, left: str) -> None:
    assert mend(text, contradicted(parse_spec(words))) == left


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "A",
                "the",
                "sunny",
                "wet",
                "dry",
                "street",
                "road,",
                "under",
                "an",
                "overcast",
                "sky.",
                "bright",
                "sunlight",
                "and",
                "night;",
                "rain",
                "falls",
                "while",
                "cars",
                "drive",
                "in",
                "daylight",
                "with",
                "headlights",
                "on",
                ".",
                "foggy",
                "snow-covered",
                "clear",
                "blue",
                "puddles",
                "day",
                "of",
                "trees",
                ",",
                "at",
                "dusk",
            ]
        ),
        max_size=30,
    ),
    st.sampled_from(ALL),
)
def test_any_text_comes_out_without_contradiction_and_stays_so(words: list[str], spec: Spec) -> None:
    before = Caption(background_setting=" ".join(words), temporal_caption=" ".join(reversed(words)))
    _check(before, spec)
    once = edit_text(" ".join(words), spec)
    assert "\x00" not in once
    assert not re.search(r"\s{2}", once)


def test_the_publisher_s_own_captions(real_data: Path) -> None:
    folder = real_data / "specs"
    if not folder.is_dir():
        pytest.skip("no specs/ beside the real clips")
    for path in sorted(folder.glob("prompt_*.json")):
        before = Caption.parse(path.read_text())
        assert json.loads(before.to_json()) == json.loads(path.read_text()), "read and written back unchanged"
        for spec in ALL:
            after = _check(before, spec)
            kept = len(after.background_setting) / len(before.background_setting)
            assert kept > 0.85, f"{path.name} {spec.name}: {kept:.2f} of the background is left"


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", '{"subjects": 3}', '{"subjects": [{"description": {}}]}', '{"unknown": 1}', "{" * 5000,
     '{"temporal_caption": "' + "a" * 70_000 + '"}'],
)  # fmt: skip
def test_a_caption_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        prompt_for(parse_spec("fog"), style="structured", caption=text)
    assert caught.value.code == "source.bad_caption"


def test_captions_of_vision_models_are_read_leniently() -> None:
    caption = Caption.parse(
        '{"subjects": [{"description": ["a car", "parked"], "number_of_subjects": "several", "age": null}], '
        '"aspect_ratio": 1.78, "fps": 30, "tags": ["x"]}'
    )
    assert caption.subjects[0].description == "a car, parked"
    assert caption.subjects[0].number_of_subjects == "several"
    assert json.loads(caption.to_json())["tags"] == ["x"]
