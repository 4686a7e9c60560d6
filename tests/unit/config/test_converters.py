"""Converters: there and back without loss, where the other side has a word for it."""

import math
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgen.config.carla import percent_of_rain, rain_of_percent
from worldgen.config.converters import (
    from_carla,
    from_openscenario,
    illuminance_lx,
    lost_in_carla,
    odd_bins,
    to_carla,
    to_openscenario,
)
from worldgen.config.specs import parse_spec, presets
from worldgen.datatypes import Spec
from worldgen.errors import SpecError

SPECS = [
    pytest.param(s, id=f"{p.name}-{s.name}")
    for p in presets().values()
    for s in p.specs
    if p.name != "matrix"
]
NOON = {"cloudiness": 5, "precipitation": 0, "precipitation_deposits": 0, "wind_intensity": 10, "sun_azimuth_angle": -1,
        "sun_altitude_angle": 45, "fog_density": 2, "fog_distance": 0.75, "fog_falloff": 0.1, "wetness": 0,
        "scattering_intensity": 1, "mie_scattering_scale": 0.03, "rayleigh_scattering_scale": 0.0331, "dust_storm": 0}  # fmt: skip
"""CARLA's ClearNoon (LibCarla, WeatherParameters.cpp)."""


def near(a: dict[str, float], b: dict[str, float]) -> bool:
    return a.keys() == b.keys() and all(math.isclose(a[k], b[k], rel_tol=1e-5, abs_tol=1e-5) for k in a)


@pytest.mark.parametrize("spec", SPECS)
def test_openscenario_and_back(spec: Spec) -> None:
    assert near(
        from_openscenario(to_openscenario(spec, heading_deg=77), heading_deg=77).changes, spec.changes
    )


@pytest.mark.parametrize("spec", SPECS)
def test_carla_and_back(spec: Spec) -> None:
    if spec.snow_mm_h or spec.snow_cover or spec.sand_cover:
        with pytest.raises(SpecError) as caught:
            to_carla(spec)
        assert caught.value.reason == "unsupported"
        return
    kept = {k: v for k, v in spec.changes.items() if k not in lost_in_carla(spec)}
    if (spec.rain_mm_h or 0) > 25.3:
        kept["rain_mm_h"] = rain_of_percent(100)
    assert near(from_carla(to_carla(spec, heading_deg=200), heading_deg=200).changes, kept)


@settings(deadline=None)
@given(st.floats(0.01, 25.0))
def test_rain_and_percent_are_inverse_and_monotone(rate: float) -> None:
    assert rain_of_percent(percent_of_rain(rate)) == pytest.approx(rate, rel=1e-3, abs=1e-4)
    assert percent_of_rain(rate * 1.1) > percent_of_rain(rate) or percent_of_rain(rate * 1.1) == 100


def test_carlas_presets_read_as_the_levels_they_are_named_after() -> None:
    assert from_carla(NOON).asks_for == "clear"
    assert from_carla({**NOON, "cloudiness": 60, "fog_density": 3}).asks_for == "clear"  # 5 oktas
    soft = from_carla({**NOON, "cloudiness": 20, "precipitation": 30, "precipitation_deposits": 50})
    mid = from_carla({**NOON, "cloudiness": 60, "precipitation": 60, "precipitation_deposits": 60})
    hard = from_carla({**NOON, "cloudiness": 100, "precipitation": 100, "precipitation_deposits": 90})
    assert [odd_bins(s)["precipitation"] for s in (soft, mid, hard)] == [
        "PRECIPITATION_LIGHT", "PRECIPITATION_MODERATE", "PRECIPITATION_HEAVY",
    ]  # fmt: skip
    assert {s.asks_for for s in (soft, mid, hard)} == {"rain"}
    assert from_carla({**NOON, "precipitation_deposits": 50}).asks_for == "wet"
    assert from_carla({**NOON, "sun_altitude_angle": -90, "fog_density": 60}).asks_for == "night"
    assert from_carla({**NOON, "dust_storm": 100}).dust_mor_m == 50
    assert from_carla(NOON).sun_azimuth_deg is None, "-1 is CARLA's word for not set"


def test_carla_says_what_is_wrong() -> None:
    with pytest.raises(SpecError) as unknown:
        from_carla({"rain": 3})
    with pytest.raises(SpecError) as outside:
        from_carla({"cloudiness": 140})
    assert (unknown.value.reason, outside.value.reason) == ("unknown_word", "out_of_range")


def test_openscenario_is_the_standards_own_units_and_words() -> None:
    root = ET.fromstring(
        to_openscenario(
            parse_spec("heavy rain at night + sun_azimuth_deg=90"),
        )
    )
    weather, road = root.find("Weather"), root.find("RoadCondition")
    assert weather is not None
    assert road is not None
    sun, fall = weather.find("Sun"), weather.find("Precipitation")
    assert sun is not None
    assert fall is not None
    assert weather.get("fractionalCloudCover") == "eightOktas"
    assert float(sun.get("elevation", "")) == pytest.approx(math.radians(-18))
    assert float(sun.get("azimuth", "")) == pytest.approx(math.pi / 2)
    assert (fall.get("precipitationType"), fall.get("precipitationIntensity")) == ("rain", "16")
    assert road.get("wetness") == "wetWithPuddles"


def test_a_scenario_of_version_1_0_is_read() -> None:
    text = """<OpenSCENARIO><Storyboard><EnvironmentAction><Environment name="old">
      <TimeOfDay animation="false" dateTime="2020-01-01T12:00:00"/>
      <Weather cloudState="rainy"><Sun intensity="0.5" azimuth="0" elevation="1.3"/><Fog visualRange="300"/>
      <Precipitation precipitationType="rain" intensity="0.2"/></Weather>
      <RoadCondition frictionScaleFactor="0.7"/></Environment></EnvironmentAction></Storyboard></OpenSCENARIO>"""
    spec = from_openscenario(text)
    assert (spec.name, spec.rain_mm_h, spec.fog_mor_m, spec.clouds_okta) == ("old", 5.0, 300.0, 8)


@pytest.mark.parametrize(
    "text",
    ["", "<a>", "<a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><Environment>&b;</Environment>",
     "<Environment><Weather cloudState='purple'/></Environment>",
     "<Environment><Weather><Fog visualRange='near'/></Weather></Environment>",
     "<Environment><Weather fractionalCloudCover='manyOktas'/></Environment>",
     "<Environment><RoadCondition wetness='soggy'/></Environment>"],
)  # fmt: skip
def test_what_is_not_openscenario_is_a_typed_error(text: str) -> None:
    with pytest.raises(SpecError):
        from_openscenario(text)


def test_osi_bins() -> None:
    assert odd_bins(parse_spec("fog 49 m"))["fog"] == "FOG_DENSE"
    assert odd_bins(parse_spec("fog 50 m"))["fog"] == "FOG_THICK"
    assert odd_bins(parse_spec("snow"))["precipitation"] == "PRECIPITATION_LIGHT"
    assert odd_bins(parse_spec("night"))["ambient_illumination"] == "AMBIENT_ILLUMINATION_LEVEL1"
    assert odd_bins(parse_spec("noon"))["ambient_illumination"] == "AMBIENT_ILLUMINATION_LEVEL9"
    assert odd_bins(parse_spec("wet road")) == {}


@settings(deadline=None)
@given(st.floats(-30, 89), st.integers(0, 8))
def test_more_sun_is_more_light(elevation: float, okta: int) -> None:
    assert illuminance_lx(elevation + 1, okta) >= illuminance_lx(elevation, okta) or -1 < elevation <= 0
    assert illuminance_lx(elevation, okta) > 0
