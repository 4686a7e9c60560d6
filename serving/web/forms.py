"""The form: what can be asked for, and the request that it makes."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData

from worldgen.config.presets import Preset, presets
from worldgen.config.specs import parse_specs
from worldgen.config.words import WORDS
from worldgen.datatypes import Spec
from worldgen.errors import ServiceError, SpecError
from worldgen.report.words import details_of
from worldgen.wire import JobRequest, source_name

_EXACT: Final[tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...]] = (
    # Group -> (field, name, unit, step).
    (
        "Rain, snow, fog",
        (
            ("rain_mm_h", "Rain", "mm/h", "any"),
            ("snow_mm_h", "Snowfall", "mm/h", "any"),
            ("fog_mor_m", "Visibility in fog", "m", "any"),
            ("dust_mor_m", "Visibility in dust", "m", "any"),
            ("clouds_okta", "Clouds", "of 8", "1"),
        ),
    ),
    (
        "Light",
        (
            ("sun_elevation_deg", "Sun above the horizon", "degrees", "any"),
            ("sun_azimuth_deg", "Sun, from straight ahead", "degrees", "any"),
            ("exposure_stops", "Exposure", "stops", "any"),
        ),
    ),
    (
        "Road and lens",
        (
            ("wetness", "Wetness of the road", "", "any"),
            ("snow_cover", "Snow on the ground", "", "any"),
            ("sand_cover", "Sand on the road", "", "any"),
            ("spray", "Spray of vehicles", "", "any"),
            ("lens_drops", "Drops on the lens", "", "any"),
        ),
    ),
)
_GROUPS: Final = ("weather", "light", "road", "camera")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactField:
    """One number of a spec, as the form asks for it."""

    field: str
    name: str
    unit: str
    step: str
    least: float
    most: float
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One line of what was chosen: what is sent, and what it means."""

    value: str
    """Words, a preset's name, or the JSON of typed fields."""
    name: str
    meaning: str
    count: int


@cache
def exact_fields() -> tuple[tuple[str, tuple[ExactField, ...]], ...]:
    """Read names, units and limits of the typed fields, from the spec itself."""
    properties = Spec.model_json_schema()["properties"]

    def one(field: str, name: str, unit: str, step: str) -> ExactField:
        schema = properties[field]
        limits = next(part for part in schema["anyOf"] if part["type"] != "null")
        least, most = limits["minimum"], limits["maximum"]
        about = str(schema.get("description", ""))
        return ExactField(field=field, name=name, unit=unit, step=step, least=least, most=most, help=about)

    return tuple((group, tuple(one(*row) for row in rows)) for group, rows in _EXACT)


@cache
def word_groups() -> tuple[tuple[str, tuple[Choice, ...]], ...]:
    """List the words that can be said, by group, each with its meaning."""
    return tuple(
        (group, tuple(_words_choice(word) for word in WORDS if WORDS[word].group == group and _stands(word)))
        for group in _GROUPS
    )


@cache
def preset_choices() -> tuple[tuple[Preset, Choice], ...]:
    """List the presets."""
    return tuple((preset, _preset_choice(preset)) for preset in presets().values())


def read_words(text: str) -> tuple[Choice, ...]:
    """Read what somebody typed: words, quantities and presets, separated by commas.

    Raises:
        SpecError: Something is not known, or contradicts itself.
    """
    parts = [part.strip() for part in text.replace("\n", ",").replace(";", ",").split(",") if part.strip()]
    if not parts:
        message = "type a condition, such as: heavy rain at night"
        raise SpecError(message, reason="unexpected")
    known = presets()
    named = [known.get(part.lower().replace(" ", "_").replace("-", "_")) for part in parts]
    return tuple(
        _preset_choice(p) if p else _words_choice(part) for part, p in zip(parts, named, strict=True)
    )


def read_exact(form: FormData) -> Choice:
    """Read the typed fields of a form as one condition.

    Raises:
        SpecError: `out_of_range` or contradictory, or nothing is set.
    """
    names = [field.field for _, fields in exact_fields() for field in fields]
    given = {name: str(form.get(name, "")).strip() for name in names}
    fields: dict[str, Any] = {name: text for name, text in given.items() if text}
    if not fields and form.get("headlights", "auto") == "auto":
        message = "no value is set"
        raise SpecError(message, reason="unexpected", hint="fill in at least one field")
    fields["headlights"] = str(form.get("headlights", "auto"))
    name = str(form.get("spec_name", "")).strip()[:80]
    spec = _typed(fields, seed=0)
    meaning = ", ".join(details_of(spec)) or f"headlights {spec.headlights}"
    sent = spec.model_dump(mode="json", exclude_defaults=True, exclude={"seed"}) | (
        {"name": name} if name else {}
    )
    return Choice(
        value=json.dumps(sent), name=name or spec.asks_for or "exact values", meaning=meaning, count=1
    )


def request_of(form: FormData) -> JobRequest:
    """Make the request that a filled-in form stands for.

    Raises:
        ServiceError: `invalid`, with the first thing that is missing or wrong.
        SpecError: A typed condition is wrong.
    """
    source = str(form.get("source", "")).strip()
    if not source:
        message = "no clip was given"
        raise ServiceError(message, reason="invalid", hint="choose a file, or name an address or a path")
    chosen = [str(value) for value in form.getlist("specs")]
    if not chosen:
        message = "no condition was chosen"
        raise ServiceError(message, reason="invalid", hint="choose at least one condition")
    try:
        seed = TypeAdapter(int).validate_python(str(form.get("seed") or "0"))
        specs = tuple(_typed(json.loads(v), seed=seed) if v.startswith("{") else v for v in chosen)
        fields = {
            name: str(form[name]).strip()
            for name in ("model", "camera", "labels", "calibration", "priority")
            if str(form.get(name, "")).strip()
        }
        minutes = str(form.get("deadline_minutes", "")).strip()
        deadline = {"deadline_seconds": float(minutes) * 60} if minutes else {}
        fields["source_name"] = source_name(str(form.get("source_name", "")).strip())
        return JobRequest.model_validate(
            {"source": source, "specs": specs, "seed": seed, **fields, **deadline}
        )
    except ValidationError as exc:
        first = exc.errors()[0]
        message = f"{'.'.join(map(str, first['loc'])) or 'seed'}: {first['msg']}"
        raise ServiceError(message, reason="invalid") from exc
    except ValueError as exc:
        message = f"the form holds something that is not a value: {exc}"
        raise ServiceError(message, reason="invalid") from exc


def _typed(fields: dict[str, Any], *, seed: int) -> Spec:
    try:
        return Spec.model_validate({**fields, "seed": seed})
    except ValidationError as exc:
        first = exc.errors()[0]
        where = str(first["loc"][0]) if first["loc"] else ""
        message = (f"{where}: " if where else "") + first["msg"].removeprefix("Value error, ")
        raise SpecError(message, reason="out_of_range" if where else "impossible") from exc


def _words_choice(text: str) -> Choice:
    spec = parse_specs(text)[0]
    lamps = "" if spec.headlights == "auto" else f"headlights {spec.headlights}"
    meaning = ", ".join([*details_of(spec), *([lamps] if lamps else [])])
    return Choice(value=text, name=text, meaning=meaning, count=1)


def _preset_choice(preset: Preset) -> Choice:
    return Choice(value=preset.name, name=preset.title, meaning=preset.description, count=len(preset.specs))


def _stands(word: str) -> bool:
    """Whether a word is a whole condition; some only say more of another."""
    try:
        parse_specs(word)
    except SpecError:
        return False
    return True
