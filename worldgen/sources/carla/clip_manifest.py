"""manifest.json of layout (b): the clip folder of CARLA's own Cosmos client, ``format_version`` 1.

Source: CARLA, branch ue58-dev, PythonAPI/examples/nvidia/cosmos/client (clip.py, contracts.py, MIT).
"""

import math
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worldgen.datatypes import Camera
from worldgen.errors import SourceError
from worldgen.sources.carla.axes import OURS_FROM_FLU, flu_matrix, mounting
from worldgen.sources.carla.manifest import MANIFEST_NAME, bad_manifest, read_json

KINDS: Final = ("rgb", "depth", "seg", "edge", "semantic")


class _Open(BaseModel):
    """Fields that a later client adds are no reason to refuse a clip."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ClipCamera(_Open):
    """One camera of the rig, FLU axes from the rear axle on the ground; metres and degrees."""

    name: str
    hfov: float = Field(gt=0, lt=180)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    lens: Literal["pinhole"] = "pinhole"
    t_flu: tuple[float, float, float]
    rpy_flu: tuple[float, float, float]


class ClipRig(_Open):
    """The rig."""

    name: str = ""
    cameras: tuple[ClipCamera, ...] = Field(min_length=1)


class ClipManifest(_Open):
    """What the client writes beside the videos."""

    format_version: Literal[1]
    clip_id: str
    carla_version: str = ""
    map: str = ""
    weather: dict[str, float] = Field(default_factory=dict)
    rig: ClipRig
    fps: float = Field(gt=0)
    frames: int = Field(ge=1)
    videos: dict[str, str]
    scene_dir: str | None = None
    seed: int | None = None


def is_clip_folder(raw: dict[str, object]) -> bool:
    """Whether a manifest.json is that of a Cosmos clip folder."""
    return "format_version" in raw and "videos" in raw


def read_clip_manifest(folder: Path) -> ClipManifest:
    """Read and check the manifest of a clip folder.

    Raises:
        SourceError: `bad_manifest`, `missing_calibration`, `not_found`.
    """
    path = folder / MANIFEST_NAME
    raw = read_json(path)
    if raw.get("format_version") != 1:
        message = f"{path} is of format_version {raw.get('format_version')!r}; 1 is read"
        raise SourceError(message, reason="bad_manifest")
    rig = raw.get("rig")
    cameras = rig.get("cameras") if isinstance(rig, dict) else None
    if not isinstance(cameras, list) or not cameras:
        raise SourceError(f"{path} has no rig with cameras", reason="missing_calibration")
    for camera in cameras:
        lacking = [k for k in ("hfov", "width", "height", "t_flu", "rpy_flu") if not (camera or {}).get(k)]
        if lacking:
            name = (camera or {}).get("name", "?")
            message = f"camera {name!r} of {path} has no {', '.join(lacking)}"
            raise SourceError(message, reason="missing_calibration")
    try:
        manifest = ClipManifest.model_validate(raw)
    except ValidationError as exc:
        raise bad_manifest(path, exc) from exc
    for name in (*manifest.videos.values(), *([manifest.scene_dir] if manifest.scene_dir else [])):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise SourceError(f"{path} names {name!r}, outside the clip", reason="bad_manifest")
    return manifest


def file_name_of(camera: str) -> str:
    """Write a camera's name as in file names: ``camera:front:wide:120fov`` has underscores there."""
    return camera.replace(":", "_")


def camera_of(manifest: ClipManifest, name: str | None, folder: Path) -> ClipCamera:
    """Find a camera by either spelling; the first one by default.

    Raises:
        SourceError: `unknown_camera`.
    """
    if name is None:
        return manifest.rig.cameras[0]
    for camera in manifest.rig.cameras:
        if file_name_of(camera.name) == file_name_of(name):
            return camera
    known = ", ".join(c.name for c in manifest.rig.cameras)
    raise SourceError(f"{folder} has no camera {name!r}; it has: {known}", reason="unknown_camera")


def video_of(manifest: ClipManifest, kind: str, camera: ClipCamera) -> str | None:
    """Find the file of one kind of video of a camera."""
    for key, name in manifest.videos.items():
        of_kind, _, of_camera = key.partition("/")
        if of_kind == kind and file_name_of(of_camera) == file_name_of(camera.name):
            return name
    return None


def ego_from_camera(camera: ClipCamera) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Mount a camera in our axes: ego x right, y down, z forward, origin on the ground."""
    pose = flu_matrix(camera.t_flu, camera.rpy_flu)
    return np.asarray(OURS_FROM_FLU @ pose @ OURS_FROM_FLU.T, np.float64)


def calibration_of(camera: ClipCamera) -> Camera:
    """Build intrinsics: an ideal pinhole, its axis through the middle of the picture, as Unreal renders."""
    focal = camera.width / 2 / math.tan(math.radians(camera.hfov) / 2)
    height_m, pitch_rad, roll_rad = mounting(ego_from_camera(camera))
    return Camera(
        width=camera.width,
        height=camera.height,
        fx=focal,
        fy=focal,
        cx=(camera.width - 1) / 2,
        cy=(camera.height - 1) / 2,
        height_m=height_m,
        pitch_rad=pitch_rad,
        roll_rad=roll_rad,
    )
