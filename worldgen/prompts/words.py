"""Specs in a few words, for people and for captions alike."""

from typing import Final

from worldgen.datatypes import Spec

_RAIN: Final = ((0.1, ""), (0.5, "drizzle"), (1.9, "light rain"), (8.1, "rain"), (34.0, "heavy rain"))
_SNOW: Final = ((0.05, ""), (1.0, "light snowfall"), (2.5, "snowfall"))
_FOG: Final = (
    (50.0, "dense fog"),
    (200.0, "fog"),
    (1000.0, "light fog"),
    (2000.0, "mist"),
    (10_000.0, "haze"),
)
_DUST: Final = ((100.0, "a dust storm"), (1000.0, "blowing dust"), (10_000.0, "dusty haze"))
_ROAD: Final = ((0.1, "dry road"), (0.3, "damp road"), (0.75, "wet road"), (0.95, "puddles on the road"))

_LIGHT: Final = (
    (-6.0, "at night"),
    (-4.5, "at blue hour"),
    (0.01, "at dusk"),
    (3.0, "with the sun on the horizon"),
    (12.01, "under a low sun"),
    (35.0, "in slanting daylight"),
)


def title_of(spec: Spec) -> str:
    """Name a condition in a few words for people: ``Heavy rain at night, wet road``."""
    words = ", ".join((_headline(spec), *_road(spec))).strip(", ")
    words = words or ", ".join(_camera(spec)) or "The scene as it is"
    return words[0].upper() + words[1:]


def describe(spec: Spec) -> str:
    """Say all that a spec sets in one plain English phrase, deterministically; numbers included."""
    parts = [_headline(spec, numbers=True), *_road(spec), *_camera(spec)]
    return ", ".join(part for part in parts if part) or "the scene as it is"


def _headline(spec: Spec, *, numbers: bool = False) -> str:
    """Weather or sky, then light: ``heavy rain at night``, ``clear sky under a low sun``, ``dusk``."""
    weather = " and ".join(
        part for part in (falling_of(spec), air_of(spec, numbers=numbers)) if part
    ) or _sky(spec)
    light = _light(spec)
    if not weather:
        light = (
            light.removeprefix("at ").removeprefix("in ").removeprefix("under a ").removeprefix("with the ")
        )
    height = (
        f" (sun at {spec.sun_elevation_deg:g} degrees)"
        if numbers and spec.sun_elevation_deg is not None
        else ""
    )
    return f"{weather} {light}{height}".strip()


def falling_of(spec: Spec) -> str:
    """Name what falls: ``heavy rain``, ``light snowfall``; empty for nothing."""
    if spec.rain_mm_h:
        return _level(spec.rain_mm_h, _RAIN, "very heavy rain")
    return _level(spec.snow_mm_h, _SNOW, "heavy snowfall") if spec.snow_mm_h else ""


def air_of(spec: Spec, *, numbers: bool) -> str:
    """Name what hangs in the air: ``fog with 80 m visibility``; empty for nothing."""
    reach = spec.fog_mor_m or spec.dust_mor_m
    if not reach:
        return ""
    name = _level(reach, _FOG, "") if spec.fog_mor_m else _level(reach, _DUST, "")
    return f"{name} with {reach:.0f} m visibility" if numbers and name else name


def _sky(spec: Spec) -> str:
    if spec.clouds_okta is None:
        return ""
    if spec.clouds_okta >= 6:
        return "overcast sky"
    return "clear sky" if spec.clouds_okta <= 2 else "partly cloudy sky"


def _light(spec: Spec) -> str:
    sun = spec.sun_elevation_deg
    if sun is None:
        return ""
    return next((words for limit, words in _LIGHT if sun < limit), "in full daylight")


def _road(spec: Spec) -> list[str]:
    parts: list[str] = []
    if spec.snow_cover and spec.snow_cover >= 0.05:
        parts.append("snow-covered ground" if spec.snow_cover >= 0.5 else "patches of snow on the ground")
    if spec.sand_cover and spec.sand_cover >= 0.05:
        parts.append("sand drifted over the road")
    if spec.wetness is not None:
        parts.append(_level(spec.wetness, _ROAD, "standing water on the road"))
    return parts


def _camera(spec: Spec) -> list[str]:
    parts: list[str] = []
    if spec.spray and spec.spray >= 0.1:
        parts.append("spray behind vehicles")
    if spec.lens_drops and spec.lens_drops >= 0.05:
        parts.append("drops on the lens" if spec.lens_drops < 0.6 else "many drops on the lens")
    if spec.exposure_stops:
        word = "darker" if spec.exposure_stops < 0 else "brighter"
        parts.append(f"{abs(spec.exposure_stops):g} stops {word}")
    if spec.headlights != "auto":
        parts.append(f"headlights {spec.headlights}")
    return parts


def is_night(spec: Spec) -> bool:
    """Whether the spec asks for night (sun below -6 degrees)."""
    return spec.sun_elevation_deg is not None and spec.sun_elevation_deg < -6


def _level(value: float, edges: tuple[tuple[float, str], ...], above: str) -> str:
    return next((name for edge, name in edges if value < edge), above)
