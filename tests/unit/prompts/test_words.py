"""Specs in words."""

import pytest

from worldgen.config.specs import parse_spec, presets
from worldgen.datatypes import Spec
from worldgen.prompts import describe, negative_prompt_for, prompt_for, title_of


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("heavy rain at night + wet road", "Heavy rain at night, wet road"),
        ("fog", "Fog"),
        ("dense fog at dusk", "Dense fog at dusk"),
        ("clear night", "Clear sky at night"),
        ("night", "Night"),
        ("golden hour", "Low sun"),
        ("snow + dusk", "Snowfall at dusk, snow-covered ground"),
        ("dust storm", "A dust storm"),
        ("sand", "Sand drifted over the road"),
        ("exposure -2 stops", "2 stops darker"),
        ("dry road", "Dry road"),
    ],
)
def test_titles_for_people(asked: str, title: str) -> None:
    assert title_of(parse_spec(asked)) == title


def test_a_description_says_the_numbers() -> None:
    assert describe(parse_spec("fog 80 m")) == "fog with 80 m visibility"
    assert describe(parse_spec("night")) == "night (sun at -18 degrees)"
    assert describe(Spec(seed=1)) == "the scene as it is"
    assert "drops on the lens" in describe(parse_spec("rain"))


def test_words_agree_with_the_levels_they_came_from() -> None:
    for level in ("light rain", "heavy rain", "very heavy rain", "light fog", "dense fog", "mist", "drizzle"):
        assert describe(parse_spec(level)).startswith(level)


def test_prompts_keep_the_scene_and_do_not_contradict_themselves() -> None:
    for preset in presets().values():
        for spec in preset.specs:
            prompt, negative = prompt_for(spec), negative_prompt_for(spec)
            assert describe(spec) in prompt
            assert "lane markings" in prompt
            assert "extra objects" in negative
            night = spec.sun_elevation_deg is not None and spec.sun_elevation_deg < -6
            assert ("headlights" in prompt) == (night or spec.headlights != "auto")
            assert ("daylight" in negative) == night
            assert prompt == prompt_for(spec.model_copy(update={"name": "other", "seed": 5}))
