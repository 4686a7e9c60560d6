"""Open: whatever the user named becomes a source, or a typed error. Nothing is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, cast, get_args

from worldgen.datatypes import (
    Camera,
    Clip,
    Condition,
    ConditionClass,
    ControlKind,
    Geometry,
    Labels,
    Origins,
    Scene,
    Source,
    SourceKind,
)
from worldgen.errors import LabelError, SourceError, SpecError, boundary
from worldgen.media.limits import Limits
from worldgen.media.video import sha256_of
from worldgen.sources.calibration import read_calibration
from worldgen.sources.captions import caption_beside, read_caption
from worldgen.sources.controls_only import ControlVideos
from worldgen.sources.images import ImageFolders
from worldgen.sources.labels import read_labels
from worldgen.sources.protocol import Request, SourceReader
from worldgen.sources.recordings import CarlaRecordings
from worldgen.sources.sidecar import read_depth_sidecar
from worldgen.sources.video import VideoFiles

_RECORDINGS: Final = CarlaRecordings()
READERS: Final[tuple[SourceReader, ...]] = (_RECORDINGS, ControlVideos(), ImageFolders(), VideoFiles())
"""Asked in this order; the first that recognises a path reads it."""
_PLAIN: Final = ("video", "images")
_OF_KIND: Final[dict[SourceKind, SourceReader]] = {
    "carla_dump": _RECORDINGS,
    "carla_clip": _RECORDINGS,
    "controls": READERS[1],
    "images": READERS[2],
    "video": READERS[3],
}


def open_source(
    path: Path,
    *,
    camera: str | None = None,
    labels: Path | Labels | None = None,
    calibration: Path | Camera | None = None,
    fps: float | None = None,
    condition: Condition | str | None = None,
    control: ControlKind | None = None,
    depth: Path | None = None,
    caption: Path | None = None,
    limits: Limits | None = None,
    digest: Callable[[Path], str] = sha256_of,
) -> Source:
    """Probe a path and what lies beside it.

    Args:
        path: A video file, a folder of pictures, a CARLA recording, a folder of control videos.
        camera: Which camera of a recording; its first by default.
        labels: File or folder of labels (COCO, KITTI, OpenLABEL, nuScenes-like), or labels read already.
        calibration: File with the camera's calibration, or a camera.
        fps: Rate of a folder of pictures.
        condition: The source's own weather and light, where known; a class such as "night" will do.
        control: The path is one control video of this kind, not RGB.
        depth: Depth measured beside a video or pictures: LiDAR or stereo (`worldgen.sources.sidecar`).
        caption: File with the clip's caption; else the one that lies beside it by name, if there is one.
        limits: What a file may cost.
        digest: Names a file by its content, for callers that remember files.

    Raises:
        SourceError: The path cannot be used.
        LabelError: Labels or calibration cannot be used, or belong to another source.
    """
    path = Path(path)
    request = Request(camera=camera, fps=fps, control=control, limits=limits or Limits(), digest=digest)
    with boundary(SourceError, f"open {path}"):
        source = reader_of(path, request).open(path, request)
    beside: dict[str, object] = {}
    if calibration is not None:
        beside["calibration"] = _calibration(calibration, source)
    if labels is not None:
        beside["labels"] = _labels(labels, source)
    if condition is not None:
        beside["condition"] = given_condition(condition) if isinstance(condition, str) else condition
    if depth is not None:
        beside["sensors"] = {**source.sensors, "depth": str(_sidecar(Path(depth), source, beside))}
    beside |= _caption(path, caption, source)
    return source.model_copy(update=beside)


def cameras_of(path: Path) -> tuple[str, ...]:
    """Name the cameras of a path, the default one first.

    Raises:
        SourceError: The path cannot be used.
    """
    return reader_of(Path(path), Request()).cameras(Path(path))


def reader_of(path: Path, request: Request) -> SourceReader:
    """Choose the reader for a path.

    Raises:
        SourceError: not_found, empty, or not_a_video for a folder that holds nothing readable.
    """
    if not path.exists():
        raise SourceError(f"no such file or folder: {path}", reason="not_found")
    for reader in READERS:
        if reader.recognises(path, request):
            return reader
    what = (
        "is an empty folder" if not any(path.iterdir()) else "is a folder without anything that can be read"
    )
    raise SourceError(
        f"{path} {what}",
        reason="empty" if what.startswith("is an empty") else "not_a_video",
        hint="a video file, a folder of pictures, of control videos, or a CARLA recording",
    )


def read_source_clip(source: Source, limits: Limits | None = None) -> Clip:
    """Decode the RGB frames of a source.

    Raises:
        SourceError: It does not hold what it promised, or has no RGB.
    """
    with boundary(SourceError, f"read {source.uri}"):
        clip = _OF_KIND[source.kind].read_clip(source, limits or Limits())
        if len(clip) != source.frames or clip.size != (source.width, source.height):
            width, height = clip.size
            message = (
                f"{source.uri} was opened as {source.frames} frames of {source.width}x{source.height}; "
                f"{len(clip)} of {width}x{height} were read"
            )
            raise SourceError(message, reason="count_mismatch", hint="was the file changed in between?")
        return clip


def read_source_geometry(source: Source) -> Geometry | None:
    """Read the geometry that came with a source; None when there is none.

    Raises:
        SourceError: It is there and cannot be used.
        LabelError: A depth sidecar that cannot be read, or is of another clip. What a sidecar did not measure
            is NaN.
    """
    with boundary(SourceError, f"read the geometry of {source.uri}"):
        if source.kind in _PLAIN and "depth" in source.sensors:
            return _measured(source)
        return _OF_KIND[source.kind].read_geometry(source)


def read_source_scene(source: Source) -> Scene | None:
    """Read the map elements and actors that came with a source; None when there are none."""
    with boundary(SourceError, f"read the scene of {source.uri}"):
        return _OF_KIND[source.kind].read_scene(source)


def _caption(path: Path, given: Path | None, source: Source) -> dict[str, object]:
    """Read the caption that was named, or found beside the source; one found and wrong is only noted."""
    if given is not None:
        return {"caption": read_caption(given)}
    found = caption_beside(path)
    if found is None:
        return {}
    try:
        return {"caption": read_caption(found)}
    except SourceError as error:
        return {"notes": (*source.notes, f"the caption beside it is left out: {error.message}")}


def _labels(given: Path | Labels, source: Source) -> Labels:
    if isinstance(given, Labels):
        return given
    return read_labels(Path(given), width=source.width, height=source.height, frames=source.frames)


def _calibration(given: Path | Camera, source: Source) -> Camera:
    if isinstance(given, Camera):
        return given
    return _fitted(read_calibration(Path(given), width=source.width, height=source.height), source)


def _sidecar(depth: Path, source: Source, beside: dict[str, object]) -> Path:
    """Check what can be checked of a depth sidecar without reading it."""
    if source.kind not in _PLAIN:
        message = f"{source.uri} brings its own sensors; a depth sidecar goes beside a video or pictures"
        raise SourceError(message, reason="bad_sensor")
    if not depth.exists():
        raise LabelError(f"no such file or folder: {depth}", reason="not_found")
    if source.calibration is None and "calibration" not in beside:
        message = "measured depth needs the camera's calibration, to know where it is seen"
        raise SourceError(message, reason="missing_calibration", hint="--calibration FILE")
    return depth


def _measured(source: Source) -> Geometry:
    """Read a depth sidecar as geometry; NaN where nothing was measured."""
    if source.calibration is None:
        message = f"the depth beside {source.uri} needs the camera's calibration"
        raise SourceError(message, reason="missing_calibration", hint="--calibration FILE")
    depth_m = read_depth_sidecar(Path(source.sensors["depth"]), source.calibration, source.frames)
    return Geometry(
        depth_m=depth_m,
        origins=Origins(depth="sidecar", scale="sidecar", camera="sidecar"),
        camera=source.calibration,
    )


def _fitted(camera: Camera, source: Source) -> Camera:
    """Scale a calibration to the source's size; another shape is another camera."""
    if (camera.width, camera.height) == (source.width, source.height):
        return camera
    if abs(camera.width * source.height - camera.height * source.width) > 0.01 * camera.width * source.height:
        message = (
            f"the calibration is for {camera.width}x{camera.height}, "
            f"the source is {source.width}x{source.height}: not the same shape"
        )
        raise LabelError(message, reason="bad_calibration", hint="was the clip cropped after calibration?")
    return camera.scaled(source.width, source.height)


def given_condition(label: str) -> Condition:
    """Take a condition class from the user's word.

    Raises:
        SpecError: Not one of the nine classes.
    """
    known = get_args(ConditionClass)
    if label not in known:
        message = f"unknown condition {label!r}; a source is one of: {', '.join(known)}"
        raise SpecError(message, reason="unknown_word")
    return Condition(
        label=cast("ConditionClass", label),
        origin="given",
        confidence=1.0,
        is_wet=label in ("wet", "rain"),
        is_snowy=label == "snow",
        is_night=label == "night",
        is_precipitating=label in ("rain", "snow"),
        has_hard_shadows=label in ("clear", "low_sun"),
    )
