"""CARLA recordings: our sensor dumps (layout a), and the clip folder of CARLA's Cosmos client (layout b)."""

from pathlib import Path

from worldgen.datatypes import Clip, Geometry, Scene, Source
from worldgen.errors import SourceError
from worldgen.sources.carla.clip_folder import (
    clip_folder_cameras,
    open_clip_folder,
    read_clip_folder_clip,
    read_clip_folder_geometry,
    read_clip_folder_scene,
)
from worldgen.sources.carla.clip_manifest import is_clip_folder
from worldgen.sources.carla.dump import (
    dump_cameras,
    is_dump,
    open_dump,
    read_dump_clip,
    read_dump_geometry,
    read_dump_scene,
)
from worldgen.sources.carla.manifest import MANIFEST_NAME, read_json

__all__ = [
    "is_recording",
    "open_recording",
    "read_recording_clip",
    "read_recording_geometry",
    "read_recording_scene",
    "recording_cameras",
]


def is_recording(path: Path) -> bool:
    """Whether a folder is a recording: it has a manifest.json of one of the two layouts."""
    if not (path / MANIFEST_NAME).is_file():
        return False
    try:
        raw = read_json(path / MANIFEST_NAME)
    except SourceError:
        # A damaged manifest is a damaged recording, and the reader says what is wrong with it.
        return True
    return is_dump(raw) or is_clip_folder(raw)


def recording_cameras(path: Path) -> tuple[str, ...]:
    """Name the cameras of a recording."""
    return clip_folder_cameras(path) if _is_clip(path) else dump_cameras(path)


def open_recording(path: Path, camera: str | None = None) -> Source:
    """Probe one camera of a recording: nothing of the RGB is decoded but its first picture.

    Args:
        path: The folder with manifest.json.
        camera: Which camera; by default the first of the manifest.

    Raises:
        SourceError: What is wrong, naming sensor and frame.
    """
    return open_clip_folder(path, camera) if _is_clip(path) else open_dump(path, camera)


def read_recording_clip(source: Source) -> Clip:
    """Read the RGB frames of a recording.

    Raises:
        SourceError: What cannot be read.
    """
    return read_clip_folder_clip(source) if source.kind == "carla_clip" else read_dump_clip(source)


def read_recording_geometry(source: Source) -> Geometry | None:
    """Read the simulator's geometry; None when no depth was recorded.

    Raises:
        SourceError: What cannot be read.
    """
    if source.kind == "carla_clip":
        return read_clip_folder_geometry(source)
    return read_dump_geometry(source)


def read_recording_scene(source: Source) -> Scene | None:
    """Read map elements and actors in world axes; None when the recording has none."""
    return read_clip_folder_scene(source) if source.kind == "carla_clip" else read_dump_scene(source)


def _is_clip(path: Path) -> bool:
    return is_clip_folder(read_json(path / MANIFEST_NAME))
