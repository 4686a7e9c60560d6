"""Specs as users give them: words, preset names, files, values."""

from collections.abc import Sequence
from pathlib import Path

from worldgen.config.specs import load_specs, parse_specs
from worldgen.datatypes import Spec
from worldgen.errors import SpecError

Specs = str | Sequence[str | Spec]

_FILES = (".yaml", ".yml", ".json")


def specs_of(specs: Specs, *, seed: int = 0) -> tuple[Spec, ...]:
    """Turn words, preset names, spec files and specs into specs, each once.

    Raises:
        SpecError: An unknown word (with what is known), a value out of range, or nothing at all.
    """
    parts: list[Spec] = []
    for item in [specs] if isinstance(specs, str | Spec) else specs:
        if isinstance(item, Spec):
            parts.append(item)
        elif item.endswith(_FILES):
            parts.extend(load_specs(Path(item), seed=seed))
        else:
            parts.extend(parse_specs(item, seed=seed))
    if not parts:
        message = "no spec was given; `worldgen specs` lists the words and presets"
        raise SpecError(message, reason="not_found")
    return tuple({spec.identity: spec for spec in parts}.values())
