"""A label file, read as JSON without trusting it: what every reader needs."""

import json
import math
import re
from pathlib import Path
from typing import Any, Final, TypeAlias

from worldgen.datatypes import Box2d
from worldgen.errors import LabelError

Json: TypeAlias = dict[str, Any]

_LARGEST: Final = 1e9
"""No pixel and no metre is beyond this."""
MAX_BYTES: Final = 1 << 30
_NUMBER_AT_END = re.compile(r"(\d+)$")


def load(path: Path) -> Any:  # noqa: ANN401 -- whatever the file holds
    """Read a JSON file.

    Raises:
        LabelError: `not_found`, `invalid` (not JSON, NaN or infinity in it, too large).
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LabelError(f"{path} is larger than {MAX_BYTES >> 20} MiB", reason="invalid")
        return json.loads(path.read_bytes(), parse_constant=_refuse)
    except FileNotFoundError as exc:
        raise LabelError(f"no such file: {path}", reason="not_found") from exc
    except (OSError, ValueError, RecursionError) as exc:
        raise LabelError(f"{path} is not JSON: {exc}", reason="invalid") from exc


def _refuse(name: str) -> float:
    msg = f"{name} is not a number"
    raise ValueError(msg)


def numbers(value: object, count: int, what: str) -> tuple[float, ...]:
    """Check a list of `count` finite numbers.

    Raises:
        LabelError: `invalid`.
    """
    if not isinstance(value, list | tuple) or len(value) != count:
        raise invalid(f"{what} must be {count} numbers, got {_short(value)}")
    plain = [v for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(plain) != count or not all(math.isfinite(v) and abs(v) <= _LARGEST for v in plain):
        raise invalid(f"{what} must be {count} numbers, got {_short(value)}")
    return tuple(float(v) for v in value)


def box_from_corner(value: object, what: str) -> Box2d:
    """Read COCO's [left, top, width, height]."""
    left, top, width, height = numbers(value, 4, what)
    if width < 0 or height < 0:
        raise invalid(f"{what} has a negative size: {_short(value)}")
    return Box2d(left=left, top=top, right=left + width, bottom=top + height)


def trailing_number(name: str) -> int | None:
    """Read the number at the end of a file's stem: ``frame_000012.png`` is 12."""
    found = _NUMBER_AT_END.search(Path(name).stem)
    return int(found[1]) if found else None


def of_type(value: object, kind: type, what: str) -> Any:  # noqa: ANN401 -- of that type
    """Check a type.

    Raises:
        LabelError: `invalid`.
    """
    if not isinstance(value, kind):
        raise invalid(f"{what} must be {kind.__name__}, got {_short(value)}")
    return value


def invalid(message: str) -> LabelError:
    """Say what is wrong in a label file."""
    return LabelError(message, reason="invalid")


def other_source(message: str) -> LabelError:
    """Say that labels belong to another clip."""
    return LabelError(message, reason="other_source", hint="are these the labels of this clip?")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
