"""Words: what people call conditions, as fields of a spec in SI units.

Rain and fog levels are the bins of ASAM OSI 3.8.0 (osi_environment.proto, which follows ISO 34503), named as
it names them; inside a bin the geometric mean is taken, rounded. OSI has no bins for snowfall, and weather
services grade it by visibility (FMH-1), which needs no rate: that light, moderate and heavy snow meet at 1.0
and 2.5 mm/h of liquid water is our choice; crystals make visibility at one rate differ by a factor of 3 to 10
(Rasmussen et al. 1999).
Sun elevations: civil twilight ends at -6 degrees; blue hour is -6..-4, golden hour -4..6.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from typing import Final, TypeAlias

Fields: TypeAlias = dict[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Word:
    """One thing people say: what it sets, and what comes with it unless said otherwise."""

    sets: Fields
    implies: Fields = field(default_factory=dict)
    group: str = "weather"
    """For lists that people read: weather, light, road, camera."""


def rain(rate_mm_h: float) -> Word:
    """Rain at a rate, with the wet road, spray, lens drops and clouds that come with it.

    What comes with it is interpolated in the logarithm of the rate: rain that has lasted long enough to
    reach its steady state. The anchors are choices, made so that light rain leaves a film and heavy
    rain stands on the road; each is a field of its own and can be set.
    """
    wetness = _between(rate_mm_h, ((0.1, 0.1), (1.0, 0.4), (4.0, 0.6), (16.0, 0.85), (70.0, 1.0)))
    spray = _between(rate_mm_h, ((0.1, 0.0), (1.0, 0.15), (4.0, 0.35), (16.0, 0.7), (70.0, 0.95)))
    drops = _between(rate_mm_h, ((0.1, 0.05), (1.0, 0.15), (4.0, 0.3), (16.0, 0.55), (70.0, 0.85)))
    clouds = 7 if rate_mm_h < 1.9 else 8
    if rate_mm_h < 0.1:
        return Word({"rain_mm_h": rate_mm_h})
    implied: Fields = {"wetness": wetness, "spray": spray, "lens_drops": drops, "clouds_okta": clouds}
    return Word({"rain_mm_h": rate_mm_h}, implied)


def snow(rate_mm_h: float) -> Word:
    """Snowfall at a liquid-equivalent rate, with the cover and clouds that come with it."""
    if rate_mm_h < 0.05:
        return Word({"snow_mm_h": rate_mm_h})
    cover = _between(rate_mm_h, ((0.05, 0.1), (0.5, 0.35), (1.6, 0.65), (4.0, 0.9), (10.0, 1.0)))
    return Word({"snow_mm_h": rate_mm_h}, {"snow_cover": cover, "clouds_okta": 8})


def fog(mor_m: float) -> Word:
    """Fog of a meteorological optical range."""
    return Word({"fog_mor_m": mor_m})


def dust(mor_m: float) -> Word:
    """Blowing dust or sand of a meteorological optical range."""
    return Word({"dust_mor_m": mor_m})


def sun(elevation_deg: float, azimuth_deg: float | None = None) -> Word:
    """The sun's place."""
    implied: Fields = {} if azimuth_deg is None else {"sun_azimuth_deg": azimuth_deg}
    return Word({"sun_elevation_deg": elevation_deg}, implied, group="light")


def _between(rate: float, anchors: tuple[tuple[float, float], ...]) -> float:
    """Interpolate linearly in the logarithm of a rate; ends are held."""
    if rate <= anchors[0][0]:
        return anchors[0][1]
    for (x0, y0), (x1, y1) in pairwise(anchors):
        if rate <= x1:
            return round(y0 + (y1 - y0) * log(rate / x0) / log(x1 / x0), 3)
    return anchors[-1][1]


def _road(**fields: float) -> Word:
    return Word(dict(fields), group="road")


_LEVELS: Final[dict[str, Word]] = {
    # Rain: geometric means of OSI's bins light, moderate, heavy and very heavy.
    "drizzle": rain(0.3),
    "light rain": rain(1.0),
    "rain": rain(4.0),
    "heavy rain": rain(16.0),
    "very heavy rain": rain(70.0),
    # Snow, liquid equivalent.
    "light snow": snow(0.5),
    "snow": snow(1.6),
    "heavy snow": snow(4.0),
    # Fog: OSI mist 1-2 km, light 200-1000 m, thick 50-200 m, dense under 50 m.
    "mist": fog(1400.0),
    "light fog": fog(450.0),
    "fog": fog(100.0),
    "dense fog": fog(40.0),
    "light dust": dust(450.0),
    "dust": dust(150.0),
    "dense dust": dust(50.0),
    # Sky.
    "clear": Word({"clouds_okta": 0}),
    "partly cloudy": Word({"clouds_okta": 4}),
    "cloudy": Word({"clouds_okta": 6}),
    "overcast": Word({"clouds_okta": 8}),
    # Light. Sunrise and sunset stand on different sides of the road ahead, so that they are two variants.
    "day": sun(45.0),
    "morning": sun(25.0),
    "mid morning": sun(30.0),
    "noon": sun(65.0),
    "zenith": sun(80.0),
    "afternoon": sun(40.0),
    "low sun": sun(6.0, 0.0),
    "golden hour": sun(5.0, 20.0),
    "sunrise": sun(2.0, 15.0),
    "sunset": sun(1.5, -15.0),
    "dusk": sun(-3.0),
    "dawn": sun(-2.5),
    "twilight": sun(-4.0),
    "blue hour": sun(-5.0),
    "night": sun(-18.0),
    # Road.
    "dry road": _road(wetness=0.0),
    "damp road": _road(wetness=0.25),
    "wet road": _road(wetness=0.6),
    "puddles": _road(wetness=0.85),
    "flooded road": _road(wetness=1.0),
    "snow on the road": _road(snow_cover=0.8),
    "sand on the road": _road(sand_cover=0.6),
    # Camera and vehicles.
    "spray": Word({"spray": 0.6}, {"wetness": 0.7}, group="road"),
    "lens drops": Word({"lens_drops": 0.5}, group="camera"),
    "underexposed": Word({"exposure_stops": -2.0}, group="camera"),
    "overexposed": Word({"exposure_stops": 1.5}, group="camera"),
    "headlights on": Word({"headlights": "on"}, group="light"),
    "headlights off": Word({"headlights": "off"}, group="light"),
}

_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "drizzle": ("very light rain", "drizzling", "sprinkle"),
    "light rain": ("light rainy", "light raining", "soft rain", "slight rain", "rain shower"),
    "rain": ("raining", "rainy", "moderate rain", "rain falling", "mid rain", "rainfall", "showers"),
    "heavy rain": (
        "heavy rainy",
        "heavy raining",
        "hard rain",
        "strong rain",
        "intense rain",
        "pouring rain",
        "pouring",
        "rainstorm",
        "heavy rainfall",
    ),
    "very heavy rain": ("downpour", "torrential rain", "extreme rain", "cloudburst", "violent rain"),
    "light snow": ("light snowfall", "light snowing", "light snowy", "flurries", "snow flurries"),
    "snow": (
        "snowing",
        "snowy",
        "snow falling",
        "snowfall",
        "falling snow",
        "moderate snow",
        "moderate snowfall",
    ),
    "heavy snow": ("heavy snowfall", "heavy snowing", "heavy snowy", "blizzard", "snowstorm", "snow storm"),
    "mist": ("misty", "haze", "hazy", "very light fog"),
    "light fog": ("light foggy", "thin fog", "slight fog", "patchy fog"),
    "fog": ("foggy", "thick fog", "moderate fog"),
    "dense fog": ("heavy fog", "very dense fog", "severe fog", "dense foggy", "very thick fog", "pea soup"),
    "light dust": ("dusty haze", "light dusty"),
    "dust": ("dusty", "blowing dust", "blowing sand", "smog"),
    "dense dust": ("dust storm", "duststorm", "sandstorm", "sand storm", "heavy dust"),
    "clear": ("clear sky", "clear skies", "sunny", "clear weather", "fine", "cloudless", "free"),
    "partly cloudy": ("some clouds", "scattered clouds", "partly clouded"),
    "cloudy": ("mostly cloudy", "broken clouds", "clouds"),
    "overcast": ("overcast sky", "covered sky", "grey sky", "gray sky", "fully cloudy"),
    "day": ("daytime", "daylight", "by day"),
    "morning": ("early morning", "am"),
    "mid morning": ("midmorning", "late morning"),
    "noon": ("midday", "mid day"),
    "zenith": ("sun at zenith", "high sun", "high noon"),
    "afternoon": ("mid afternoon", "sunny afternoon"),
    "low sun": (
        "sun glare",
        "glare",
        "sun low",
        "low sun glare",
        "low standing sun",
        "blinding sun",
        "backlight",
    ),
    "golden hour": ("goldenhour", "evening sun", "golden light"),
    "sunrise": ("sun rise", "sunrise time", "at sunrise"),
    "sunset": ("sun set", "sunset time", "at sunset", "evening"),
    "dusk": ("dawn dusk", "nightfall", "civil twilight"),
    "dawn": ("daybreak", "first light", "before sunrise"),
    "twilight": ("gloaming", "half light"),
    "blue hour": ("bluehour",),
    "night": ("nighttime", "night time", "by night", "dark", "darkness", "midnight"),
    "dry road": ("dry", "dry asphalt", "dry roads", "dry street"),
    "damp road": ("damp", "moist", "moist road", "slightly wet road"),
    "wet road": ("wet", "wet roads", "wet asphalt", "wet street", "wet surface", "slippery", "slippery road"),
    "puddles": ("puddle", "wet with puddles", "puddles on the road", "puddles on road", "standing water"),
    "flooded road": ("flooding", "flooded", "flood", "low flooded"),
    "snow on the road": (
        "snow on road",
        "snow cover",
        "snow covered",
        "snow covered road",
        "snowy road",
        "snow on the ground",
        "snow on ground",
        "lying snow",
    ),
    "sand on the road": ("sand", "sandy", "sand on road", "sandy road", "sand covered road", "drifted sand"),
    "spray": ("wheel spray", "road spray", "tyre spray", "tire spray"),
    "lens drops": (
        "drops on the lens",
        "drops on lens",
        "raindrops on the lens",
        "raindrops on lens",
        "wet lens",
        "lens droplets",
        "water drops",
    ),
    "underexposed": ("too dark picture", "dark exposure"),
    "overexposed": ("too bright picture", "bright exposure"),
    "headlights on": ("headlights", "with headlights"),
    "headlights off": ("no headlights", "without headlights"),
}


def _vocabulary() -> dict[str, Word]:
    known = dict(_LEVELS)
    for word, others in _ALIASES.items():
        for other in others:
            if other in known:
                msg = f"{other!r} is named twice"
                raise ValueError(msg)
            known[other] = _LEVELS[word]
    return known


WORDS: Final[dict[str, Word]] = _LEVELS
"""The words we use ourselves."""
VOCABULARY: Final[dict[str, Word]] = _vocabulary()
"""Those and their aliases."""


def aliases_of(word: str) -> tuple[str, ...]:
    """Other ways to say one of `WORDS`."""
    return _ALIASES.get(word, ())
