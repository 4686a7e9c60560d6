"""KITTI labels: the object benchmark's (one text file per frame) and the tracking benchmark's (one file).

Object: ``type truncated occluded alpha left top right bottom height width length x y z rotation_y [score]``.
Tracking puts ``frame track_id`` before. Location is the middle of the box's bottom, camera axes, metres.
Source: KITTI development kits, readme.txt. Occlusion is a class there (fully visible, partly, largely), not a
share: only "fully visible" becomes a number, the class itself stays an attribute.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from worldgen.datatypes import Box2d, Box3d, FrameLabels, IgnoreRegion, Labels, ObjectLabel
from worldgen.errors import LabelError
from worldgen.sources.labels.categories import category_of
from worldgen.sources.labels.document import MAX_BYTES, invalid, trailing_number
from worldgen.sources.labels.frames import place_frames

_OBJECT_FIELDS: Final = (15, 16)
_TRACKING_FIELDS: Final = (17, 18)
_OCCLUDED: Final = {0: "fully visible", 1: "partly occluded", 2: "largely occluded", 3: "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    frame: int | None
    track: int | None
    kind: str
    values: tuple[float, ...]
    """truncated, occluded, alpha, left, top, right, bottom, height, width, length, x, y, z, rotation_y."""


def is_kitti(path: Path) -> bool:
    """Whether a path is a KITTI text file, or a folder of them."""
    if path.is_dir():
        return any(path.glob("*.txt"))
    return path.suffix.lower() == ".txt"


def read_kitti(path: Path, *, width: int, height: int, frames: int, what: str) -> Labels:
    """Read KITTI labels.

    Raises:
        LabelError: `invalid`, `other_source`.
    """
    rows: dict[int, list[_Row]] = {}
    if path.is_dir():
        files = sorted(path.glob("*.txt"))
        places = place_frames([trailing_number(f.name) for f in files], frames=frames, what=what)
        rows = {place: list(_rows_of(file)) for file, place in zip(files, places, strict=True)}
    else:
        for row in _rows_of(path):
            rows.setdefault(row.frame or 0, []).append(row)
        if any(row.frame is None for of_frame in rows.values() for row in of_frame) and frames != 1:
            message = f"{what} is a KITTI file of one frame, the clip has {frames} frames"
            raise LabelError(message, reason="other_source", hint="give the folder with one file per frame")
    return Labels(
        width=width,
        height=height,
        frames=tuple(_frame(index, rows[index]) for index in sorted(rows)),
        source_format="kitti",
    )


def _rows_of(path: Path) -> Iterator[_Row]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LabelError(f"{path} is larger than {MAX_BYTES >> 20} MiB", reason="invalid")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise LabelError(f"cannot read {path}: {exc}", reason="invalid") from exc
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        where = f"{path.name}:{number}"
        tracked = len(fields) in _TRACKING_FIELDS
        if not tracked and len(fields) not in _OBJECT_FIELDS:
            message = (
                f"{where} has {len(fields)} fields; KITTI labels have 15 or 16, tracking labels 17 or 18"
            )
            raise LabelError(message, reason="unknown_format")
        start = 2 if tracked else 0
        try:
            values = tuple(float(v) for v in fields[start + 1 : start + 15])
            frame, track = (int(fields[0]), int(fields[1])) if tracked else (None, None)
        except ValueError as exc:
            raise invalid(f"{where}: {exc}") from exc
        if not all(math.isfinite(v) for v in values):
            raise invalid(f"{where}: not a number")
        yield _Row(frame=frame, track=track, kind=fields[start], values=values)


def _frame(index: int, rows: list[_Row]) -> FrameLabels:
    objects = []
    ignore = []
    for number, row in enumerate(rows):
        if row.kind.lower() == "dontcare":
            ignore.append(IgnoreRegion(reason="given", box2d=_box2d(row)))
        else:
            # Without tracks an id only tells the objects of one frame apart.
            identity = row.track if row.track is not None else index * 10_000 + number + 1
            objects.append(_object(row, identity))
    return FrameLabels(frame=index, objects=tuple(objects), ignore=tuple(ignore))


def _box2d(row: _Row) -> Box2d:
    left, top, right, bottom = row.values[3:7]
    return Box2d(left=left, top=top, right=right, bottom=bottom)


def _object(row: _Row, identity: int) -> ObjectLabel:
    truncated, occluded = row.values[0], int(row.values[1])
    tall, wide, long, x, y, z, turn = row.values[7:14]
    has_box = tall > 0 and z > -999
    attributes = {"category": row.kind}
    if occluded in _OCCLUDED:
        attributes["kitti_occluded"] = _OCCLUDED[occluded]
    share = truncated if 0 <= truncated <= 1 and row.track is None else 0.0 if truncated == 0 else None
    box = _box2d(row)
    return ObjectLabel(
        id=identity,
        category=category_of(row.kind),
        box2d=box,
        box3d=Box3d(center_m=(x, y - tall / 2, z), size_m=(long, tall, wide), yaw_rad=turn)
        if has_box
        else None,
        occlusion=0.0 if occluded == 0 else None,
        truncation=share,
        range_m=math.sqrt(x * x + (y - tall / 2) ** 2 + z * z) if has_box else None,
        pixels_high=box.height,
        attributes=attributes,
    )
