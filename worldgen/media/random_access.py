"""Random access: a few frames of a file of our own, or of one that `probe` accepted.

PyAV seeks to the key frame before each frame. decord, when installed and asked for, reads what its FFmpeg
of 2018 turns into the same bytes: 8-bit H.264, HEVC or VP9 whose colour matrix is not a matter of guessing;
everything else is PyAV's even then. decord is not the default because it was not the faster of the two:
13 frames of 121 (1280x720, one thread) took it 536 ms, PyAV 506 ms; one frame 67 and 43 ms.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from worldgen.datatypes.clip import Frames
from worldgen.errors import ConfigError, SourceError, boundary
from worldgen.media.colour import UNSPECIFIED, ToRgb, orientation
from worldgen.media.containers import container_of
from worldgen.media.limits import OWN_FILES
from worldgen.media.probe import describe, opened, prepare

Reader: TypeAlias = Literal["pyav", "decord"]

_DECORD_CODECS = frozenset({"h264", "hevc", "vp9"})


def read_frames(path: Path, indices: Sequence[int], *, reader: Reader = "pyav") -> Frames:
    """Read frames by index; uint8 [len(indices), h, w, 3], in the order asked.

    Args:
        path: A file of our own, or one that `probe` accepted. Decoded in this process.
        indices: Zero-based; may repeat.
        reader: decord is used where it gives the same bytes; the frames never depend on this.

    Raises:
        SourceError: The file cannot be read, or has no such frame.
        ConfigError: decord was asked for and is not installed.
    """
    if not len(indices):
        msg = "no frames were asked for"
        raise ValueError(msg)
    with boundary(SourceError, f"read frames of {path.name}"):
        if reader == "decord" and is_same_in_decord(path):
            return _read_by_decord(path, indices)
        return _read_by_pyav(path, indices)


def is_same_in_decord(path: Path) -> bool:
    """Tell whether decord gives the same frames: depth, codec and colour matrix are ones it knows."""
    info = describe(path, OWN_FILES)
    with opened(path) as (_, stream):
        context = stream.codec_context
        is_guessed = context.colorspace == UNSPECIFIED and info.colour_matrix != "bt601"
    return info.bit_depth == 8 and info.codec in _DECORD_CODECS and info.container != "avi" and not is_guessed


def _read_by_decord(path: Path, indices: Sequence[int]) -> Frames:
    decord = _load_decord()
    if decord is None:
        message = "decord is not installed"
        raise ConfigError(message, reason="missing_extra", hint="pip install worldgen[decord]")
    video = decord.VideoReader(str(path), num_threads=1)
    _refuse_missing(path, indices, len(video))
    frames: Frames = video.get_batch(list(indices)).asnumpy()
    return frames


def _read_by_pyav(path: Path, indices: Sequence[int]) -> Frames:
    """Seek to the key frame before each wanted frame, unless decoding on from here is shorter."""
    to_rgb = ToRgb()
    found: dict[int, npt.NDArray[np.uint8]] = {}
    with opened(path) as (container, stream):
        prepare(stream, OWN_FILES, threads=1)
        for i, frame in _numbered(path, container, stream, indices):
            found[i] = to_rgb(frame, orientation(frame)).copy()
    lost = [i for i in indices if i not in found]
    if lost:
        raise SourceError(f"frame {lost[0]} of {path.name} cannot be decoded", reason="damaged")
    return np.stack([found[i] for i in indices])


def _numbered(
    path: Path, container: InputContainer, stream: VideoStream, indices: Sequence[int]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield the wanted frames with their numbers, each once."""
    wanted = set(indices)
    if container_of(path) == "avi":
        # Without presentation times a frame is known by counting only.
        count = 0
        for count, frame in enumerate(container.decode(stream), start=1):
            if count - 1 in wanted:
                yield count - 1, frame
        _refuse_missing(path, indices, count)
        return
    times, keys = _packet_index(container, stream)
    _refuse_missing(path, indices, len(times))
    order = {pts: i for i, pts in enumerate(times)}
    for run in _runs(sorted(wanted), times, keys):
        container.seek(times[run[0]], stream=stream, backward=True)
        for frame in container.decode(stream):
            i = order.get(frame.pts, -1) if frame.pts is not None else -1
            if i in run:
                yield i, frame
            if i >= run[-1]:
                break


def _packet_index(container: InputContainer, stream: VideoStream) -> tuple[list[int], list[int]]:
    """Read presentation times of all frames, and of key frames, in order, without decoding."""
    times: list[int] = []
    keys: list[int] = []
    for packet in container.demux(stream):
        if packet.size == 0 or packet.is_discard or packet.pts is None:
            continue
        times.append(packet.pts)
        if packet.is_keyframe:
            keys.append(packet.pts)
    return sorted(times), sorted(keys)


def _runs(wanted: list[int], times: list[int], keys: list[int]) -> list[list[int]]:
    """Group frames that are read with one seek: those with no key frame between them."""
    runs = [[wanted[0]]]
    for before, after in pairwise(wanted):
        if any(times[before] < key <= times[after] for key in keys):
            runs.append([after])
        else:
            runs[-1].append(after)
    return runs


def _refuse_missing(path: Path, indices: Sequence[int], count: int) -> None:
    outside = [i for i in indices if not 0 <= i < count]
    if outside:
        message = f"{path.name} has frames 0..{count - 1}, no frame {outside[0]}"
        raise SourceError(message, reason="missing_frame")


def _load_decord() -> Any:  # noqa: ANN401 -- an untyped module, or None
    try:
        import decord
    except ImportError:
        return None
    return decord
