"""The words for weather and light in captions, by topic: what a spec may contradict."""

from typing import Final, Literal, TypeAlias

Topic: TypeAlias = Literal[
    "day",
    "noon",
    "night",
    "dusk",
    "sun",
    "shadows",
    "bright_sky",
    "clear_sky",
    "overcast",
    "clear_view",
    "rain",
    "snowfall",
    "snow",
    "fog",
    "wet",
    "dry",
    "lamps_on",
    "lamps_off",
]

_LAMPS: Final = (
    r"(?:head|tail|fog|running|parking|rear)[ -]?(?:lights?|lamps?)|headlamps?|taillamps?"
    r"|street[ -]?(?:lights?|lamps?)"
)
_LIT: Final = r"(?:on|lit|glowing|illuminated|shining|blazing|switched on|turned on)"
_IS: Final = r"(?:is|are|was|looks?|appears?|remains?|stays?) (?:\w+ )?"
ADJECTIVES: Final[dict[Topic, tuple[str, ...]]] = {
    "day": ("daytime", "daylit", "day-lit", r"(?:late[- ])?(?:morning|afternoon)(?= \w)"),
    "noon": ("midday", "noonday"),
    "night": ("nighttime", "night-time", "nocturnal", "moonlit", "starlit", "starry", r"night(?= \w)"),
    "dusk": ("twilit", r"(?:evening|twilight|dusk|dawn|sunset|sunrise)(?= \w)"),
    "sun": ("sunny", "sunlit", "sun-lit", "sun-drenched", "sun-dappled", "sunbathed", "sun-kissed"),
    "shadows": (),
    "bright_sky": (
        r"(?:bright|blue|azure|pale blue|bright blue)(?=(?: \w+)? sk(?:y|ies)\b)",
        r"(?:gr[ea]y|white|pale|bright)(?=(?:,? \w+)? (?:daylight )?sk(?:y|ies)\b)",
    ),
    "clear_sky": (
        r"(?:clear|cloudless)(?=(?: \w+)? sk(?:y|ies)\b)",
        "cloudless",
        r"clear(?=,? (?:day|weather|morning|afternoon|night|evening|sunny|bright)\b)",
    ),
    "overcast": ("overcast", "cloudy", r"(?:gr[ea]y|leaden|clouded)(?=(?: \w+)? sk(?:y|ies)\b)"),
    "clear_view": (r"crystal[- ]clear",),
    "rain": (
        "rainy",
        "raining",
        "rain-swept",
        "drizzly",
        r"rain(?= (?!boots|coat|jacket|gear|pipe|gutter)\w)",
    ),
    "snowfall": ("snowing",),
    "snow": (
        "snowy",
        "snow-covered",
        "snow-dusted",
        "snow-capped",
        "snow-lined",
        "icy",
        "frosty",
        "slushy",
    ),
    "fog": ("foggy", "misty", "hazy", "fog-shrouded"),
    "wet": (
        "wet",
        "damp",
        "rain-soaked",
        "rain-slicked",
        "rain-slick",
        "rain-wet",
        "rain-dampened",
        "soaked",
        "waterlogged",
        "glistening",
        "slick",
        "puddled",
    ),
    "dry": ("dry", "sun-baked", "parched"),
    "lamps_on": (),
    "lamps_off": (),
}
"""Patterns of words that can go without the thing they describe."""
NOUNS: Final[dict[Topic, tuple[str, ...]]] = {
    "day": ("daylight", "daytime", "day", "morning", "afternoon", "mid-morning"),
    "noon": ("midday", "noon"),
    "night": ("night", "nighttime", "night-time", "nightfall", "midnight", "moonlight", "darkness"),
    "dusk": (
        "dusk",
        "twilight",
        "sunset",
        "sunrise",
        "dawn",
        "evening",
        "golden hour",
        "blue hour",
        "daybreak",
    ),
    "sun": (r"sun(?![ -]?(?:visor|roof|shade|glasses))", "sunlight", "sunshine", "sunbeams?", "sun rays?"),
    "shadows": (
        r"(?:long|sharp|hard|crisp|dark|strong|deep|distinct|dappled|defined|sharp-edged|hard-edged)"
        r"(?:,? (?:\w+ )?(?:and )?\w+)? shadows?",
    ),
    "bright_sky": (rf"sk(?:y|ies) {_IS}(?:bright|blue|azure|pale|gr[ea]y|white|sunny)",),
    "clear_sky": (
        rf"sk(?:y|ies) {_IS}(?:clear|cloudless)",
        rf"weather {_IS}(?:clear|fair|fine|sunny)",
    ),
    "overcast": ("overcast", "clouds?", "cloud cover", rf"sk(?:y|ies) {_IS}(?:gr[ea]y|leaden)"),
    "clear_view": ("unlimited visibility", "clear visibility", "good visibility", "excellent visibility"),
    "rain": (
        r"rain(?![ -]?(?:boots?|coats?|jackets?|gear|pipes?|gutters?))",
        "rainfall",
        "drizzle",
        "downpour",
        "raindrops?",
        "rain showers?",
    ),
    "snowfall": (
        "snowfall",
        "snowflakes?",
        "falling snow",
        rf"snow (?:{_IS})?(?:falling|falls|drifting down)",
    ),
    "snow": (r"snow(?![ -]?(?:tyres?|tires?|boots?|plough|plow|chains))", "snowbanks?", "slush", "frost"),
    "fog": (r"fog(?![ -]?(?:lights?|lamps?))", "mist", "haze"),
    "wet": ("puddles?", "wetness", "standing water", r"reflections? (?:on|in) the (?:wet )?(?:road|asphalt)"),
    "dry": ("dryness",),
    "lamps_on": (
        rf"(?:(?:bright|lit|glowing|illuminated|shining|active) )+(?:{_LAMPS})",
        rf"(?:{_LAMPS})(?: (?:are|is|being|clearly|brightly|softly|dimly|visibly))* {_LIT}\b",
    ),
    "lamps_off": (
        rf"(?:unlit|dark|inactive) (?:{_LAMPS})",
        rf"(?:{_LAMPS})(?: (?:are|is|being))* (?:off|unlit|dark|switched off|turned off)\b",
    ),
}
"""Patterns of names: days, rain, lamps that are lit."""
