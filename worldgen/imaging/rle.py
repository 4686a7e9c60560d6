"""Run lengths of masks, as COCO counts them: column by column, starting with zeros."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool

from worldgen.datatypes import Box2d


def encode_mask(mask: Bool[npt.NDArray[np.bool_], "h w"]) -> tuple[int, ...]:
    """Count the runs of a mask, column-major; the first run is of zeros and may be 0 long."""
    flat = np.asarray(mask, np.bool_).ravel(order="F")
    if flat.size == 0:
        return ()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    runs = np.diff(edges).tolist()
    return (0, *runs) if flat[0] else tuple(runs)


def encode_part(
    part: Bool[npt.NDArray[np.bool_], "h w"], *, left: int, top: int, width: int, height: int
) -> tuple[int, ...]:
    """Count the runs of a frame (width x height) in which only one part may be set: much faster.

    Args:
        part: The mask within its box.
        left: Column of the part's left edge.
        top: Row of its top edge.
        width: Of the frame.
        height: Of the frame.
    """
    columns = np.zeros((part.shape[1], height), np.bool_)
    columns[:, top : top + part.shape[0]] = part.T
    flat = columns.ravel()
    before, after = left * height, (width - left - part.shape[1]) * height
    changes = np.flatnonzero(np.diff(flat, prepend=False, append=False)) + before
    edges = np.concatenate(([0], changes, [before + flat.size + after]))
    runs = np.diff(edges).tolist()
    if len(runs) > 1 and runs[-1] == 0:
        runs.pop()
    return tuple(runs)


def decode_mask(counts: tuple[int, ...], *, width: int, height: int) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Turn runs back into a mask.

    Raises:
        ValueError: The runs do not add up to the frame.
    """
    runs = np.asarray(counts, np.int64)
    if runs.sum() != width * height or (runs < 0).any():
        msg = f"runs add up to {int(runs.sum())}, a mask of {width}x{height} has {width * height} pixels"
        raise ValueError(msg)
    values = np.arange(len(runs)) % 2 == 1
    flat = np.repeat(values, runs)
    return np.asarray(flat.reshape(width, height).T)


def area_of(counts: tuple[int, ...]) -> int:
    """Count the pixels that are set."""
    return int(sum(counts[1::2]))


def box_of(counts: tuple[int, ...], *, height: int) -> Box2d | None:
    """Find the box around a mask, without decoding it; None when it is empty."""
    edges = np.cumsum(np.asarray(counts, np.int64))
    starts, ends = edges[0::2][: len(counts) // 2], edges[1::2] - 1
    filled = ends >= starts
    starts, ends = starts[filled], ends[filled]
    if len(starts) == 0:
        return None
    wraps = starts // height != ends // height
    top = 0 if wraps.any() else int((starts % height).min())
    bottom = height if wraps.any() else int((ends % height).max()) + 1
    return Box2d(left=int(starts[0] // height), top=top, right=int(ends[-1] // height) + 1, bottom=bottom)


def parse_compressed(text: str) -> tuple[int, ...]:
    """Read COCO's compressed run lengths (the string of its maskApi.c): base 32 with differences.

    Raises:
        ValueError: Characters that do not belong there.
    """
    runs: list[int] = []
    place = 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            if place >= len(text) or not 48 <= ord(text[place]) < 48 + 64:
                msg = "not a compressed run-length string"
                raise ValueError(msg)
            code = ord(text[place]) - 48
            value |= (code & 0x1F) << (5 * shift)
            more = bool(code & 0x20)
            place += 1
            shift += 1
            if not more and code & 0x10:
                value |= -1 << (5 * shift)
        if len(runs) > 2:
            value += runs[-2]
        runs.append(value)
    return tuple(runs)
