"""CARLA's WeatherParameters as a condition: what the simulator was told, so nothing is estimated."""

from worldgen.datatypes import Condition, ConditionClass


def condition_of(weather: dict[str, float]) -> Condition | None:
    """Read a condition from CARLA's names (percent, degrees, metres) and from `Spec` names, which win.

    ``wetness`` is in both: here it is CARLA's, in percent. CARLA's fog is not a physical range (its density
    is a height fog's, in percent), so a range is only given when the recording says ``fog_mor_m``. None when
    the weather is not known.
    """
    if not weather:
        return None
    sun = weather.get("sun_elevation_deg", weather.get("sun_altitude_angle"))
    clouds = weather.get("clouds_okta", weather.get("cloudiness", 0.0) * 8 / 100)
    mor = weather.get("fog_mor_m", weather.get("dust_mor_m"))
    is_foggy = (mor is not None and mor <= 1000) or weather.get("fog_density", 0.0) >= 15
    rains = weather.get("rain_mm_h", weather.get("precipitation", 0.0)) >= 0.5
    snows = weather.get("snow_mm_h", 0.0) > 0
    snowy = weather.get("snow_cover", 0.0) >= 0.3
    wetness = max(weather.get("wetness", 0.0), weather.get("precipitation_deposits", 0.0)) / 100
    dusty = weather.get("dust_storm", 0.0) >= 15
    tests: tuple[tuple[ConditionClass, bool], ...] = (
        ("night", sun is not None and sun < -6),
        ("snow", snows or snowy),
        ("rain", rains),
        ("fog", is_foggy or dusty),
        ("dusk", sun is not None and sun <= 0),
        ("low_sun", sun is not None and sun <= 12 and clouds <= 4),
        ("wet", wetness >= 0.3),
        ("overcast", clouds >= 6),
    )
    label: ConditionClass = next((name for name, holds in tests if holds), "clear")
    numbers = tuple(sorted((k, float(v)) for k, v in weather.items()))
    return Condition(
        label=label,
        origin="simulator",
        confidence=1.0,
        fog_mor_m=mor,
        is_wet=wetness >= 0.3 or rains,
        is_snowy=snowy,
        is_night=sun is not None and sun < -6,
        is_precipitating=rains or snows,
        has_hard_shadows=clouds < 5 and not is_foggy and (sun is None or sun > 0),
        evidence=numbers,
    )
