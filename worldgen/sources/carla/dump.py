"""Layout (a): a worldgen dump, one folder of pictures per sensor, as a source."""

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Clip, Geometry, Labels, Origins, Scene, Source, Tag, VideoRef
from worldgen.datatypes.tags import EGO
from worldgen.errors import SourceError
from worldgen.sources.carla.exactness import check_exactness
from worldgen.sources.carla.files import digest_recording, digest_sensors
from worldgen.sources.carla.lag import check_in_step
from worldgen.sources.carla.manifest import FORMAT, read_manifest
from worldgen.sources.carla.reader import DumpReader
from worldgen.sources.carla.truth import labels_of_frame
from worldgen.sources.carla.weather import condition_of

MAX_FRAMES: Final = 20_000
MAX_PIXELS: Final = 4096 * 2304


def is_dump(raw: dict[str, object]) -> bool:
    """Whether a manifest.json is that of a worldgen dump."""
    return raw.get("format") == FORMAT


def dump_cameras(folder: Path) -> tuple[str, ...]:
    """Name the cameras of a dump, in the manifest's order."""
    return tuple(read_manifest(folder).cameras)


def open_dump(folder: Path, camera: str | None = None) -> Source:
    """Probe a dump: manifest, files, exactness and digest; labels from its actors.

    Raises:
        SourceError: See `DumpReader.open`, `check_exactness`, `check_in_step`; `missing_sensor` without RGB,
            `too_large`, `not_metric`, `bad_sensor`.
    """
    reader = DumpReader.open(folder, camera)
    fits = reader.camera
    _check_limits(reader)
    if not reader.has("rgb"):
        message = f"camera {reader.name!r} of {folder} has no rgb sensor; it has: {', '.join(reader.paths)}"
        raise SourceError(message, reason="missing_sensor")
    reader.check_encodings()
    digests = digest_sensors(reader.paths)
    check_exactness(reader, digests)
    sha256 = digest_recording(folder, reader.name, digests)
    labels = _labels(str(folder), reader.name, sha256) if any(r.actors for r in reader.records) else None
    check_in_step(reader, labels)
    manifest = reader.manifest
    return Source(
        kind="carla_dump",
        uri=str(folder),
        sha256=sha256,
        camera_name=reader.name,
        video=VideoRef(
            uri=str(folder),
            sha256=sha256,
            frames=len(reader),
            width=fits.width,
            height=fits.height,
            fps=manifest.fps,
        ),
        frames=len(reader),
        width=fits.width,
        height=fits.height,
        fps=manifest.fps,
        calibration=fits,
        labels=labels,
        condition=condition_of(manifest.weather),
        sensors={kind: str(folder / files.folder) for kind, files in reader.record.sensors.items()},
        carla_version=manifest.carla_version,
        license=manifest.license,
        notes=manifest.notes,
    )


def read_dump_clip(source: Source) -> Clip:
    """Read the RGB frames.

    Raises:
        SourceError: `truncated`, `bad_sensor` or `missing_frame`.
    """
    reader = DumpReader.open(Path(source.uri), source.camera_name)
    frames = np.empty((len(reader), source.height, source.width, 3), np.uint8)
    for index in range(len(reader)):
        frames[index] = reader.rgb(index)
    seconds = np.array([r.seconds for r in reader.records], np.float64)
    return Clip(
        frames=frames, timestamps_seconds=seconds - seconds[0], fps=reader.manifest.fps, camera=reader.name
    )


def read_dump_geometry(source: Source) -> Geometry | None:
    """Read metric depth, tags, instances, flow and poses; None when no depth was recorded.

    Raises:
        SourceError: `not_metric`; `bad_sensor`; `unknown_version`; `truncated`.
    """
    reader = DumpReader.open(Path(source.uri), source.camera_name)
    if not reader.has("depth"):
        return None
    every = range(len(reader))
    depth = np.stack([reader.depth(i) for i in every])
    tags = np.stack([reader.tags(i) for i in every]) if reader.has("semantic") else None
    if tags is not None:
        depth[tags == Tag.SKY] = np.inf
    instances = np.stack([reader.instances(i) for i in every]) if reader.has("instance") else None
    notes = list(reader.manifest.notes)
    flow = None
    if reader.has("flow") and reader.manifest.flow_direction == "to_next":
        flow = np.stack([reader.flow(i) for i in every])
        flow[-1] = 0.0
    elif reader.has("flow"):
        notes.append("The recorded optical flow leads from the previous frame and is not used.")
    return Geometry(
        depth_m=depth,
        origins=Origins(
            depth="simulator",
            scale="simulator",
            tags="absent" if tags is None else "simulator",
            instances="absent" if instances is None else "simulator",
            camera="simulator",
            pose="simulator",
            flow="absent" if flow is None else "simulator",
        ),
        camera=reader.camera,
        tags=tags,
        instances=instances,
        pose=reader.poses,
        flow=flow,
        ego_mask=None if tags is None else _ego_mask(tags),
        notes=tuple(notes),
    )


def read_dump_scene(source: Source) -> Scene | None:
    """Read the map elements and the actors of every frame, in the world axes of the poses."""
    reader = DumpReader.open(Path(source.uri), source.camera_name)
    lights = tuple(r.light_states for r in reader.records)
    boxes = tuple(r.actors for r in reader.records)
    if not reader.manifest.elements and not any(boxes):
        return None
    return Scene(elements=reader.manifest.elements, boxes=boxes, light_states=lights if any(lights) else ())


@lru_cache(maxsize=16)
def _labels(folder: str, camera: str, sha256: str) -> Labels:  # noqa: ARG001 -- sha256 keeps the cache true
    reader = DumpReader.open(Path(folder), camera)
    poses = reader.poses
    return Labels(
        width=reader.camera.width,
        height=reader.camera.height,
        frames=tuple(
            labels_of_frame(
                index,
                record.actors,
                world_from_camera=poses[index],
                camera=reader.camera,
                depth_m=reader.depth(index) if reader.has("depth") else None,
                instances=reader.instances(index) if reader.has("instance") else None,
            )
            for index, record in enumerate(reader.records)
        ),
        camera=reader.camera,
        geometry_origin="simulator",
        scale_interval=(1.0, 1.0),
        source_format="worldgen-dump",
    )


def _ego_mask(tags: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_] | None:
    own = np.asarray((tags == EGO).all(axis=0), np.bool_)
    return own if own.any() else None


def _check_limits(reader: DumpReader) -> None:
    camera = reader.camera
    if len(reader) > MAX_FRAMES or camera.width * camera.height > MAX_PIXELS:
        message = (
            f"the recording has {len(reader)} frames of {camera.width}x{camera.height}; "
            f"at most {MAX_FRAMES} frames of {MAX_PIXELS} pixels are read"
        )
        raise SourceError(message, reason="too_large")
