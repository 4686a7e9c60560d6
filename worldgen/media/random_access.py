"""Random access: a few frames of a file of our own, or of one already probed.

decord, when installed, is the fast path for what its FFmpeg of 2018 decodes the same way: upright 8-bit
4:2:0 H.264, HEVC or VP9 in BT.601 or BT.709. Everything else, and everything without decord, is PyAV's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgen.datatypes.clip import Frames
from worldgen.errors import SourceError, boundary
from worldgen.media.colour import ToRgb, orientation
from worldgen.media.limits import OWN_FILES
from worldgen.media.probe import opened, prepare


def read_frames(path: Path, indices: Sequence[int]) -> Frames:
    """Read frames by index; uint8 [len(indices), h, w, 3], in the order asked.

    Args:
        path: A file of our own, or one that `probe` accepted.
        indices: Zero-based.

    Raises:
        SourceError: The file cannot be read, or has no such frame.
    """
    with boundary(SourceError, f"read frames of {path.name}"):
        return _read_by_pyav(path, indices)


def _read_by_pyav(path: Path, indices: Sequence[int]) -> Frames:
    wanted = set(indices)
    found: dict[int, npt.NDArray[np.uint8]] = {}
    to_rgb = ToRgb()
    with opened(path) as (container, stream):
        prepare(stream, OWN_FILES, threads=1)
        for i, frame in enumerate(container.decode(stream)):
            if i in wanted:
                found[i] = to_rgb(frame, orientation(frame)).copy()
                if len(found) == len(wanted):
                    break
    missing = sorted(wanted - found.keys())
    if missing:
        raise SourceError(f"{path.name} has no frame {missing[0]}", reason="missing_frame")
    return np.stack([found[i] for i in indices])


def _decord() -> Any:  # noqa: ANN401 -- an untyped module, or None
    try:
        import decord
    except ImportError:
        return None
    return decord
