"""Wording: what a spec says of light, air, ground and lens, sentence by sentence, for captions and prompts.

Only what can be true of any driving scene: no thing is named that might not be there, and lamps are those
"that the scene has".
"""

from typing import Final, Literal, TypeAlias

from worldgen.datatypes import Condition, Spec
from worldgen.datatypes.digest import Value
from worldgen.prompts.words import air_of, falling_of

Hour: TypeAlias = Literal["night", "dusk", "low_sun", "day", ""]
Weather: TypeAlias = Literal["snow", "rain", "dust", "fog", "overcast", "clear", ""]

_HOURS: Final[dict[Hour, str]] = {
    "night": "night",
    "dusk": "dusk, just after sunset",
    "low_sun": "low sun near the horizon",
    "day": "daytime",
    "": "",
}
_COLORS: Final[dict[Weather, str]] = {
    "snow": "whites and pale greys with small accents of color",
    "rain": "cool, muted greys and dark, wet asphalt",
    "dust": "ochre and brown haze, little contrast",
    "fog": "pale greys, colors fading with distance",
    "overcast": "muted, cool and even tones",
    "clear": "natural, saturated colors under a blue sky",
    "": "natural colors",
}
_DARK_COLORS: Final[dict[Hour, str]] = {
    "night": "deep blues and near blacks with pools of warm lamp light",
    "dusk": "cool blues with a last warm band at the horizon",
    "low_sun": "warm gold in the light, cool blue in the shade",
}


class Wording(Value):
    """What a spec says. Empty fields say nothing, and leave a caption's own words alone."""

    conditions: str = ""
    direction: str = ""
    shadows: str = ""
    illumination_effect: str = ""
    color_scheme: str = ""
    mood_atmosphere: str = ""
    surroundings: tuple[str, ...] = ()
    """Sentences on air, sky and ground."""
    throughout: str = ""
    """One sentence for the whole clip."""

    @property
    def sets_light(self) -> bool:
        """Whether light and look are said anew, not only the ground."""
        return bool(self.conditions)


def wording_of(spec: Spec, condition: Condition | None = None) -> Wording:
    """Put a spec in words.

    Args:
        spec: What shall change.
        condition: Of the source: what the spec leaves alone and the light depends on is taken from it.
            Without it the hour is not named unless the spec sets it.
    """
    whole = spec.over(condition) if condition is not None else spec
    surroundings = (*_air_sentences(whole, spec), *_ground_sentences(spec))
    if not _changes_light(spec):
        return Wording(surroundings=surroundings, throughout=_throughout("", surroundings))
    hour, weather = hour_of(whole, condition), weather_of(whole)
    conditions = _conditions(whole, hour, weather)
    return Wording(
        conditions=conditions,
        direction=_direction(whole, hour, weather),
        shadows=_shadows(hour, weather),
        illumination_effect=_effect(whole, hour, weather),
        color_scheme=_upper(_DARK_COLORS.get(hour, "") if hour in ("night", "dusk") else _lit(hour, weather)),
        mood_atmosphere=_mood(hour, weather),
        surroundings=surroundings,
        throughout=_throughout(conditions, surroundings),
    )


def hour_of(spec: Spec, condition: Condition | None) -> Hour:
    """Name the class of light; empty when neither the spec nor the source says."""
    sun = spec.sun_elevation_deg
    if sun is None:
        return "day" if condition is not None else ""
    if sun < -6:
        return "night"
    if sun <= 0:
        return "dusk"
    return "low_sun" if sun <= 12 else "day"


def weather_of(spec: Spec) -> Weather:
    """Name the weather that decides the light; the strongest wins."""
    tests: tuple[tuple[Weather, bool], ...] = (
        ("snow", bool(spec.snow_mm_h) or (spec.snow_cover or 0) >= 0.3),
        ("rain", (spec.rain_mm_h or 0) >= 0.1),
        ("dust", (spec.dust_mor_m or 1e9) < 10_000),
        ("fog", (spec.fog_mor_m or 1e9) < 10_000),
        ("overcast", (spec.clouds_okta or 0) >= 6),
        ("clear", spec.clouds_okta is not None and spec.clouds_okta <= 2),
    )
    return next((name for name, holds in tests if holds), "")


def lamps_of(spec: Spec) -> Literal["on", "off", ""]:
    """Whether vehicles' lamps are lit: daylight turns them off, night and thick weather may turn them on."""
    if spec.headlights != "auto":
        return spec.headlights
    sun = spec.sun_elevation_deg
    thick = min(spec.fog_mor_m or 1e9, spec.dust_mor_m or 1e9) < 200 or (spec.rain_mm_h or 0) > 8
    if thick or (sun is not None and sun < -6):
        return "on"
    return "off" if sun is not None and sun > 0 else ""


def _changes_light(spec: Spec) -> bool:
    falls = spec.rain_mm_h or spec.snow_mm_h or spec.fog_mor_m or spec.dust_mor_m
    return bool(falls) or spec.sun_elevation_deg is not None or spec.clouds_okta is not None


def _is_closed(spec: Spec, weather: Weather) -> bool:
    return (
        weather in ("rain", "fog", "dust", "overcast") or bool(spec.snow_mm_h) or (spec.clouds_okta or 0) >= 6
    )


def _conditions(spec: Spec, hour: Hour, weather: Weather) -> str:
    sky = {"overcast": "overcast sky", "clear": "clear sky"}.get(weather, "")
    parts = (_HOURS[hour], falling_of(spec), air_of(spec, numbers=True), sky)
    return _upper(", ".join(part for part in parts if part))


def _direction(spec: Spec, hour: Hour, weather: Weather) -> str:
    if hour == "night":
        return "From the lamps that the scene has: vehicle lamps, street lamps, lit windows"
    if hour == "dusk":
        return "Faint glow of the whole sky, strongest near the horizon"
    if _is_closed(spec, weather):
        return "Diffuse, from the whole sky"
    if hour == "low_sun":
        return f"Almost level sunlight{_side(spec.sun_azimuth_deg)}"
    return "Sunlight from above" if weather == "clear" else "Natural light from the sky"


def _side(azimuth_deg: float | None) -> str:
    if azimuth_deg is None:
        return ""
    turned = (azimuth_deg + 180.0) % 360.0 - 180.0
    if abs(turned) <= 45:
        return " from ahead, glaring"
    if abs(turned) >= 135:
        return " from behind the camera"
    return " from the right" if turned > 0 else " from the left"


def _shadows(hour: Hour, weather: Weather) -> str:
    if hour == "night":
        return "None of the sun; darkness between the pools of lamp light"
    if hour == "dusk" or weather not in ("clear", ""):
        return "Faint and soft, without edges"
    return (
        "Long and stretched over the ground"
        if hour == "low_sun"
        else "As the light casts them, with clear edges"
    )


def _effect(spec: Spec, hour: Hour, weather: Weather) -> str:
    parts = []
    wet = (spec.wetness or 0) >= 0.3
    if hour == "night":
        parts.append(
            "the surroundings are dark, lamps stand out" + (" and mirror in the wet road" if wet else "")
        )
    elif hour == "dusk":
        parts.append("the scene is dim and bluish")
    elif hour == "low_sun" and not _is_closed(spec, weather):
        parts.append("surfaces that face the light glow warmly")
    else:
        parts.append("even and soft" if _is_closed(spec, weather) else "bright, with full contrast")
    if weather in ("fog", "dust"):
        halos = ", lamps have halos" if hour == "night" else ""
        parts.append(f"contrast fades with distance until things vanish{halos}")
    if weather == "rain":
        parts.append("distant things are veiled by falling rain")
    lamps = lamps_of(spec)
    if lamps == "on":
        parts.append("lamps of the vehicles that are there are lit")
    elif lamps == "off":
        parts.append("no vehicle lamps but brake lights and indicators are lit")
    return _upper("; ".join(parts))


def _lit(hour: Hour, weather: Weather) -> str:
    return _DARK_COLORS["low_sun"] if hour == "low_sun" and weather in ("clear", "") else _COLORS[weather]


def _mood(hour: Hour, weather: Weather) -> str:
    words = {"night": "quiet", "dusk": "quiet", "low_sun": "warm", "day": "everyday"}.get(hour, "everyday")
    kinds = {
        "snow": "wintry",
        "rain": "rainy",
        "dust": "dusty",
        "fog": "misty",
        "overcast": "plain",
        "clear": "fresh",
    }
    return _upper(", ".join(word for word in (words, kinds.get(weather, "")) if word))


def _air_sentences(whole: Spec, spec: Spec) -> tuple[str, ...]:
    out = []
    falling = falling_of(spec)
    if falling:
        how = "streaks and drops cross the view" if spec.rain_mm_h else "flakes drift through the whole view"
        out.append(f"There is {falling}: {how}, denser with distance.")
    reach = spec.fog_mor_m or spec.dust_mor_m
    if reach and reach < 10_000:
        what = "Dust" if spec.dust_mor_m else "Fog"
        out.append(f"{what} fills the air; beyond about {_round(reach)} m hardly anything can be made out.")
    if (
        whole.sun_elevation_deg is not None
        and whole.sun_elevation_deg < -6
        and spec.sun_elevation_deg is not None
    ):
        out.append("The sky is dark.")
    elif (spec.clouds_okta or 0) >= 6 and not reach:
        out.append("The sky is closed with grey cloud.")
    elif spec.clouds_okta is not None and spec.clouds_okta <= 2:
        out.append("The sky is cloudless.")
    if spec.spray and spec.spray >= 0.1:
        out.append("Vehicles that move throw up spray behind them.")
    if spec.lens_drops and spec.lens_drops >= 0.05:
        out.append("Water drops sit on the lens and blur small parts of the view.")
    if spec.exposure_stops:
        how = (
            "Underexposed, the picture is darker"
            if spec.exposure_stops < 0
            else "Overexposed, it is brighter"
        )
        out.append(f"{how} than the scene.")
    return tuple(out)


def _ground_sentences(spec: Spec) -> tuple[str, ...]:
    out = []
    if spec.snow_cover and spec.snow_cover >= 0.05:
        how = "Snow lies" if spec.snow_cover >= 0.5 else "Patches of snow lie"
        out.append(f"{how} on the road, the verges and other level surfaces.")
    if spec.sand_cover and spec.sand_cover >= 0.05:
        out.append("Sand has drifted over the road.")
    wetness = spec.wetness
    if wetness is not None and wetness >= 0.75:
        out.append("The asphalt is dark and wet, with standing water that mirrors lights and vehicles.")
    elif wetness is not None and wetness >= 0.1:
        out.append("The asphalt is dark and wet and mirrors lights and vehicles.")
    elif wetness is not None:
        out.append("The asphalt is dry.")
    return tuple(out)


def _throughout(conditions: str, surroundings: tuple[str, ...]) -> str:
    if conditions:
        return f"From the first frame to the last: {conditions[0].lower()}{conditions[1:]}."
    return " ".join(surroundings)


def _round(metres: float) -> str:
    step = 10 if metres < 300 else 100
    return f"{max(step, round(metres / step) * step):.0f}" if metres >= 30 else f"{metres:.0f}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
