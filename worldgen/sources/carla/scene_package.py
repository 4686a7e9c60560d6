"""The scene package of a Cosmos clip: ClipGT tables in Parquet -> map elements, actors and ego poses.

Frames there are FLU (x forward, y left, z up), the world's origin at the first pose of the rear axle on the
ground; quaternions x, y, z, w; sizes length, width, height. Source: CARLA, ue58-dev,
carla_cosmos/clipgt.py and scene.py (MIT), whose schemas were taken from NVIDIA's ClipGT.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from worldgen.datatypes import MapElement, Scene, SceneBox
from worldgen.datatypes.scene import ElementKind, Point3, matrix_of
from worldgen.errors import SourceError
from worldgen.sources.carla.axes import OURS_FROM_FLU, box_from_flu, from_flu

_Row = dict[str, Any]
_Pose = npt.NDArray[np.float64]
_MAX_BYTES: Final = 256 << 20
_MAX_GAP_MICROS: Final = 500_000
_CATEGORIES: Final = {
    "automobile": "car",
    "other_vehicle": "car",
    "heavy_truck": "truck",
    "bus": "bus",
    "person": "pedestrian",
    "rider": "rider",
}
_PATTERNS: Final = {
    "SOLID_SINGLE": "solid",
    "DASHED_SINGLE": "dashed",
    "SOLID_DOUBLE": "double solid",
    "DASHED_DOUBLE": "double dashed",
}
_LINES: Final[tuple[ElementKind, ...]] = ("road_boundary", "pole", "wait_line", "road_marking", "crosswalk")
_PLATES: Final[tuple[ElementKind, ...]] = ("traffic_light", "traffic_sign")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScenePackage:
    """A scene package, in our axes."""

    timestamps_micros: tuple[int, ...]
    world_from_ego: Float64[npt.NDArray[np.float64], "t 4 4"]
    scene: Scene


def read_scene_package(folder: Path, clip_id: str, frames: int) -> ScenePackage:
    """Read a scene package.

    Args:
        folder: The ``scene`` folder.
        clip_id: Which prefixes every file.
        frames: Of the clip; the poses must be as many.

    Raises:
        SourceError: `missing_sensor` without egomotion or obstacles, `bad_manifest`, `count_mismatch`.
    """
    ego = sorted(
        (_timestamp(row), row["egomotion_estimate"]) for row in _table(folder, clip_id, "egomotion_estimate")
    )
    if len(ego) != frames:
        message = f"{folder}: egomotion_estimate has {len(ego)} poses, the clip has {frames} frames"
        raise SourceError(message, reason="count_mismatch")
    stamps = tuple(stamp for stamp, _ in ego)
    poses = np.stack([from_flu(_pose(row["location"], row["orientation"])) for _, row in ego])
    scene = Scene(
        elements=_elements(folder, clip_id),
        boxes=_boxes(_table(folder, clip_id, "obstacle"), stamps),
        light_states=_light_states(folder / f"{clip_id}.traffic_light_states.json", stamps),
    )
    return ScenePackage(timestamps_micros=stamps, world_from_ego=poses, scene=scene)


def _table(folder: Path, clip_id: str, name: str, *, required: bool = True) -> list[_Row]:
    import pyarrow.parquet

    path = folder / f"{clip_id}.{name}.parquet"
    if not path.is_file():
        if required:
            raise SourceError(f"the scene package has no {path.name}", reason="missing_sensor")
        return []
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"{path} is larger than {_MAX_BYTES >> 20} MiB", reason="too_large")
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as exc:
        raise SourceError(f"{path} is not Parquet: {exc}", reason="bad_manifest") from exc
    for row in rows:
        if not isinstance(row.get(name), dict) or not isinstance(row.get("key"), dict):
            raise SourceError(f"{path} has not the columns of ClipGT (key, {name})", reason="bad_manifest")
    return list(rows)


def _timestamp(row: _Row) -> int:
    return int(row["key"]["timestamp_micros"])


def _point(value: _Row) -> Point3:
    x, y, z = OURS_FROM_FLU[:3, :3] @ (value["x"], value["y"], value["z"])
    return float(x), float(y), float(z)


def _pose(location: _Row, orientation: _Row) -> _Pose:
    """Build a FLU pose from a position and a quaternion x, y, z, w."""
    quaternion = np.array([orientation[k] for k in "xyzw"], np.float64)
    x, y, z, w = quaternion / max(float(np.linalg.norm(quaternion)), 1e-12)
    out = np.eye(4)
    out[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    out[:3, 3] = [location[k] for k in "xyz"]
    return out


def _boxes(rows: list[_Row], stamps: tuple[int, ...]) -> tuple[tuple[SceneBox, ...], ...]:
    tracks: dict[str, list[tuple[int, _Row]]] = {}
    for row in rows:
        tracks.setdefault(str(row["obstacle"]["trackline_id"]), []).append((_timestamp(row), row["obstacle"]))
    frames: list[list[SceneBox]] = [[] for _ in stamps]
    names = sorted(tracks)
    taken = {int(n) for n in names if n.isdigit()}
    free = max(taken, default=0) + 1
    for name in names:
        identity = int(name) if name.isdigit() else free
        free += 0 if name.isdigit() else 1
        seen = sorted(tracks[name], key=lambda one: one[0])
        for frame, stamp in enumerate(stamps):
            at = _at(seen, stamp)
            if at is not None:
                frames[frame].append(_box(identity, name, *at))
    return tuple(tuple(boxes) for boxes in frames)


def _at(seen: list[tuple[int, _Row]], stamp: int) -> tuple[_Row, _Pose] | None:
    """Find a track at a moment: as observed, or between two observations that are near or stand still.

    Parked cars are written at the first and last moment only. A track with a longer gap was hidden.
    """
    before = next((one for one in reversed(seen) if one[0] <= stamp), None)
    after = next((one for one in seen if one[0] >= stamp), None)
    if before is None or after is None:
        return None
    first = _pose(before[1]["center"], before[1]["orientation"])
    if before[0] == stamp:
        return before[1], first
    second = _pose(after[1]["center"], after[1]["orientation"])
    stands = float(np.abs(first - second).max()) < 1e-3
    if not stands and after[0] - before[0] > _MAX_GAP_MICROS:
        return None
    share = (stamp - before[0]) / (after[0] - before[0])
    between = first + share * (second - first)
    u, _, vt = np.linalg.svd(between[:3, :3])
    between[:3, :3] = u @ vt
    return before[1], between


def _box(identity: int, name: str, row: _Row, pose: _Pose) -> SceneBox:
    size = row["size"]
    category = str(row.get("category") or "other")
    return SceneBox(
        id=identity,
        category=_CATEGORIES.get(category, "other"),
        size_m=(float(size["x"]), float(size["z"]), float(size["y"])),
        world_from_box=matrix_of(box_from_flu(pose)),
        attributes={"clipgt_category": category, "trackline_id": name},
    )


def _elements(folder: Path, clip_id: str) -> tuple[MapElement, ...]:
    found: list[MapElement] = []
    for row in _table(folder, clip_id, "lane_line", required=False):
        line = row["lane_line"]
        colours, styles = line.get("colors") or ["UNKNOWN"], line.get("styles") or ["UNKNOWN"]
        style = f"{colours[0].lower()} {_PATTERNS.get(styles[0], styles[0].lower().replace('_', ' '))}"
        points = tuple(_point(p) for p in line["line_rail"])
        found.append(MapElement(kind="lane_line", points_m=points, style=style))
    for kind in _LINES:
        for row in _table(folder, clip_id, kind, required=False):
            value = row[kind]
            found.append(
                MapElement(
                    kind=kind,
                    points_m=tuple(_point(p) for p in value["location"]),
                    is_area=kind == "crosswalk",
                    attributes={"category": str(value.get("category") or "")},
                )
            )
    for kind in _PLATES:
        for row in _table(folder, clip_id, kind, required=False):
            value = row[kind]
            attributes = {"category": str(value.get("category") or "")}
            found.append(MapElement(kind=kind, points_m=_plate(value), is_area=True, attributes=attributes))
    return tuple(found)


def _plate(value: _Row) -> tuple[Point3, ...]:
    """Outline the largest upright face through the middle of a light's or a sign's box."""
    size = value["dimensions"]
    pose = _pose(value["center"], value["orientation"])
    across = (0.0, size["y"] / 2, 0.0) if size["y"] >= size["x"] else (size["x"] / 2, 0.0, 0.0)
    side, up = np.array(across), np.array((0.0, 0.0, size["z"] / 2))
    corners = (-side - up, side - up, side + up, -side + up)
    turned = [pose[:3, :3] @ corner + pose[:3, 3] for corner in corners]
    return tuple(_point({"x": c[0], "y": c[1], "z": c[2]}) for c in turned)


def _light_states(path: Path, stamps: tuple[int, ...]) -> tuple[dict[str, str], ...]:
    if not path.is_file():
        return ()
    try:
        raw = json.loads(path.read_bytes())
        states = dict(zip(raw["timestamps_micros"], raw["states"], strict=True))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise SourceError(f"{path} cannot be read: {exc}", reason="bad_manifest") from exc
    known = {"red", "yellow", "green"}
    return tuple(
        {
            str(light): str(state).lower() if str(state).lower() in known else "unknown"
            for light, state in (states.get(stamp) or {}).items()
        }
        for stamp in stamps
    )
