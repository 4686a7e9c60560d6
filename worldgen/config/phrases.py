"""Phrases: one condition as people say it, in words and quantities, as a spec."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from worldgen.config.words import VOCABULARY, WORDS, Fields, Word, dust, fog, rain, snow, sun
from worldgen.datatypes import Spec
from worldgen.errors import SpecError

_NUMBER = r"([-+]?\d+(?:\.\d+)?)"
_ANY_LEVEL = r"(?:(?:very |extremely )?(?:light|moderate|heavy|dense|thick|thin|strong) )?"
"""A level beside a number says nothing that the number does not."""
_QUANTITIES: Final[tuple[tuple[str, Callable[[float], Word]], ...]] = (
    # (what is said before the number, the unit after it) -> a word. The first that matches wins.
    (rf"{_ANY_LEVEL}(?:rain|rain rate|rainfall)\s*{_NUMBER}\s*mm(?:/h|ph| per hour)?", rain),
    (rf"{_ANY_LEVEL}(?:snow|snowfall)\s*{_NUMBER}\s*mm(?:/h|ph| per hour)?", snow),
    (
        rf"{_ANY_LEVEL}(?:fog|mist|haze|visibility|mor)\s*{_NUMBER}\s*km(?: visibility)?",
        lambda v: fog(1000.0 * v),
    ),
    (
        rf"{_ANY_LEVEL}(?:fog|mist|haze|visibility|mor)\s*{_NUMBER}\s*(?:m|metres|meters)\b(?: visibility)?",
        fog,
    ),
    (rf"{_NUMBER}\s*km (?:of )?(?:fog|mist|haze|visibility)", lambda v: fog(1000.0 * v)),
    (rf"{_NUMBER}\s*m (?:of )?(?:fog|mist|haze|visibility)", fog),
    (rf"{_ANY_LEVEL}(?:dust|sand ?storm)\s*{_NUMBER}\s*(?:m|metres|meters)\b(?: visibility)?", dust),
    (rf"(?:sun|sun elevation|sun at)\s*{_NUMBER}\s*(?:deg|degrees)?\b", sun),
    (rf"(?:clouds|cloud cover)\s*{_NUMBER}\s*(?:/8|oktas?)?\b", lambda v: Word({"clouds_okta": _whole(v)})),
    (rf"{_NUMBER}\s*oktas?\b", lambda v: Word({"clouds_okta": _whole(v)})),
    (
        rf"(?:exposure|ev)\s*{_NUMBER}\s*(?:stops?|ev)?\b",
        lambda v: Word({"exposure_stops": v}, group="camera"),
    ),
    (rf"{_NUMBER}\s*(?:stops?|ev)\b", lambda v: Word({"exposure_stops": v}, group="camera")),
    (rf"(?:wetness|wet)\s*{_NUMBER}\s*%", lambda v: Word({"wetness": v / 100})),
    (rf"(?:snow cover)\s*{_NUMBER}\s*%", lambda v: Word({"snow_cover": v / 100})),
    (rf"{_NUMBER}\s*mm(?:/h|ph| per hour)", rain),
)
_FILLERS: Final = frozenset(
    {"and", "with", "at", "in", "on", "a", "an", "the", "of", "by", "very", "extremely", "weather", "time"}
)
_LEVELS: Final = frozenset({"light", "moderate", "heavy", "dense", "thick", "strong", "low", "clear"})
_NOT_SET: Final = frozenset({"name", "seed", "keep", "control_weights", "prompt"})
_FIELDS: Final = tuple(f for f in Spec.model_fields if f not in _NOT_SET)


def parse_spec(phrase: str, *, seed: int = 0, name: str = "", extra: Mapping[str, Any] | None = None) -> Spec:
    """Read one condition: ``"heavy rain at night"``, ``"fog=80m"``, ``"sunset + wet road"``.

    Args:
        phrase: Words and quantities.
        seed: Of the spec.
        name: Of the spec; a slug of the phrase when empty.
        extra: Fields that win over what the words imply.

    Raises:
        SpecError: As `parse_specs`.
    """
    words = _words_of(phrase)
    fields: Fields = {}
    for word in words:
        for key, value in word.sets.items():
            if fields.get(key, value) != value:
                message = f"{phrase!r} says two things about {key}: {fields[key]} and {value}"
                raise SpecError(message, reason="impossible")
            fields[key] = value
    for word in words:
        for key, value in word.implies.items():
            fields.setdefault(key, value)
    return spec_from(
        {**fields, **(extra or {}), "name": name or slug(phrase), "seed": seed}, where=repr(phrase)
    )


def spec_from(fields: Mapping[str, Any], *, where: str, natural: bool = True) -> Spec:
    """Make a spec of plain values, with our errors instead of pydantic's.

    Args:
        fields: By their names in `Spec`.
        where: For messages.
        natural: Refuse what cannot be in nature; simulators can show that too.

    Raises:
        SpecError: `unknown_word` for a field, `out_of_range` for a value, `impossible` for a combination.
    """
    unknown = [str(key) for key in fields if key not in Spec.model_fields]
    if unknown:
        message = f"{where}: a spec has no field {unknown[0]!r}{_nearest(unknown[0], _FIELDS)}"
        raise SpecError(message, reason="unknown_word", hint="fields: " + ", ".join(Spec.model_fields))
    try:
        spec = Spec.model_validate(dict(fields))
    except ValidationError as exc:
        first = exc.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        said = str(first["msg"]).removeprefix("Value error, ")
        if not place:
            message = f"{where}: {said}"
            raise SpecError(message, reason="impossible") from exc
        message = f"{where}: {place} = {first['input']!r}: {said}"
        raise SpecError(message, reason="out_of_range") from exc
    why = impossible(spec) if natural else ""
    if why:
        message = f"{where}: {why}"
        raise SpecError(message, reason="impossible")
    return spec


def impossible(spec: Spec) -> str:
    """Say why a condition cannot be in nature; empty when it can."""
    sun_up = spec.sun_elevation_deg is None or spec.sun_elevation_deg > 0
    glare = (
        spec.sun_elevation_deg is not None
        and 0 < spec.sun_elevation_deg <= 12
        and (spec.clouds_okta or 0) <= 4
    )
    rules = (
        ((spec.rain_mm_h or 0) >= 0.5 and spec.wetness is not None and spec.wetness < 0.1,
         "rain wets the road: wetness under 0.1 is not possible with rain_mm_h of 0.5 or more"),
        ((spec.snow_mm_h or 0) >= 0.1 and (spec.sand_cover or 0) > 0,
         "snow falls on drifted sand: not modelled"),
        ((spec.snow_cover or 0) > 0 and (spec.sand_cover or 0) > 0,
         "snow_cover and sand_cover exclude each other"),
        ((spec.spray or 0) > 0 and spec.wetness is not None and spec.wetness < 0.1,
         "spray needs a wet road"),
        (glare and sun_up and (spec.fog_mor_m or 1e9) < 200 and spec.clouds_okta is not None,
         "a clear sky with a low sun is not seen through fog under 200 m"),
        (spec.clouds_okta is not None and spec.clouds_okta <= 2 and (spec.fog_mor_m or 1e9) < 200,
         "a clear sky is not seen through fog under 200 m"),
    )  # fmt: skip
    return next((why for holds, why in rules if holds), "")


def known_words() -> str:
    """List the words and quantities, grouped, for errors and for `worldgen specs`."""
    groups: dict[str, list[str]] = {}
    for name, word in WORDS.items():
        groups.setdefault(word.group, []).append(name)
    lists = "; ".join(f"{group}: {', '.join(names)}" for group, names in groups.items())
    quantities = "fog 80 m, rain 5 mm/h, snow 2 mm/h, sun 4 deg, clouds 6 okta, exposure -2 stops"
    return f"{lists}; quantities: {quantities}"


def slug(phrase: str) -> str:
    """Turn a phrase into a name that is safe in file names: ``heavy_rain_at_night``."""
    text = phrase.lower().replace("/", " per ").replace("=", " ").replace("%", " percent")
    text = re.sub(r"(?<![\w])-(?=\d)", "minus ", text)
    text = re.sub(r"(\d)\.(\d)", r"\1p\2", text)
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")[:80]


def _words_of(phrase: str) -> list[Word]:
    """Find quantities, then field assignments, then the longest known words."""
    rest = re.sub(r"[_\s()]+", " ", phrase.lower()).strip()
    rest = re.sub(r"\b(?:of|at|with)\s+(?=[-+]?\d)", "", rest)
    found: list[Word] = []

    def take(match: re.Match[str], make: Callable[[float], Word]) -> str:
        found.append(make(float(match.group(1))))
        return " | "

    for name in sorted(_FIELDS, key=len, reverse=True):
        spoken = name.replace("_", " ")
        pattern = rf"\b{spoken}\s*[=:]\s*([-+\w.]+)"
        found.extend(Word({name: _value(value)}) for value in re.findall(pattern, rest))
        rest = re.sub(pattern, " | ", rest)
    rest = re.sub(r"(?<=[a-z])\s*[=:]\s*(?=[-+\d])", " ", rest)
    for pattern, make in _QUANTITIES:
        rest = re.sub(rf"(?<![\w]){pattern}", lambda m, make=make: take(m, make), rest)  # type: ignore[misc]  # mypy cannot infer lambdas with defaults
    for piece in re.split(r"[|+&/]|\s-\s", rest.replace("dawn/dusk", "dusk").replace("-", " ")):
        found.extend(_longest_words(piece.split(), phrase))
    if not found:
        raise _unknown(phrase, phrase)
    return found


def _longest_words(tokens: list[str], phrase: str) -> list[Word]:
    found: list[Word] = []
    at = 0
    while at < len(tokens):
        for end in range(min(len(tokens), at + 5), at, -1):
            word = VOCABULARY.get(" ".join(tokens[at:end]))
            if word:
                found.append(word)
                at = end
                break
        else:
            if tokens[at] not in _FILLERS:
                later = at + 1 if tokens[at] in _LEVELS and at + 1 < len(tokens) else at
                raise _unknown(tokens[later], phrase)
            at += 1
    return found


def _unknown(token: str, phrase: str) -> SpecError:
    near = _nearest(phrase if len(phrase.split()) <= 3 else token, VOCABULARY) or _nearest(token, VOCABULARY)
    inside = "" if token == phrase else f" in {phrase!r}"
    message = f"unknown condition {token!r}{inside}{near}"
    return SpecError(
        message, reason="unknown_word", hint=f"known: {known_words()}; or a preset (`worldgen specs`)"
    )


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.lower(), list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _whole(value: float) -> int | float:
    return int(value) if value == int(value) else value
