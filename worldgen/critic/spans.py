"""Spans: runs of frames, and boxes of tiles, for naming a place."""

import numpy as np
import numpy.typing as npt


def spans(marked: npt.NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Return first and last index of every run of True."""
    padded = np.concatenate([[False], marked, [False]]).astype(np.int8)
    steps = np.diff(padded)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
    return tuple((int(a), int(b)) for a, b in zip(starts, ends, strict=True))


def box_of(marked: npt.NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Return (left, top, right, bottom), half-open, around the True cells; None when there are none."""
    rows, columns = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
