"""Specs from words: what is understood, and what a person is told when it is not."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgen.config.phrases import impossible
from worldgen.config.specs import known_words, load_specs, parse_spec, parse_specs, slug
from worldgen.config.words import VOCABULARY, WORDS, aliases_of
from worldgen.datatypes import Spec
from worldgen.errors import SpecError


def only(text: str) -> Spec:
    (spec,) = parse_specs(text)
    return spec


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("fog", {"fog_mor_m": 100}),
        ("dense fog", {"fog_mor_m": 40}),
        ("fog 50 m", {"fog_mor_m": 50}),
        ("fog=80m", {"fog_mor_m": 80}),
        ("Fog: 1.5 km", {"fog_mor_m": 1500}),
        ("fog of 80 m", {"fog_mor_m": 80}),
        ("fog (80 m)", {"fog_mor_m": 80}),
        ("80 m fog", {"fog_mor_m": 80}),
        ("fog with 80 m visibility", {"fog_mor_m": 80}),
        ("dense fog 45 m", {"fog_mor_m": 45}),
        ("sun at -4 degrees", {"sun_elevation_deg": -4}),
        ("visibility 300 meters", {"fog_mor_m": 300}),
        ("fog_mor_m=75", {"fog_mor_m": 75}),
        ("sunset", {"sun_elevation_deg": 1.5, "sun_azimuth_deg": -15}),
        ("wet road", {"wetness": 0.6}),
        ("puddles on the road", {"wetness": 0.85}),
        ("sand", {"sand_cover": 0.6}),
        ("dust storm", {"dust_mor_m": 50}),
        ("night + fog", {"sun_elevation_deg": -18, "fog_mor_m": 100}),
        ("fog at night", {"sun_elevation_deg": -18, "fog_mor_m": 100}),
        ("sun -4 deg", {"sun_elevation_deg": -4}),
        ("6 oktas", {"clouds_okta": 6}),
        ("exposure -2 stops", {"exposure_stops": -2}),
        ("dawn/dusk", {"sun_elevation_deg": -3}),
        ("partly_cloudy", {"clouds_okta": 4}),
        ("mid-morning", {"sun_elevation_deg": 30}),
        ("snow cover 40%", {"snow_cover": 0.4}),
    ],
)
def test_words_and_quantities(text: str, fields: dict[str, float]) -> None:
    assert only(text).changes == fields


def test_rain_brings_its_wet_road_and_a_word_of_ones_own_wins() -> None:
    assert only("rain 5 mm/h").changes == {
        "rain_mm_h": 5, "wetness": 0.64, "spray": 0.406, "lens_drops": 0.34, "clouds_okta": 8,
    }  # fmt: skip
    assert only("heavy rain, ").wetness == 0.85
    assert only("heavy rain + wetness=0.3").wetness == 0.3
    assert only("rain_mm_h=12").changes == {"rain_mm_h": 12}, "a bare field brings nothing with it"


def test_levels_lie_in_the_bins_they_are_named_after() -> None:
    bins = {
        "light rain": (0.5, 1.9),
        "rain": (1.9, 8.1),
        "heavy rain": (8.1, 34),
        "very heavy rain": (34, 149),
    }
    for word, (low, high) in bins.items():
        assert low <= (only(word).rain_mm_h or 0) < high
    for word, (low, high) in {
        "dense fog": (5, 50),
        "fog": (50, 200),
        "light fog": (200, 1000),
        "mist": (1000, 2000),
    }.items():
        assert low <= (only(word).fog_mor_m or 0) < high


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("raining", "rain"), ("snow_falling", "snow"), ("clear_sky", "clear"), ("golden_hour", "low_sun"),
        ("blue_hour", "dusk"), ("twilight", "dusk"), ("foggy", "fog"), ("rainy", "rain"), ("daytime", "clear"),
        ("partly cloudy", "clear"), ("overcast", "overcast"), ("flooding", "wet"), ("heavy rain at night", "night"),
        ("fog at dusk", "fog"), ("dust", "fog"), ("snow on the road", "snow"), ("drizzle", "overcast"),
        ("dry", None), ("sand", None), ("exposure -1 stop", None),
    ],
)  # fmt: skip
def test_what_others_call_conditions_and_the_class_they_ask_for(text: str, label: str | None) -> None:
    assert only(text).asks_for == label


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ("fogg", "unknown_word", "did you mean"),
        ("heavy rian at night", "unknown_word", "'rian'"),
        ("quux", "unknown_word", "unknown condition 'quux'"),
        ("", "unknown_word", "no condition"),
        ("fog 2 m", "out_of_range", "greater than or equal to 5"),
        ("rain 900 mm/h", "out_of_range", "rain_mm_h"),
        ("day night", "impossible", "two things about sun_elevation_deg"),
        ("light rain heavy rain", "impossible", "two things about rain_mm_h"),
        ("clear rain", "impossible", "clouds_okta"),
        ("rain on dry road", "impossible", "rain wets the road"),
        ("dense fog in clear weather", "impossible", "clear sky"),
        ("fog + dust", "impossible", "exclude"),
        ("night without headlights", "impossible", "headlights"),
    ],
)
def test_what_cannot_be_is_a_typed_error(text: str, reason: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_specs(text)
    assert caught.value.reason == reason
    assert said in caught.value.message
    assert caught.value.exit_code == 2


def test_an_unknown_word_lists_every_word_that_is_known() -> None:
    with pytest.raises(SpecError) as caught:
        parse_specs("wobbly")
    assert all(word in caught.value.hint for word in WORDS)
    assert "fog 80 m" in caught.value.hint


def test_every_word_alone_is_a_valid_spec_and_stands_in_the_list() -> None:
    for word in VOCABULARY:
        spec = parse_spec(word, seed=7)
        assert spec.seed == 7
        assert spec.changes or spec.headlights != "auto"
        assert not impossible(spec)
        assert spec.name == slug(word)
    for word in WORDS:
        assert word in known_words()
        for alias in aliases_of(word):
            assert parse_spec(alias).identity == parse_spec(word).identity


def test_names_are_safe_and_one_list_has_each_variant_once() -> None:
    assert [s.name for s in parse_specs("fog, Heavy rain at night; fog=80m\nexposure -1.5 stops")] == [
        "fog", "heavy_rain_at_night", "fog_80m", "exposure_minus_1p5_stops",
    ]  # fmt: skip
    assert [s.name for s in parse_specs("fog, foggy, fog 100 m")] == ["fog"], "the same variant thrice"
    names = [s.name for s in parse_specs("nine, carla18, rain")]
    assert len(set(names)) == len(names)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_specs_or_a_typed_error(text: str) -> None:
    try:
        specs = parse_specs(text)
    except SpecError as exc:
        refused = exc.message
    else:
        refused = ""
        assert specs
        assert all(s.changes or s.headlights != "auto" for s in specs)
    assert refused or specs


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(VOCABULARY)), min_size=1, max_size=3, unique=True))
def test_any_words_together_hold_what_each_sets_or_are_refused(words: list[str]) -> None:
    try:
        spec = parse_spec(" + ".join(words))
    except SpecError as exc:
        refused, spec = exc.reason, None
    if spec is None:
        assert refused in ("impossible", "out_of_range")
        return
    for word in words:
        for field, value in VOCABULARY[word].sets.items():
            assert getattr(spec, field) == value


def test_a_file_of_specs_in_words_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "- fog 60 m\n- {name: storm, words: heavy rain at night, wetness: 0.9}\n- {snow_cover: 0.5, seed: 4}\n"
    )
    fog, storm, snow = load_specs(path, seed=3)
    assert (fog.fog_mor_m, fog.seed) == (60, 3)
    assert (storm.name, storm.wetness, storm.rain_mm_h) == ("storm", 0.9, 16)
    assert (snow.snow_cover, snow.seed) == (0.5, 4)
    as_json = tmp_path / "mine.json"
    as_json.write_text(json.dumps({"specs": [{"name": "own", "fog_mor_m": 70, "keep": {"text": False}}]}))
    (own,) = load_specs(as_json)
    assert (own.name, own.keep.text) == ("own", False)


@pytest.mark.parametrize(
    ("content", "reason", "said"),
    [
        ("- {fog_mor: 60}", "unknown_word", "did you mean fog_mor_m"),
        ("- {fog_mor_m: -1}", "out_of_range", "entry 1"),
        ("- fog\n- 17", "unexpected", "entry 2"),
        ("{}", "unexpected", "no condition"),
        ("- !!python/object/apply:os.system ['true']", "unexpected", "not valid YAML"),
        ("]", "unexpected", "not valid YAML"),
        ("7", "unexpected", "a list"),
        ("{matrix: {axes: {a: [fog], b: [nope]}}}", "unknown_word", "nope"),
        ("{specs: [fog], wrong: 1}", "unexpected", "wrong"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path: Path, content: str, reason: str, said: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(SpecError) as caught:
        load_specs(path)
    assert (caught.value.reason, said in caught.value.message) == (reason, True), caught.value.message


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_specs(tmp_path / "none.yaml")
    assert caught.value.reason == "not_found"
