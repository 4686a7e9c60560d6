"""Banding: smooth shading that became steps."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

TILE: Final = 16
"""Side of a tile, pixels."""
_RARE: Final = 0.3
"""A level counts as left out when it is this much rarer than the tile's levels are on average."""


def levels_left_out(
    frame: UInt8[npt.NDArray[np.uint8], "h w 3"],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Measure per tile how much of its range of grey levels it hardly uses.

    Smooth shading uses every level that it passes; posterised shading leaves a comb. Two flat surfaces
    that meet leave a comb too, so compare with the same tile of a picture whose shading is known.

    Counted in pairs of levels: a change of contrast in 8 bits leaves out every second level, which nobody
    sees.

    Returns:
        The share of pairs left out (0..1) and the range in pairs, both [rows * columns]; the range is
        from the 8th to the 92nd percentile.
    """
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) // 2
    rows, columns = grey.shape[0] // TILE, grey.shape[1] // TILE
    tiles = (
        grey[: rows * TILE, : columns * TILE]
        .reshape(rows, TILE, columns, TILE)
        .transpose(0, 2, 1, 3)
        .reshape(rows * columns, TILE * TILE)
    )
    low, high = np.quantile(tiles, [0.08, 0.92], axis=1).astype(np.int64)
    index = tiles.astype(np.int64) + 256 * np.arange(len(tiles))[:, None]
    counts = np.bincount(index.ravel(), minlength=256 * len(tiles)).reshape(-1, 256)
    level = np.arange(256)[None]
    inside = (level >= low[:, None]) & (level <= high[:, None])
    span = inside.sum(axis=1)
    usual = (counts * inside).sum(axis=1) / np.maximum(span, 1)
    rare = (counts < _RARE * usual[:, None]) & inside
    return rare.sum(axis=1) / np.maximum(span, 1), span
