"""Video files: probe, read and write them. The public face of this package.

Files of strangers are probed and decoded in a bounded process (`worldgen.media.bounded`), our own in
this one (``trusted=True``). Every failure is a `SourceError` or an `OutputError`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from worldgen.datatypes.clip import Clip, Frames
from worldgen.datatypes.video_ref import VideoRef
from worldgen.errors import SourceError, boundary
from worldgen.media.bounded import decode_bounded, decode_images_bounded, probe_bounded
from worldgen.media.decode import decode
from worldgen.media.encode import VideoWriter, sha256_of, write_lossless, write_video
from worldgen.media.frame_file import FrameFile, FrameSink
from worldgen.media.images import check_sizes
from worldgen.media.limits import OWN_FILES, Limits
from worldgen.media.probe import VideoInfo, check_presence, describe
from worldgen.media.random_access import read_frames

__all__ = [
    "Frames",
    "Limits",
    "VideoInfo",
    "VideoWriter",
    "probe",
    "read_clip",
    "read_frames",
    "read_images",
    "ref_of",
    "sha256_of",
    "write_lossless",
    "write_video",
]


def probe(path: Path, limits: Limits | None = None, *, trusted: bool = False) -> VideoInfo:
    """Say what a video file is, without decoding more than its first picture.

    Args:
        path: The file.
        limits: What it may cost; default `Limits()`, or `OWN_FILES` when trusted.
        trusted: Our own file: probe in this process.

    Raises:
        SourceError: The file cannot be used; the reason says why.
    """
    if trusted:
        with boundary(SourceError, f"probe {path.name}"):
            return describe(path, limits or OWN_FILES)
    limits = limits or Limits()
    check_presence(path, limits)
    return VideoInfo.model_validate(probe_bounded(path, limits))


def read_clip(
    path: Path,
    *,
    trusted: bool = False,
    limits: Limits | None = None,
    camera: str = "camera",
    threads: int = 1,
) -> Clip:
    """Decode a whole video file.

    Args:
        path: The file.
        trusted: Our own file: decode in this process.
        limits: What it may cost; default `Limits()`, or `OWN_FILES` when trusted.
        camera: Name of the camera that the clip is from.
        threads: Of the decoder.

    Returns:
        Every frame upright, RGB, as many as the header promised.

    Raises:
        SourceError: The file cannot be used; the reason says why.
    """
    if not trusted:
        limits = limits or Limits()
        check_presence(path, limits)
        frames, times, fps = decode_bounded(path, limits, threads)
        return Clip(frames=frames, timestamps_seconds=np.asarray(times), fps=fps, camera=camera)
    with boundary(SourceError, f"decode {path.name}"), FrameFile() as file:
        decoded = decode(path, FrameSink(file.fd), limits=limits or OWN_FILES, threads=threads)
        frames = file.frames(decoded.frames, decoded.height, decoded.width, path.name)
    return Clip(frames=frames, timestamps_seconds=np.asarray(decoded.times), fps=decoded.fps, camera=camera)


def read_images(
    paths: Sequence[Path], *, fps: float, limits: Limits | None = None, camera: str = "camera"
) -> Clip:
    """Decode pictures of one folder as a clip, in the order given, in the bounded process.

    Raises:
        SourceError: damaged (with the file's name), mixed_sizes, too_large, too_short, timeout.
    """
    limits = limits or Limits()
    check_sizes(paths, limits)
    frames = decode_images_bounded(paths, limits)
    return Clip(frames=frames, timestamps_seconds=np.arange(len(frames)) / fps, fps=fps, camera=camera)


def ref_of(path: Path, *, trusted: bool = False, limits: Limits | None = None) -> VideoRef:
    """Refer to a video file by content, size and rate.

    Raises:
        SourceError: The file cannot be used.
    """
    info = probe(path, limits, trusted=trusted)
    return VideoRef(
        uri=str(path),
        sha256=sha256_of(path),
        frames=info.frames,
        width=info.width,
        height=info.height,
        fps=info.fps,
        size_bytes=info.size_bytes,
    )
