"""nuScenes-like JSON: read.

The subset that is understood:

1. The tables of nuScenes, as a folder (``sample_data.json``, ``sample_annotation.json``, ...) or merged into
   one object with the table names as keys: sample_data (one camera), calibrated_sensor, ego_pose,
   sample_annotation, and category through instance. Boxes come from projecting the cuboids; instances are
   tracks; visibility levels stay an attribute. One scene only.
2. The list that nuScenes' ``export_2d_annotations_as_json.py`` writes: bbox_corners, category_name, filename,
   instance_token, visibility_token.

Source: nuScenes, docs/schema_nuscenes.md. Lidar points, maps, attributes of attributes and sweeps without
annotations are left out.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Box2d, Camera, FrameLabels, Labels, ObjectLabel
from worldgen.datatypes.labels import Box3d
from worldgen.imaging.boxes import clip_outline, corners_of, outline_of, truncation_of
from worldgen.sources.labels.categories import category_of
from worldgen.sources.labels.document import Json, invalid, load, numbers, other_source
from worldgen.sources.labels.frames import place_frames

TABLES: Final = ("sample_data", "calibrated_sensor", "ego_pose", "sample_annotation")
_OPTIONAL: Final = ("instance", "category", "sensor", "sample", "scene")
# Box axes of nuScenes: x forward, y left, z up; ours: x forward, y down, z left.
_FLU_FROM_BOX: Final = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float64)


def load_tables(folder: Path) -> Json:
    """Read the tables of a folder into one object.

    Raises:
        LabelError: `invalid`, `not_found`.
    """
    found = {name: folder / f"{name}.json" for name in (*TABLES, *_OPTIONAL)}
    return {name: load(path) for name, path in found.items() if path.is_file()}


def is_nuscenes(raw: object) -> bool:
    """Whether a JSON document is in one of the two shapes."""
    if isinstance(raw, dict):
        return all(isinstance(raw.get(name), list) for name in TABLES)
    return isinstance(raw, list) and bool(raw) and isinstance(raw[0], dict) and "bbox_corners" in raw[0]


def read_nuscenes(raw: Any, *, width: int, height: int, frames: int, what: str) -> Labels:  # noqa: ANN401 -- JSON
    """Read nuScenes-like labels.

    Raises:
        LabelError: `invalid`, `other_source`.
    """
    try:
        if isinstance(raw, list):
            return _read_flat(raw, width, height, frames, what)
        return _read_tables(raw, width, height, frames, what)
    except (KeyError, TypeError, IndexError) as exc:
        raise invalid(f"{what}: a nuScenes table lacks {exc}") from exc


def _read_flat(raw: list[Json], width: int, height: int, frames: int, what: str) -> Labels:
    by_file: dict[str, list[Json]] = {}
    for entry in raw:
        by_file.setdefault(str(entry["filename"]), []).append(entry)
    files = sorted(by_file)
    places = place_frames([None] * len(files), frames=frames, what=what)
    tracks: dict[str, int] = {}
    labelled = []
    for file, place in zip(files, places, strict=True):
        objects: list[ObjectLabel] = []
        for entry in by_file[file]:
            left, top, right, bottom = numbers(entry["bbox_corners"], 4, f"{what}: bbox_corners")
            box = Box2d(left=left, top=top, right=right, bottom=bottom)
            name = str(entry.get("category_name", "other"))
            token = str(entry.get("instance_token", f"{file}:{len(objects)}"))
            objects.append(
                ObjectLabel(
                    id=tracks.setdefault(token, len(tracks) + 1),
                    category=category_of(name),
                    box2d=box,
                    pixels_high=box.height,
                    attributes=_attributes(name, entry),
                )
            )
        labelled.append(FrameLabels(frame=place, objects=tuple(objects)))
    return Labels(width=width, height=height, frames=tuple(labelled), source_format="nuscenes")


def _read_tables(raw: Json, width: int, height: int, frames: int, what: str) -> Labels:
    shots, sensor = _shots(raw, width, height, frames, what)
    intrinsic = np.asarray(sensor["camera_intrinsic"], np.float64)
    if intrinsic.shape != (3, 3):
        raise invalid(f"{what}: camera_intrinsic must be 3 x 3")
    # nuScenes' cameras use the same axes as ours; its ego frame is FLU at the rear axle, on the ground.
    camera = Camera(
        width=width,
        height=height,
        fx=float(intrinsic[0, 0]),
        fy=float(intrinsic[1, 1]),
        cx=float(intrinsic[0, 2]),
        cy=float(intrinsic[1, 2]),
        height_m=float(sensor["translation"][2]),
    )
    poses = {p["token"]: _rigid(p) for p in raw["ego_pose"]}
    names = _names(raw)
    by_sample: dict[str, list[Json]] = {}
    for annotation in raw["sample_annotation"]:
        by_sample.setdefault(annotation["sample_token"], []).append(annotation)
    tracks: dict[str, int] = {}
    labelled = []
    for place, shot in enumerate(shots):
        if not shot.get("is_key_frame", True):
            continue
        world_from_camera = poses[shot["ego_pose_token"]] @ _rigid(sensor)
        camera_from_world = np.asarray(np.linalg.inv(world_from_camera), np.float64)
        objects = []
        for annotation in by_sample.get(shot["sample_token"], []):
            token = str(annotation.get("instance_token") or annotation["token"])
            identity = tracks.setdefault(token, len(tracks) + 1)
            name = str(annotation.get("category_name") or names.get(token, "other"))
            label = _label(annotation, identity, name, camera_from_world, camera)
            if label is not None:
                objects.append(label)
        labelled.append(FrameLabels(frame=place, objects=tuple(objects)))
    return Labels(width=width, height=height, frames=tuple(labelled), camera=camera, source_format="nuscenes")


def _shots(raw: Json, width: int, height: int, frames: int, what: str) -> tuple[list[Json], Json]:
    """Choose the camera's pictures that are the clip's frames: all of them, or the key frames."""
    sensors = {s["token"]: s for s in raw["calibrated_sensor"]}
    cameras: dict[str, list[Json]] = {}
    for shot in raw["sample_data"]:
        sensor = sensors.get(shot["calibrated_sensor_token"])
        if sensor is not None and sensor.get("camera_intrinsic"):
            cameras.setdefault(shot["calibrated_sensor_token"], []).append(shot)
    if len(cameras) != 1:
        raise invalid(f"{what} has {len(cameras)} cameras; give sample_data and calibrated_sensor of one")
    token, shots = next(iter(cameras.items()))
    shots.sort(key=lambda s: s["timestamp"])
    sizes = {(s.get("width"), s.get("height")) for s in shots} - {(None, None)}
    if sizes and sizes != {(width, height)}:
        raise other_source(f"{what} is for pictures of {sorted(sizes)}, the clip is {width}x{height}")
    for chosen in (shots, [s for s in shots if s.get("is_key_frame", True)]):
        if len(chosen) == frames:
            return chosen, sensors[token]
    raise other_source(f"{what} has {len(shots)} pictures, the clip {frames} frames")


def _label(
    annotation: Json,
    identity: int,
    name: str,
    camera_from_world: npt.NDArray[np.float64],
    camera: Camera,
) -> ObjectLabel | None:
    wide, long, tall = numbers(annotation["size"], 3, "size")
    pose = camera_from_world @ _rigid(annotation)
    pose[:3, :3] = pose[:3, :3] @ _FLU_FROM_BOX
    outline = outline_of(corners_of((long, tall, wide), pose), camera)
    box = None if outline is None else clip_outline(outline, camera)
    if outline is None or box is None:
        return None
    x, y, z = (float(v) for v in pose[:3, 3])
    yaw = float(np.arctan2(-pose[2, 0], pose[0, 0]))
    return ObjectLabel(
        id=identity,
        category=category_of(name),
        box2d=box,
        box3d=Box3d(center_m=(x, y, z), size_m=(long, tall, wide), yaw_rad=yaw),
        truncation=round(truncation_of(outline, camera), 4),
        range_m=float(np.linalg.norm(pose[:3, 3])),
        pixels_high=box.height,
        attributes=_attributes(name, annotation),
    )


def _attributes(name: str, entry: Json) -> dict[str, str]:
    out = {"category": name}
    if entry.get("visibility_token"):
        # 1: 0-40% visible, 2: 40-60%, 3: 60-80%, 4: 80-100%, over all cameras of the vehicle.
        out["nuscenes_visibility"] = str(entry["visibility_token"])
    return out


def _names(raw: Json) -> dict[str, str]:
    categories = {c["token"]: str(c["name"]) for c in raw.get("category", [])}
    return {i["token"]: categories.get(i.get("category_token"), "other") for i in raw.get("instance", [])}


def _rigid(record: Json) -> npt.NDArray[np.float64]:
    """Build the transform of a record's translation and rotation (quaternion, w first)."""
    w, x, y, z = np.asarray(numbers(record["rotation"], 4, "rotation")) / max(
        float(np.linalg.norm(record["rotation"])), 1e-12
    )
    out = np.eye(4)
    out[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    out[:3, 3] = numbers(record["translation"], 3, "translation")
    return out
