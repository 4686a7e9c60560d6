"""Specs from what people write: words, numbers with units, presets, files."""

import re
from collections.abc import Iterable
from pathlib import Path

from worldgen.config import load_yaml
from worldgen.config.phrases import impossible, known_words, parse_spec, slug, spec_from
from worldgen.config.presets import Preset, entries_of, find_preset, presets
from worldgen.datatypes import Spec
from worldgen.errors import ConfigError, SpecError

__all__ = [
    "Preset",
    "find_preset",
    "impossible",
    "known_words",
    "load_specs",
    "parse_spec",
    "parse_specs",
    "presets",
    "slug",
    "spec_from",
]


def parse_specs(text: str, *, seed: int = 0) -> tuple[Spec, ...]:
    """Read a comma-separated list of conditions: ``"fog 50 m, heavy rain at night, carla18"``.

    Each part is a preset's name, or words and quantities that hold together. A spec that was already
    named in the same list is left out: it would be the same variant.

    Raises:
        SpecError: `unknown_word` with what is known, `out_of_range`, or `impossible` together.
    """
    parts = [p.strip() for p in re.split(r"[,;\n]", text)]
    parts = [p for p in parts if p]
    if not parts:
        message = "no condition was named"
        raise SpecError(message, reason="unknown_word", hint=known_words())
    ready = presets(seed=seed)
    specs: list[Spec] = []
    for part in parts:
        preset = ready.get(re.sub(r"[\s-]+", "_", part.lower()))
        specs.extend(preset.specs if preset else (parse_spec(part, seed=seed),))
    return _distinct(specs)


def load_specs(path: Path, *, seed: int = 0) -> tuple[Spec, ...]:
    """Read a YAML or JSON file: a list of conditions, each in words or as fields of a spec.

    Raises:
        SpecError: The file is not there, or an entry is wrong; the message says which.
    """
    try:
        content = load_yaml(path)
    except ConfigError as exc:
        reason = "not_found" if exc.reason == "not_found" else "unexpected"
        raise SpecError(exc.message, reason=reason, hint=exc.hint) from exc
    specs = entries_of(content, seed=seed, where=path.name)
    if not specs:
        message = f"{path} names no condition"
        raise SpecError(message, reason="unexpected")
    return _distinct(specs)


def _distinct(specs: Iterable[Spec]) -> tuple[Spec, ...]:
    """Leave out what is the same variant; refuse one name for two."""
    kept: dict[str, Spec] = {}
    names: dict[str, str] = {}
    for spec in specs:
        if spec.identity in kept:
            continue
        name = spec.name
        number = 2
        while name in names:
            name = f"{spec.name}_{number}"
            number += 1
        names[name] = spec.identity
        kept[spec.identity] = spec if name == spec.name else spec.model_copy(update={"name": name})
    return tuple(kept.values())
