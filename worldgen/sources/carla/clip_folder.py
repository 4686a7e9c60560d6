"""Layout (b): the clip folder of CARLA's own Cosmos client, as a source."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Clip, Geometry, Labels, Origins, Scene, Source, Tag, VideoRef
from worldgen.errors import SourceError
from worldgen.media.video import read_clip, sha256_of
from worldgen.sources.carla.clip_manifest import (
    KINDS,
    ClipCamera,
    ClipManifest,
    calibration_of,
    camera_of,
    ego_from_camera,
    read_clip_manifest,
    video_of,
)
from worldgen.sources.carla.clip_videos import (
    COLOUR_LOSS,
    check_count,
    check_doubles,
    check_video,
    instances_of_colours,
    tags_of_colours,
)
from worldgen.sources.carla.inverse_depth import Scale, find_scale
from worldgen.sources.carla.manifest import MANIFEST_NAME
from worldgen.sources.carla.scene_package import ScenePackage, read_scene_package
from worldgen.sources.carla.truth import labels_of_frame
from worldgen.sources.carla.weather import condition_of


def clip_folder_cameras(folder: Path) -> tuple[str, ...]:
    """Name the cameras that have an RGB video."""
    manifest = read_clip_manifest(folder)
    return tuple(c.name for c in manifest.rig.cameras if video_of(manifest, "rgb", c)) or tuple(
        c.name for c in manifest.rig.cameras
    )


def open_clip_folder(folder: Path, camera: str | None = None) -> Source:
    """Probe a clip folder: every video of the camera, the scene package, labels from its obstacles.

    Raises:
        SourceError: `missing_sensor`, `count_mismatch`, `missing_calibration`, `bad_manifest`,
            `unknown_camera`, and those of `probe`.
    """
    manifest = read_clip_manifest(folder)
    chosen = camera_of(manifest, camera or clip_folder_cameras(folder)[0], folder)
    fits = calibration_of(chosen)
    found = {kind: name for kind in KINDS if (name := video_of(manifest, kind, chosen))}
    if "rgb" not in found:
        message = f"camera {chosen.name!r} of {folder} has no rgb video; it has: {', '.join(found) or 'none'}"
        raise SourceError(
            message, reason="missing_sensor", hint="its control videos can be opened as controls"
        )
    for kind, name in found.items():
        check_video(folder / name, kind, manifest, chosen)
    sha256 = _digest(folder, manifest, found, chosen.name)
    package = _package(folder, manifest)
    rgb = folder / found["rgb"]
    sensors = {kind: str(folder / name) for kind, name in found.items()}
    if package is not None and manifest.scene_dir:
        sensors["scene"] = str(folder / manifest.scene_dir)
    return Source(
        kind="carla_clip",
        uri=str(folder),
        sha256=sha256,
        camera_name=chosen.name,
        video=VideoRef(
            uri=str(rgb),
            sha256=sha256_of(rgb),
            frames=manifest.frames,
            width=fits.width,
            height=fits.height,
            fps=manifest.fps,
            size_bytes=rgb.stat().st_size,
        ),
        frames=manifest.frames,
        width=fits.width,
        height=fits.height,
        fps=manifest.fps,
        calibration=fits,
        labels=_labels(str(folder), chosen.name, sha256) if package and any(package.scene.boxes) else None,
        condition=condition_of(manifest.weather),
        sensors=sensors,
        carla_version=manifest.carla_version,
    )


def read_clip_folder_clip(source: Source) -> Clip:
    """Read the RGB frames; times are the simulator's where the scene package has them.

    Raises:
        SourceError: `count_mismatch`, `missing_sensor` and those of `read_clip`.
    """
    folder = Path(source.uri)
    manifest, chosen = _reopen(source)
    name = video_of(manifest, "rgb", chosen)
    if name is None:
        raise SourceError(f"{folder} has no rgb video of {chosen.name}", reason="missing_sensor")
    clip = read_clip(folder / name, camera=chosen.name)
    check_count(len(clip), manifest, folder / name)
    package = _package(folder, manifest)
    seconds = np.arange(manifest.frames) / manifest.fps
    if package is not None:
        stamps = np.array(package.timestamps_micros, np.float64)
        seconds = (stamps - stamps[0]) / 1e6
        check_doubles(clip.frames, package.world_from_ego, folder / name)
    return Clip(frames=clip.frames, timestamps_seconds=seconds, fps=manifest.fps, camera=chosen.name)


def read_clip_folder_geometry(source: Source) -> Geometry | None:
    """Read depth (scaled where the scale can be known), tags or instances, and poses; None without depth.

    Raises:
        SourceError: `count_mismatch`, `not_metric` (a depth video with colours), those of `read_clip`.
    """
    folder = Path(source.uri)
    manifest, chosen = _reopen(source)
    if video_of(manifest, "depth", chosen) is None:
        return None
    package = _package(folder, manifest)
    poses = None if package is None else package.world_from_ego @ ego_from_camera(chosen)
    codes, scale = _depth(folder, manifest, chosen, package)
    if package is not None and any(package.scene.boxes):
        # Without a thing on it, a plain road has the same depth wherever the camera is.
        check_doubles(codes, package.world_from_ego, folder / (video_of(manifest, "depth", chosen) or ""))
    depth = scale.metres(codes)
    tags, instances = _segments(folder, manifest, chosen)
    if tags is not None:
        depth[tags == Tag.SKY] = np.inf
    notes = [scale.note]
    reach = 1 / (scale.far + 3 * scale.step)
    notes.append(f"Its 8 bits tell depths apart up to about {reach:.0f} m.")
    if instances is not None:
        notes.append("Instance ids are numbers of colours; they do not match the ids of labels.")
    return Geometry(
        depth_m=depth,
        origins=Origins(
            depth="simulator",
            scale=scale.origin,
            tags="absent" if tags is None else "simulator",
            instances="absent" if instances is None else "simulator",
            camera="simulator",
            pose="absent" if poses is None else "simulator",
        ),
        camera=calibration_of(chosen),
        scale_interval=scale.interval,
        tags=tags,
        instances=instances,
        pose=poses,
        notes=tuple(notes),
    )


def read_clip_folder_scene(source: Source) -> Scene | None:
    """Read map elements and actors in world axes; None without a scene package."""
    manifest, _ = _reopen(source)
    package = _package(Path(source.uri), manifest)
    return None if package is None else package.scene


@lru_cache(maxsize=4)
def _labels(folder: str, camera: str, sha256: str) -> Labels:  # noqa: ARG001 -- sha256 keeps the cache true
    manifest = read_clip_manifest(Path(folder))
    chosen = camera_of(manifest, camera, Path(folder))
    package = _package(Path(folder), manifest)
    if package is None:
        raise SourceError(f"{folder} has no scene package", reason="missing_sensor")
    poses = package.world_from_ego @ ego_from_camera(chosen)
    fits = calibration_of(chosen)
    codes = scale = None
    if video_of(manifest, "depth", chosen):
        codes, scale = _depth(Path(folder), manifest, chosen, package)
    is_scaled = scale is not None and scale.origin != "absent"
    frames = []
    for index, boxes in enumerate(package.scene.boxes):
        depth = scale.metres(codes[index]) if is_scaled and scale and codes is not None else None
        frames.append(
            labels_of_frame(
                index,
                boxes,
                world_from_camera=poses[index],
                camera=fits,
                depth_m=depth,
                instances=None,
                depth_error_m=None if depth is None or scale is None else scale.error_m(depth),
            )
        )
    return Labels(
        width=fits.width,
        height=fits.height,
        frames=tuple(frames),
        camera=fits,
        geometry_origin="simulator",
        scale_interval=(1.0, 1.0),
        source_format="carla-cosmos-clip",
    )


def _depth(
    folder: Path, manifest: ClipManifest, camera: ClipCamera, package: ScenePackage | None
) -> tuple[npt.NDArray[np.uint8], Scale]:
    name = video_of(manifest, "depth", camera) or ""
    frames = read_clip(folder / name).frames
    check_count(len(frames), manifest, folder / name)
    thin = frames[:, ::8, ::8].astype(np.int16)
    if int(np.abs(thin[..., 0] - thin[..., 1]).max()) > COLOUR_LOSS:
        message = f"{folder / name} has colours; a depth control is grey, near bright"
        raise SourceError(message, reason="not_metric")
    codes = np.ascontiguousarray(frames[..., 1])
    poses = None if package is None else package.world_from_ego @ ego_from_camera(camera)
    fits = calibration_of(camera)
    scale = find_scale(
        codes,
        fits,
        camera_height_m=fits.height_m,
        boxes=() if package is None else package.scene.boxes,
        poses=poses,
    )
    return codes, scale


def _segments(
    folder: Path, manifest: ClipManifest, camera: ClipCamera
) -> tuple[npt.NDArray[np.uint8] | None, npt.NDArray[np.int32] | None]:
    """Read tags from CityScapes colours, instances from instance colours: the pictures say which they are."""
    tags: npt.NDArray[np.uint8] | None = None
    instances: npt.NDArray[np.int32] | None = None
    for kind in ("semantic", "seg"):
        name = video_of(manifest, kind, camera)
        if name is None or tags is not None:
            continue
        frames = read_clip(folder / name).frames
        check_count(len(frames), manifest, folder / name)
        found = tags_of_colours(frames)
        if found is not None:
            tags = found
        else:
            instances = instances_of_colours(frames)
    return tags, instances


def _package(folder: Path, manifest: ClipManifest) -> ScenePackage | None:
    if not manifest.scene_dir or not (folder / manifest.scene_dir).is_dir():
        return None
    return read_scene_package(folder / manifest.scene_dir, manifest.clip_id, manifest.frames)


def _digest(folder: Path, manifest: ClipManifest, found: dict[str, str], camera: str) -> str:
    state = hashlib.sha256(f"carla clip folder 1 {camera}\n".encode())
    paths = [folder / MANIFEST_NAME, *(folder / name for _, name in sorted(found.items()))]
    if manifest.scene_dir and (folder / manifest.scene_dir).is_dir():
        paths += sorted(p for p in (folder / manifest.scene_dir).iterdir() if p.is_file())
    for path in paths:
        state.update(f"{path.name}:{sha256_of(path)}\n".encode())
    return state.hexdigest()


def _reopen(source: Source) -> tuple[ClipManifest, ClipCamera]:
    manifest = read_clip_manifest(Path(source.uri))
    return manifest, camera_of(manifest, source.camera_name, Path(source.uri))
