"""Presets: every file is valid, and asks for what its name says."""

import pytest

from worldgen.config import find_configs
from worldgen.config.phrases import impossible
from worldgen.config.presets import find_preset, presets
from worldgen.datatypes import Condition, ModelProfile, Spec
from worldgen.errors import SpecError
from worldgen.planning import check_transition
from worldgen.prompts import describe, title_of

PHYSICS = ModelProfile(name="physics", revision="1", kind="physics", needs=frozenset({"rgb", "geometry"}))


def test_every_file_is_a_preset_with_distinct_names_and_variants() -> None:
    ready = presets()
    assert set(ready) == {p.stem for p in (find_configs() / "specs").glob("*.yaml")}
    for preset in ready.values():
        assert preset.title
        assert preset.description
        assert len({s.name for s in preset.specs}) == len(preset.specs) > 0, preset.name
        assert len({s.identity for s in preset.specs}) == len(preset.specs), preset.name
        for spec in preset.specs:
            assert not impossible(spec)
            assert spec == Spec.model_validate(spec.model_dump())
            assert describe(spec) != "the scene as it is"
            assert title_of(spec)[0].isupper()


def test_sizes_are_those_of_their_sources() -> None:
    sizes = {name: len(preset.specs) for name, preset in presets().items()}
    assert (sizes["carla18"], sizes["cosmos_drive_dreams"], sizes["nine"]) == (18, 7, 9)


def test_the_nine_ask_for_the_nine() -> None:
    assert [s.asks_for for s in presets()["nine"].specs] == [s.name for s in presets()["nine"].specs]


def test_carla18_asks_for_the_classes_it_is_named_after() -> None:
    asked = {s.name: s.asks_for for s in presets()["carla18"].specs}
    assert asked == {
        "clear_sky": "clear", "overcast": "overcast", "snow_falling": "snow", "raining": "rain", "fog": "fog",
        "sunrise": "low_sun", "sunset": "low_sun", "golden_hour": "low_sun", "twilight": "dusk", "blue_hour": "dusk",
        "mid_morning": "clear", "afternoon": "clear", "zenith": "clear", "night": "night",
        "dry": None, "snow": "snow", "sand": None, "puddles": "wet",
    }  # fmt: skip


def answers(condition: Condition) -> dict[str, str]:
    found = {}
    for spec in presets()["carla18"].specs:
        try:
            check_transition(spec, condition, PHYSICS)
            found[spec.name] = "made"
        except SpecError as exc:
            found[spec.name] = exc.reason
    return found


def test_carla18_on_a_clear_day_is_honest() -> None:
    found = answers(Condition(label="clear", has_hard_shadows=True))
    same = {"clear_sky", "mid_morning", "afternoon", "zenith", "dry"}
    assert {name for name, answer in found.items() if answer == "no_change"} == same
    assert {answer for name, answer in found.items() if name not in same} == {"made"}


def test_carla18_on_an_overcast_day_is_honest() -> None:
    found = answers(Condition(label="overcast"))
    assert found["clear_sky"] == "unsupported"
    assert {n for n, a in found.items() if a == "no_change"} == {
        "overcast",
        "mid_morning",
        "afternoon",
        "zenith",
        "dry",
    }


def test_carla18_at_night_in_the_rain_is_honest() -> None:
    found = answers(Condition(label="night", is_night=True, is_wet=True, is_precipitating=True))
    day = {"sunrise", "sunset", "twilight", "mid_morning", "afternoon", "zenith", "golden_hour", "blue_hour"}
    assert {n for n, a in found.items() if a == "unsupported"} == day | {"dry", "clear_sky", "snow_falling"}
    assert {n for n, a in found.items() if a == "no_change"} == {"night", "overcast"}


def test_the_matrix_is_complete_and_what_is_left_out_has_a_reason() -> None:
    matrix = presets()["matrix"]
    assert len(matrix.specs) + len(matrix.excluded) == 6 * 4 * 5
    assert all(reason for _, reason in matrix.excluded)
    for spec in matrix.specs:
        assert not (spec.rain_mm_h and (spec.wetness or 0) < 0.1), spec.name
        assert not (spec.asks_for == "low_sun" and (spec.clouds_okta or 0) > 4), spec.name
        assert not (spec.snow_mm_h and spec.sand_cover), spec.name
    kept = {s.name for s in matrix.specs}
    assert "heavy_rain__night__puddles" in kept
    assert "snow__dusk__snow_on_the_road" in kept
    assert "clear__low_sun__wet_road" in kept
    assert {s.asks_for for s in matrix.specs} >= {
        "clear",
        "overcast",
        "fog",
        "rain",
        "snow",
        "low_sun",
        "dusk",
        "night",
        "wet",
    }


def test_ladders_go_one_way_in_one_field() -> None:
    fog = find_preset("stress_fog")
    assert fog.ladder_field == "fog_mor_m"
    reach = [s.fog_mor_m or 0 for s in fog.specs]
    assert (reach[0], reach[-1]) == (1000, 50)
    assert reach == sorted(reach, reverse=True)
    rain = [s.rain_mm_h or 0 for s in find_preset("stress_rain").specs]
    assert rain == sorted(rain)
    dark = [s.sun_elevation_deg or 0 for s in find_preset("stress_darkness").specs]
    assert dark == sorted(dark, reverse=True)


def test_the_seed_reaches_every_spec_and_an_unknown_preset_is_told_apart() -> None:
    assert {s.seed for s in presets(seed=11)["carla18"].specs} == {11}
    assert find_preset("Carla18").name == "carla18"
    with pytest.raises(SpecError) as caught:
        find_preset("carla81")
    assert caught.value.reason == "not_found"
    assert "carla18" in caught.value.message
