"""Trajectories: how a car drives, frame by frame, as a JSON file of nine numbers a step."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from worldgen.errors import ConfigError

WIDTH: Final = 9
"""Translation in metres, then two columns of the rotation matrix; OpenCV's axes: x right, y down, z ahead."""
_MAX_BYTES: Final = 10_000_000
_UNIT_WITHIN: Final = 0.05


def read_trajectory(path: Path) -> npt.NDArray[np.float32]:
    """Read a trajectory: a JSON list with one list of nine numbers for each step from a frame to the next.

    Returns:
        float32 [steps, 9].

    Raises:
        ConfigError: `not_found`, or `invalid`, naming the step.
    """
    if not path.is_file():
        message = f"there is no trajectory {path}"
        raise ConfigError(message, reason="not_found")
    if path.stat().st_size > _MAX_BYTES:
        message = f"{path} has {path.stat().st_size} bytes; a trajectory has at most {_MAX_BYTES}"
        raise ConfigError(message, reason="invalid")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        message = f"{path} is no JSON: {exc}"
        raise ConfigError(message, reason="invalid") from exc
    if not isinstance(rows, list) or not rows:
        message = f"{path} is no list of steps with {WIDTH} numbers each"
        raise ConfigError(message, reason="invalid")
    for index, row in enumerate(rows):
        if why := _fault(row):
            message = f"{path}, step {index + 1}: {why}"
            hint = "3 numbers of translation in metres, then 6 of the rotation matrix: two columns of it"
            raise ConfigError(message, reason="invalid", hint=hint)
    return np.asarray(rows, np.float32)


def _fault(row: object) -> str:
    if not isinstance(row, list) or len(row) != WIDTH:
        return f"{WIDTH} numbers are wanted"
    if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in row):
        return "not every value is a number"
    values = np.asarray(row, np.float64)
    if not np.isfinite(values).all():
        return "not every number is finite"
    one, other = values[3:6], values[6:9]
    lengths = np.linalg.norm(one), np.linalg.norm(other)
    if max(abs(length - 1) for length in lengths) > _UNIT_WITHIN or abs(one @ other) > _UNIT_WITHIN:
        return "numbers 4 to 9 are no two columns of a rotation matrix: each of length 1, at right angles"
    return ""
