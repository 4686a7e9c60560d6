"""Inspect: say what a path is and all that is wrong with it, without raising and without writing."""

from pathlib import Path
from typing import Literal

from worldgen.datatypes import Camera, Source
from worldgen.datatypes.digest import Value
from worldgen.errors import SourceError, WorldgenError
from worldgen.media.limits import Limits
from worldgen.media.video import VideoInfo, probe
from worldgen.sources.open import cameras_of, open_source, read_source_clip

Severity = Literal["error", "warning", "info"]
_ASSUMED_FPS = 10.0


class Problem(Value):
    """One thing that is wrong, or that a user may not expect."""

    code: str
    """Stable: the code of the error that using this path would raise, or `note`."""
    message: str
    hint: str = ""
    severity: Severity = "error"
    """error: cannot be used. warning: can be used, with less. info: good to know."""


class Inspection(Value):
    """What a path is. Fields that do not apply, or could not be found out, are empty."""

    path: str
    kind: str = ""
    """video, images, carla_dump, carla_clip, controls; empty when it is nothing that can be read."""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    frames: int | None = None
    seconds: float | None = None
    cameras: tuple[str, ...] = ()
    sensors: dict[str, str] = {}
    video: VideoInfo | None = None
    """Codec, depth, colour and rotation of a video file."""
    carla_version: str = ""
    condition: str = ""
    labels: tuple[str, ...] = ()
    """Files beside it that look like its labels; give one with --labels."""
    labelled_frames: int | None = None
    calibration: Camera | None = None
    calibrations: tuple[str, ...] = ()
    """Files beside it that look like its calibration; give one with --calibration."""
    depths: tuple[str, ...] = ()
    """Files or folders beside it that look like measured depth: LiDAR or stereo."""
    sha256: str = ""
    is_decoded: bool = False
    """Every frame was decoded and counted."""
    problems: tuple[Problem, ...] = ()


def inspect_path(
    path: Path,
    *,
    camera: str | None = None,
    fps: float | None = None,
    decode: bool = True,
    limits: Limits | None = None,
) -> Inspection:
    """Look at a file or folder of any kind.

    Args:
        path: What to look at.
        camera: Which camera of a recording.
        fps: Rate of a folder of pictures.
        decode: Also decode every frame, which finds damage that no header tells.
        limits: What it may cost.
    """
    path = Path(path)
    limits = limits or Limits()
    problems: list[Problem] = []
    found: dict[str, object] = {"path": str(path)}
    try:
        source = _open(path, camera, fps, limits, problems)
        found |= _facts(path, source, limits)
        problems += [Problem(code="note", message=note, severity="info") for note in source.notes]
        problems += _gaps(source)
        if decode and source.kind != "controls":
            read_source_clip(source, limits)
            found["is_decoded"] = True
    except WorldgenError as error:
        problems.append(_problem(error))
    except Exception as error:  # noqa: BLE001 -- inspecting must report, whatever happens
        message = f"could not look at {path}: {type(error).__name__}: {error}"
        problems.append(Problem(code="source.unexpected", message=message))
    return Inspection.model_validate({**found, "problems": tuple(problems)})


def sidecars(path: Path, words: tuple[str, ...]) -> tuple[str, ...]:
    """Find data files or folders beside a path, or in it, whose name carries one of the words."""
    folder = path if path.is_dir() else path.parent
    try:
        beside = sorted(folder.iterdir())
    except OSError:
        return ()
    return tuple(
        str(p)
        for p in beside
        if any(word in p.name.lower() for word in words)
        and (p.is_dir() or p.suffix.lower() in (".json", ".txt", ".yaml", ".yml", ".npz", ".npy"))
        and (path.is_dir() or p.name.startswith(path.stem))
    )


def _open(
    path: Path, camera: str | None, fps: float | None, limits: Limits, problems: list[Problem]
) -> Source:
    """Open; a folder of pictures without a rate is looked at as if it had one, and the lack is told."""
    try:
        return open_source(path, camera=camera, fps=fps, limits=limits)
    except SourceError as error:
        if error.reason != "missing_fps":
            raise
        problems.append(_problem(error))
        return open_source(path, camera=camera, fps=_ASSUMED_FPS, limits=limits)


def _facts(path: Path, source: Source, limits: Limits) -> dict[str, object]:
    knows_rate = not (source.kind == "images" and source.fps == _ASSUMED_FPS)
    labels = source.labels
    return {
        "kind": source.kind,
        "width": source.width,
        "height": source.height,
        "fps": source.fps if knows_rate else None,
        "frames": source.frames,
        "seconds": source.frames / source.fps if knows_rate else None,
        "cameras": cameras_of(path) if source.kind != "controls" else (source.camera_name,),
        "sensors": source.sensors,
        "video": probe(path, limits) if source.kind == "video" else None,
        "carla_version": source.carla_version,
        "condition": source.condition.label if source.condition else "",
        "labels": sidecars(path, ("label", "coco", "openlabel", "annotation", "kitti", "nuscenes")),
        "labelled_frames": len(labels.frames) if labels is not None else None,
        "calibration": source.calibration,
        "calibrations": sidecars(path, ("calib",)),
        "depths": sidecars(path, ("depth", "lidar", "velodyne")) if source.kind == "video" else (),
        "sha256": source.sha256,
    }


def _gaps(source: Source) -> list[Problem]:
    """Name what is missing for the most that could be made of this source."""
    gaps = []
    if source.calibration is None and source.kind != "controls":
        message = "no calibration: the field of view is assumed, and ranges in metres are only relative"
        gaps.append(Problem(code="note", message=message, hint="--calibration FILE", severity="info"))
    if source.kind in ("carla_dump", "carla_clip") and "depth" not in source.sensors:
        error = SourceError("no depth sensor: geometry comes from the clip itself", reason="missing_sensor")
        gaps.append(_problem(error, "warning"))
    if source.labels is None and source.kind != "controls":
        gaps.append(Problem(code="note", message="no labels: nothing is said of objects", severity="info"))
    return gaps


def _problem(error: WorldgenError, severity: Severity = "error") -> Problem:
    return Problem(code=error.code, message=error.message, hint=error.hint, severity=severity)
