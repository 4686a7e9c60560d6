"""The manifest: one source per line, and what to make of it."""

import json
from pathlib import Path

from pydantic import ConfigDict, Field, ValidationError

from worldgen.datatypes.digest import Value
from worldgen.errors import ConfigError


class ManifestLine(Value):
    """One source of a bulk job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """A path; relative ones start at the manifest's folder."""
    specs: tuple[str, ...] = Field(min_length=1)
    labels: str | None = None
    calibration: str | None = None
    camera: str | None = None
    seed: int = Field(default=0, ge=0)


def read_manifest(path: Path) -> tuple[ManifestLine, ...]:
    """Read a JSON-lines manifest.

    Raises:
        ConfigError: No such file, nothing in it, or a line that is wrong (with its number).
    """
    if not path.is_file():
        message = f"no manifest {path}"
        raise ConfigError(message, reason="not_found")
    lines = []
    for number, text in enumerate(path.read_text().splitlines(), start=1):
        if not text.strip():
            continue
        try:
            line = ManifestLine.model_validate(json.loads(text))
        except (ValidationError, ValueError) as error:
            message = f"{path}, line {number}: {error}"
            raise ConfigError(message, reason="invalid") from error
        base = path.resolve().parent
        found = {
            field: str(base / getattr(line, field))
            for field in ("source", "labels", "calibration")
            if getattr(line, field)
        }
        lines.append(line.model_copy(update=found))
    if not lines:
        message = f"{path} names no source"
        raise ConfigError(message, reason="invalid")
    return tuple(lines)
