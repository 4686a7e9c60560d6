"""The videos of a Cosmos clip folder: as many frames as promised, none of them twice, colours read back."""

from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, UInt8

from worldgen.errors import SourceError
from worldgen.media.video import VideoInfo, probe
from worldgen.sources.carla.clip_manifest import ClipCamera, ClipManifest
from worldgen.sources.carla.tagtables import CITYSCAPES_COLOURS

COLOUR_LOSS: Final = 6
"""Colours of a lossless 4:4:4 video are within this of what was painted: YUV has 8 bits."""
_MOVED_M: Final = 0.1
_LEAST_STEPS: Final = 3
_SAME_SHARE: Final = 0.15
"""Of the usual change. Measured on three drives, H.264 crf 14 and 23: shown twice 0.003 at most, true 0.65 at
least."""


def check_video(path: Path, kind: str, manifest: ClipManifest, camera: ClipCamera) -> VideoInfo:
    """Probe a video and hold it against the manifest.

    Raises:
        SourceError: `missing_sensor`, `count_mismatch`, `unequal_sensors` and those of `probe`.
    """
    if not path.is_file():
        raise SourceError(
            f"the manifest names {kind} video {path.name}, which is not there", reason="missing_sensor"
        )
    info = probe(path)
    check_count(info.frames, manifest, path)
    if (info.width, info.height) != (camera.width, camera.height):
        size = f"{info.width}x{info.height}"
        message = f"{path.name} is {size}, the manifest says {camera.width}x{camera.height}"
        raise SourceError(message, reason="unequal_sensors")
    return info


def check_count(count: int, manifest: ClipManifest, path: Path) -> None:
    """Hold a number of frames against the manifest.

    Raises:
        SourceError: `count_mismatch`.
    """
    if count != manifest.frames:
        message = f"{path.name} has {count} frames, the manifest says {manifest.frames}"
        if count < manifest.frames:
            message += f": frame {count} is the first that is missing"
        raise SourceError(message, reason="count_mismatch")


def check_doubles(
    frames: UInt8[npt.NDArray[np.uint8], "t h w ..."],
    world_from_ego: Float64[npt.NDArray[np.float64], "t 4 4"],
    path: Path,
) -> None:
    """Name the first picture that is the one before although the ego moved.

    A video with losses never repeats exactly: what counts is a change far below what a metre of this drive
    makes.

    Raises:
        SourceError: `doubled_frame`.
    """
    places = world_from_ego[:, :3, 3]
    moved = np.linalg.norm(np.diff(places, axis=0), axis=1)
    thin = frames[:, ::2, ::2].astype(np.int16)
    changed = np.array([float(np.abs(b - a).mean()) for a, b in pairwise(thin)])
    driving = moved > _MOVED_M
    if int(driving.sum()) < _LEAST_STEPS:
        return
    usual = float(np.median(changed[driving] / moved[driving]))
    for index in np.flatnonzero(driving):
        if changed[index] < _SAME_SHARE * usual * moved[index]:
            message = (
                f"{path.name} shows frame {index} again at frame {index + 1}, "
                f"though the ego moved {moved[index]:.2f} m"
            )
            raise SourceError(message, reason="doubled_frame")


def tags_of_colours(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | None:
    """Find the nearest CityScapes colour of every pixel; None when most pixels are near none."""
    colours, where = _colours_of(frames)
    distance = np.abs(colours[:, None].astype(int) - CITYSCAPES_COLOURS[None].astype(int)).max(axis=2)
    nearest = distance.argmin(axis=1).astype(np.uint8)
    fits = distance.min(axis=1) <= COLOUR_LOSS
    if float(fits[where].mean()) < 0.98:
        return None
    return np.asarray(nearest[where].reshape(frames.shape[:3]))


def instances_of_colours(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Number the colours of an instance video by CARLA's palette; colours near none of it are 0."""
    chance = np.random.default_rng(20260826)
    palette = chance.integers(48, 256, size=(65536, 3), dtype=np.int64)
    palette[0] = 0
    colours, where = _colours_of(frames)
    ids = np.zeros(len(colours), np.int32)
    for number, colour in enumerate(colours.astype(np.int64)):
        distance = np.abs(palette - colour).max(axis=1)
        nearest = int(distance.argmin())
        ids[number] = nearest if distance[nearest] <= COLOUR_LOSS else 0
    return np.asarray(ids[where].reshape(frames.shape[:3]), np.int32)


def _colours_of(frames: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]:
    packed = frames.astype(np.uint32) @ np.array((1, 1 << 8, 1 << 16), np.uint32)
    found, where = np.unique(packed, return_inverse=True)
    colours = np.stack((found & 255, found >> 8 & 255, found >> 16), axis=1).astype(np.uint8)
    return colours, where.ravel()
