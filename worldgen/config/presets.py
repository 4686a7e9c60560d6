"""Presets: named lists of specs, read from the files of configs/specs."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from worldgen.config import find_configs, load_yaml
from worldgen.config.phrases import parse_spec, slug, spec_from
from worldgen.datatypes import Spec
from worldgen.datatypes.digest import Value
from worldgen.errors import ConfigError, SpecError


class Preset(Value):
    """A list of specs that belong together."""

    name: str
    title: str
    description: str
    specs: tuple[Spec, ...]
    excluded: tuple[tuple[str, str], ...] = ()
    """Of a matrix: the combinations that were left out, each with the reason."""
    ladder_field: str = ""
    """Of a ladder: the field that its rungs differ in."""


class Ladder(Value):
    """One field in steps, everything else the same: what `stress` walks along."""

    field: str
    values: tuple[float, ...]
    words: str = ""
    """What holds on every rung."""


class Matrix(Value):
    """Every combination of words, one of each axis, that can be in nature."""

    axes: dict[str, tuple[str, ...]]
    exclude: tuple["Exclusion", ...] = ()


class Exclusion(Value):
    """A rule: combinations that hold one word of each named axis are left out."""

    words: dict[str, tuple[str, ...]]
    reason: str


class PresetFile(Value):
    """One file of configs/specs."""

    title: str
    description: str
    specs: tuple[str | dict[str, Any], ...] = ()
    matrix: Matrix | None = None
    ladder: Ladder | None = None


def presets(*, seed: int = 0) -> dict[str, Preset]:
    """Return all presets by name, in the order of their names.

    Raises:
        ConfigError: A file of configs/specs is wrong; the message says which.
    """
    return {name: _seeded(preset, seed) for name, preset in _presets().items()}


def find_preset(name: str, *, seed: int = 0) -> Preset:
    """Return one preset.

    Raises:
        SpecError: There is none of that name; the message lists those that are.
    """
    import difflib

    known = presets(seed=seed)
    key = slug(name)
    if key not in known:
        near = difflib.get_close_matches(key, list(known), n=1)
        message = f"no preset {name!r}" + (f"; did you mean {near[0]}?" if near else "")
        raise SpecError(message, reason="not_found", hint="presets: " + ", ".join(known))
    return known[key]


def entries_of(content: Any, *, seed: int, where: str) -> list[Spec]:  # noqa: ANN401 -- a parsed file
    """Read the entries of a spec file: a list, or a mapping with `specs`, `matrix` or `ladder`.

    Raises:
        SpecError: An entry is wrong.
    """
    if isinstance(content, Mapping) and {"specs", "matrix", "ladder"} & set(content):
        body = {"title": "", "description": "", **content}
        return list(_preset_of(where, body, seed=seed).specs)
    if isinstance(content, Mapping):
        content = [content] if content else []
    if not isinstance(content, list):
        message = f"{where}: expected a list of specs, got {type(content).__name__}"
        raise SpecError(message, reason="unexpected")
    return [_entry(item, seed=seed, where=f"{where}, entry {i + 1}") for i, item in enumerate(content)]


@lru_cache(maxsize=1)
def _presets() -> dict[str, Preset]:
    found: dict[str, Preset] = {}
    for path in sorted((find_configs() / "specs").glob("*.yaml")):
        try:
            found[path.stem] = _preset_of(path.stem, load_yaml(path), seed=0)
        except SpecError as exc:
            message = f"configs/specs/{path.name}: {exc.message}"
            raise ConfigError(message, reason="invalid") from exc
    return found


def _preset_of(name: str, body: Any, *, seed: int) -> Preset:  # noqa: ANN401 -- a parsed file
    try:
        file = PresetFile.model_validate(body)
    except ValidationError as exc:
        first = exc.errors()[0]
        message = f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise SpecError(message, reason="unexpected") from exc
    specs = entries_of(list(file.specs), seed=seed, where=name) if file.specs else []
    excluded: list[tuple[str, str]] = []
    if file.matrix:
        more, excluded = combine(file.matrix, seed=seed)
        specs.extend(more)
    if file.ladder:
        specs.extend(rungs(file.ladder, seed=seed, where=name))
    return Preset(
        name=name,
        title=file.title,
        description=" ".join(file.description.split()),
        specs=tuple(specs),
        excluded=tuple(excluded),
        ladder_field=file.ladder.field if file.ladder else "",
    )


def combine(matrix: Matrix, *, seed: int = 0) -> tuple[list[Spec], list[tuple[str, str]]]:
    """Multiply the axes; return the specs, and what was left out with the reason.

    A combination is left out when a rule of the file excludes it, when its words contradict each other,
    or when a spec refuses it.

    Raises:
        SpecError: A word is unknown.
    """
    from itertools import product

    specs: list[Spec] = []
    excluded: list[tuple[str, str]] = []
    for choice in product(*matrix.axes.values()):
        chosen = dict(zip(matrix.axes, choice, strict=True))
        phrase = " + ".join(choice)
        rule = next((r for r in matrix.exclude if all(chosen.get(a) in w for a, w in r.words.items())), None)
        if rule:
            excluded.append((phrase, rule.reason))
            continue
        try:
            specs.append(parse_spec(phrase, seed=seed, name="__".join(slug(c) for c in choice)))
        except SpecError as exc:
            if exc.reason == "unknown_word":
                raise
            excluded.append((phrase, exc.message))
    return specs, excluded


def rungs(ladder: Ladder, *, seed: int = 0, where: str = "ladder") -> list[Spec]:
    """Make the specs of a ladder, in its order.

    Raises:
        SpecError: A value is out of range, or the field is unknown.
    """
    return [
        _entry(
            {"words": ladder.words, ladder.field: value, "name": slug(f"{ladder.field}={value:g}")},
            seed=seed,
            where=where,
        )
        for value in ladder.values
    ]


def _entry(item: Any, *, seed: int, where: str) -> Spec:  # noqa: ANN401 -- of a parsed file
    if isinstance(item, str):
        return parse_spec(item, seed=seed)
    if not isinstance(item, Mapping):
        message = f"{where}: expected words or fields, got {item!r}"
        raise SpecError(message, reason="unexpected")
    fields = {"seed": seed, **{str(k): v for k, v in item.items()}}
    words = fields.pop("words", "")
    if words:
        return parse_spec(str(words), seed=fields.pop("seed"), name=str(fields.pop("name", "")), extra=fields)
    name = fields.get("name") or slug(
        " ".join(f"{k} {v}" for k, v in item.items() if k not in ("seed", "keep"))
    )
    return spec_from({**fields, "name": name}, where=where)


def _seeded(preset: Preset, seed: int) -> Preset:
    if not seed:
        return preset
    specs = tuple(spec.model_copy(update={"seed": seed}) for spec in preset.specs)
    return preset.model_copy(update={"specs": specs})
