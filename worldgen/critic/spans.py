"""Spans and sums: runs of frames, boxes of tiles, and evidence added up over both."""

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

Tiles = Float32[npt.NDArray[np.float32], "t rows columns"]


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


def over_frames(stack: Tiles, frames: int) -> Tiles:
    """Sum over every run of `frames` frames; fewer frames give one sum."""
    frames = min(frames, len(stack))
    total = np.cumsum(stack, axis=0, dtype=np.float64)
    total = np.concatenate([np.zeros((1, *stack.shape[1:])), total])
    return (total[frames:] - total[:-frames]).astype(np.float32)


def over_tiles(stack: Tiles, side: int) -> Tiles:
    """Sum over squares of `side` tiles, one per tile; beyond the border is 0."""
    return np.stack(
        [cv2.boxFilter(s, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT) for s in stack]
    )


def square(row: int, column: int, side: int) -> tuple[int, int, int, int]:
    """Return the tiles (left, top, right, bottom) that `over_tiles` summed for one cell."""
    left, top = column - side // 2, row - side // 2
    return max(left, 0), max(top, 0), left + side, top + side
