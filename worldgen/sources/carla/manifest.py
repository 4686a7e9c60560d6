"""The manifest of a worldgen dump: everything about a recording that is not a pixel.

::

    recording/
      manifest.json          this
      frames.jsonl           one `FrameRecord` per line
      rgb/000000.png ...     one folder per sensor (and camera, when there are several)
      depth/ semantic/ instance/ flow/
"""

import json
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError, model_validator

from worldgen.datatypes import Camera
from worldgen.datatypes.digest import Value
from worldgen.datatypes.scene import MapElement, Matrix4, SceneBox
from worldgen.errors import LabelError, SourceError
from worldgen.sources.calibration import check_camera

SensorKind: TypeAlias = Literal["rgb", "depth", "semantic", "instance", "flow"]
SENSOR_KINDS: Final[tuple[SensorKind, ...]] = ("rgb", "depth", "semantic", "instance", "flow")
MANIFEST_NAME: Final = "manifest.json"
FRAMES_NAME: Final = "frames.jsonl"
_RIGID: Final = 1e-3
_FARTHEST_M: Final = 1e7
_MAX_JSON_BYTES: Final = 256 << 20
FORMAT: Final = "worldgen-dump"


class SensorFiles(Value):
    """Where the pictures of one sensor are: ``<folder>/<index, six digits>.<png or bgra>``."""

    folder: str
    encoding: Literal["png", "bgra"] = "png"
    """bgra: the raw buffer, height x width x 4 bytes; for flow, two little-endian float32 per pixel."""


class CameraRecord(Value):
    """One camera of the rig."""

    camera: Camera
    ego_from_camera: Matrix4
    """Ego axes: x right, y down, z forward; origin on the ground, under the rear axle where known."""
    sensors: dict[SensorKind, SensorFiles]


class Recorder(Value):
    """Who made the recording."""

    name: Literal["carla", "proving_ground", "other"]
    version: str


class FrameRecord(Value):
    """One line of frames.jsonl."""

    index: int
    seconds: float
    """Since the first frame."""
    world_from_ego: Matrix4
    simulator_frame: int | None = None
    """The simulator's own frame id (`carla.SensorData.frame`), for exactness over sensors."""
    actors: tuple[SceneBox, ...] = ()
    light_states: dict[str, str] = Field(default_factory=dict)


class DumpHead(Value):
    """What is known of a recording before its first frame."""

    origin: Recorder
    carla_version: str = "0.9.15"
    """Of the tag numbers in the semantic pictures; the proving ground writes those of 0.9.15."""
    fps: float = Field(gt=0)
    map: str = ""
    weather: dict[str, float] = Field(default_factory=dict)
    """Names of CARLA's WeatherParameters; `Spec` field names (snow_mm_h, fog_mor_m, ...) beside them."""
    instance_ids: Literal["actors", "unrelated"] = "actors"
    """actors: ids in instance pictures are those of the actors; otherwise they are matched by overlap."""
    flow_direction: Literal["to_next", "from_previous"] = "to_next"
    elements: tuple[MapElement, ...] = ()
    """Lanes, boundaries, signs and the like, in world axes."""
    license: str = ""
    seed: int | None = None
    created: str = ""
    notes: tuple[str, ...] = ()


class DumpManifest(DumpHead):
    """manifest.json of layout (a)."""

    format: Literal["worldgen-dump"] = "worldgen-dump"
    version: Literal[1] = 1
    frames: int = Field(ge=1)
    cameras: dict[str, CameraRecord] = Field(min_length=1)

    @model_validator(mode="after")
    def _folders_stay_inside(self) -> "DumpManifest":
        for name, record in self.cameras.items():
            for kind, files in record.sensors.items():
                parts = Path(files.folder).parts
                if Path(files.folder).is_absolute() or ".." in parts or not parts:
                    msg = f"folder of {name}/{kind} must lie inside the recording, got {files.folder!r}"
                    raise ValueError(msg)
        return self


def read_manifest(folder: Path) -> DumpManifest:
    """Read and check manifest.json.

    Raises:
        SourceError: `not_found`, `unknown_version`, `missing_calibration`, or `bad_manifest` with the field.
    """
    raw = read_json(folder / MANIFEST_NAME)
    if not raw.get("carla_version"):
        message = f"{folder / MANIFEST_NAME} has no carla_version: semantic tags cannot be read without it"
        raise SourceError(message, reason="unknown_version", hint='add "carla_version", e.g. "0.9.15"')
    cameras = raw.get("cameras")
    for name, record in cameras.items() if isinstance(cameras, dict) else ():
        if not isinstance(record, dict) or not record.get("camera") or not record.get("ego_from_camera"):
            message = (
                f"camera {name!r} of {folder / MANIFEST_NAME} has no calibration (camera, ego_from_camera)"
            )
            raise SourceError(
                message,
                reason="missing_calibration",
                hint="give camera and ego_from_camera; CARLA: fx = width / (2 tan(fov / 2))",
            )
    try:
        manifest = DumpManifest.model_validate(raw)
    except ValidationError as exc:
        raise bad_manifest(folder / MANIFEST_NAME, exc) from exc
    for name, camera in manifest.cameras.items():
        what = f"camera {name!r} of {folder / MANIFEST_NAME}"
        try:
            check_camera(camera.camera, what)
        except LabelError as exc:
            raise SourceError(exc.message, reason="bad_manifest") from exc
        if not check_rigid(np.array([camera.ego_from_camera], np.float64)).all():
            message = f"{what}: ego_from_camera is not a rotation and a move in right-handed axes"
            raise SourceError(message, reason="bad_manifest")
    return manifest


def read_frames(folder: Path, count: int) -> tuple[FrameRecord, ...]:
    """Read frames.jsonl: exactly `count` lines, indices 0, 1, 2, ...

    Raises:
        SourceError: `missing_frame`, `doubled_frame`, `count_mismatch` or `bad_manifest`.
    """
    path = folder / FRAMES_NAME
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            message = f"{path} is larger than {_MAX_JSON_BYTES >> 20} MiB"
            raise SourceError(message, reason="too_large")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        message = f"cannot read {path}: {exc}"
        raise SourceError(message, reason="bad_manifest") from exc
    records: list[FrameRecord] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            record = FrameRecord.model_validate_json(line)
        except ValidationError as exc:
            raise bad_manifest(Path(f"{path}:{number + 1}"), exc) from exc
        expected = len(records)
        if record.index < expected:
            message = f"{path} has frame {record.index} twice"
            raise SourceError(message, reason="doubled_frame")
        if record.index > expected:
            message = f"{path} has no frame {expected} (line {number + 1} is frame {record.index})"
            raise SourceError(message, reason="missing_frame")
        records.append(record)
    _check_poses(tuple(records), path)
    if len(records) != count:
        message = f"{path} has {len(records)} frames, the manifest promises {count}"
        raise SourceError(message, reason="count_mismatch")
    return tuple(records)


def check_rigid(matrices: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Say which 4 x 4 transforms are a rotation and a move; a mirrored one (left-handed axes) is not."""
    turns = matrices[:, :3, :3]
    with np.errstate(all="ignore"):
        squares = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        upright = (squares < _RIGID) & (np.linalg.det(np.nan_to_num(turns)) > 0)
        last = np.abs(matrices[:, 3] - (0, 0, 0, 1)).max(axis=1) < _RIGID
        near = np.abs(matrices[:, :3, 3]).max(axis=1) < _FARTHEST_M
    return np.asarray(upright & last & near, np.bool_)


def _check_poses(records: tuple[FrameRecord, ...], path: Path) -> None:
    named = [(f"world_from_ego of frame {r.index}", r.world_from_ego) for r in records]
    named += [
        (f"{b.category} {b.id} of frame {r.index}", b.world_from_box) for r in records for b in r.actors
    ]
    if not named:
        return
    rigid = check_rigid(np.array([matrix for _, matrix in named], np.float64))
    if not rigid.all():
        wrong = named[int(np.argmin(rigid))][0]
        message = f"{path}: {wrong} is not a rotation and a move in right-handed axes"
        hint = "x right, y down, z forward; worldgen.sources.carla.axes converts from Unreal's"
        raise SourceError(message, reason="bad_manifest", hint=hint)


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object.

    Raises:
        SourceError: `not_found` or `bad_manifest`.
    """
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            message = f"{path} is larger than {_MAX_JSON_BYTES >> 20} MiB"
            raise SourceError(message, reason="too_large")
        raw = json.loads(path.read_bytes())
    except FileNotFoundError as exc:
        message = f"no such file: {path}"
        raise SourceError(message, reason="not_found") from exc
    except (OSError, ValueError, RecursionError) as exc:
        message = f"{path} is not JSON: {exc}"
        raise SourceError(message, reason="bad_manifest") from exc
    if not isinstance(raw, dict):
        message = f"{path} must hold a JSON object, not {type(raw).__name__}"
        raise SourceError(message, reason="bad_manifest")
    return raw


def bad_manifest(path: Path, exc: ValidationError) -> SourceError:
    """Say which field of a manifest is wrong, and why."""
    first = exc.errors()[0]
    where = ".".join(str(p) for p in first["loc"]) or "it"
    more = f" (and {exc.error_count() - 1} more)" if exc.error_count() > 1 else ""
    return SourceError(f"{path}: {where}: {first['msg']}{more}", reason="bad_manifest")
