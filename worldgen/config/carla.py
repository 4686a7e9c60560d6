"""CARLA's WeatherParameters to and from specs: percent and degrees against SI units.

Only what a spec sets is written, so that the rest of a running world stays as it is; -1, CARLA's own "not
set", reads as nothing. None of the relations below is stated by CARLA: they are choices, made so that its
presets land in the level that they are named after. They were not measured against a server.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from worldgen.config.phrases import spec_from
from worldgen.datatypes import Spec
from worldgen.errors import SpecError

DENSE_MOR_M: Final = 50.0
"""Meteorological optical range at fog_density (or dust_storm) 100; extinction grows in proportion."""
_SOFT: Final = 30.0
"""Precipitation of CARLA's SoftRain presets in percent: light rain, 1 mm/h. Each 30 more are four times
the rain, so that MidRain (60) is moderate, 4 mm/h, and HardRain (100) heavy, 25 mm/h."""

FIELDS: Final = (
    "cloudiness",
    "precipitation",
    "precipitation_deposits",
    "wind_intensity",
    "sun_azimuth_angle",
    "sun_altitude_angle",
    "fog_density",
    "fog_distance",
    "fog_falloff",
    "wetness",
    "scattering_intensity",
    "mie_scattering_scale",
    "rayleigh_scattering_scale",
    "dust_storm",
)


def to_carla(spec: Spec, *, heading_deg: float = 0.0) -> dict[str, float]:
    """Write what a spec sets as fields of ``carla.WeatherParameters``.

    Args:
        spec: Any spec without snow or sand, which CARLA does not have.
        heading_deg: Of the camera in the world, degrees from CARLA's azimuth zero; a spec's azimuth is
            relative to the camera.

    Raises:
        SpecError: `unsupported` for what CARLA cannot show.
    """
    missing = [f for f in ("snow_mm_h", "snow_cover", "sand_cover") if getattr(spec, f)]
    if missing:
        message = f"CARLA's WeatherParameters have no {', '.join(missing)}"
        raise SpecError(
            message, reason="unsupported", hint="record clear weather and let worldgen add the snow"
        )
    weather: dict[str, float] = {}
    if spec.clouds_okta is not None:
        weather["cloudiness"] = spec.clouds_okta * 12.5
    if spec.rain_mm_h is not None:
        weather["precipitation"] = percent_of_rain(spec.rain_mm_h)
    if spec.wetness is not None:
        weather["wetness"] = 100 * min(1.0, 2 * spec.wetness)
        weather["precipitation_deposits"] = 100 * max(0.0, 2 * spec.wetness - 1)
    if spec.fog_mor_m is not None:
        weather |= {"fog_density": _density(spec.fog_mor_m), "fog_distance": 0.0, "fog_falloff": 0.1}
    if spec.dust_mor_m is not None:
        weather["dust_storm"] = _density(spec.dust_mor_m)
    if spec.sun_elevation_deg is not None:
        weather["sun_altitude_angle"] = spec.sun_elevation_deg
    if spec.sun_azimuth_deg is not None:
        weather["sun_azimuth_angle"] = (spec.sun_azimuth_deg + heading_deg) % 360
    return {name: round(value, 6) for name, value in weather.items()}


def lost_in_carla(spec: Spec) -> tuple[str, ...]:
    """Name the fields that `to_carla` leaves out: they belong to the camera or the vehicles there."""
    return tuple(f for f in ("spray", "lens_drops", "exposure_stops") if getattr(spec, f) is not None)


def from_carla(
    parameters: Mapping[str, float], *, heading_deg: float = 0.0, seed: int = 0, name: str = ""
) -> Spec:
    """Read a spec from the fields of ``carla.WeatherParameters``.

    Rain under fewer than five oktas (CARLA's SoftRainNoon) is given five: a spec allows no rain from a
    clear sky.

    Raises:
        SpecError: A field that CARLA does not have, or a value out of range.
    """
    unknown = [key for key in parameters if key not in FIELDS]
    if unknown:
        message = f"carla.WeatherParameters has no {unknown[0]!r}"
        raise SpecError(message, reason="unknown_word", hint="it has: " + ", ".join(FIELDS))
    stated = {key: float(value) for key, value in parameters.items() if _is_stated(key, float(value))}
    _check_percent(stated)
    fields: dict[str, Any] = {"seed": seed, "name": name}
    if "precipitation" in stated:
        fields["rain_mm_h"] = rain_of_percent(stated["precipitation"])
    if "cloudiness" in stated:
        okta = round(stated["cloudiness"] / 12.5)
        fields["clouds_okta"] = max(okta, 5) if fields.get("rain_mm_h", 0) > 0 else okta
    if "wetness" in stated or "precipitation_deposits" in stated:
        film, water = stated.get("wetness", 0.0) / 100, stated.get("precipitation_deposits", 0.0) / 100
        wetness = round(0.5 * max(film, min(1.0, 5 * water)) + 0.5 * water, 6)
        if wetness >= 0.1 or fields.get("rain_mm_h", 0) < 0.5:
            fields["wetness"] = wetness
    fields |= _air(stated)
    if "sun_altitude_angle" in stated:
        fields["sun_elevation_deg"] = stated["sun_altitude_angle"]
    if "sun_azimuth_angle" in stated:
        fields["sun_azimuth_deg"] = _half_turn(stated["sun_azimuth_angle"] - heading_deg)
    return spec_from(fields, where="carla.WeatherParameters", natural=False)


def _check_percent(stated: Mapping[str, float]) -> None:
    for key in (
        "cloudiness",
        "precipitation",
        "precipitation_deposits",
        "wetness",
        "fog_density",
        "dust_storm",
    ):
        if not 0 <= stated.get(key, 0.0) <= 100:
            message = f"{key} = {stated[key]:g}: CARLA's range is 0 to 100"
            raise SpecError(message, reason="out_of_range")


def _air(stated: Mapping[str, float]) -> dict[str, float]:
    fog, dust = stated.get("fog_density", 0.0), stated.get("dust_storm", 0.0)
    if dust > 0:  # The haze that every CARLA preset has drowns in the dust.
        return {"dust_mor_m": _mor(dust)}
    return {"fog_mor_m": _mor(fog)} if fog > 0 else {}


def percent_of_rain(rate_mm_h: float) -> float:
    """CARLA's precipitation (0..100) of a rain rate; above 25 mm/h it can show no more."""
    if rate_mm_h <= 1:
        return _SOFT * rate_mm_h
    return min(100.0, _SOFT + _SOFT * math.log(rate_mm_h, 4))


def rain_of_percent(percent: float) -> float:
    """Rain rate in mm/h of CARLA's precipitation (0..100)."""
    rate = percent / _SOFT if percent <= _SOFT else 4 ** ((percent - _SOFT) / _SOFT)
    return float(round(rate, 5))


def _density(mor_m: float) -> float:
    return min(100.0, 100 * DENSE_MOR_M / mor_m)


def _mor(density: float) -> float:
    return round(min(40_000.0, 100 * DENSE_MOR_M / density), 3)


def _half_turn(angle_deg: float) -> float:
    """Bring an angle to -180 (not included) .. 180."""
    return round(180 - (180 - angle_deg) % 360, 6)


def _is_stated(key: str, value: float) -> bool:
    return value != -1 or key == "sun_altitude_angle"
