"""Structure: does the candidate have its edges where the source has them, whatever their contrast?

Normalised gradient orientation fields: the angle of the gradient (modulo sign, because lamps and a dark sky
flip contrasts honestly) weighed by the source's edges. Fog, darkness and grading change magnitudes and leave
angles; an erased or replaced thing changes angles.
"""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.imaging.edges import Gradient, Plane


def tile_sum(plane: Plane, tile: int) -> Plane:
    """Sum over tiles of `tile` pixels; what is left at the right and bottom is a tile padded with 0."""
    height, width = plane.shape
    rows, columns = -(-height // tile), -(-width // tile)
    if (rows * tile, columns * tile) != plane.shape:
        padded = cv2.copyMakeBorder(
            plane, 0, rows * tile - height, 0, columns * tile - width, cv2.BORDER_CONSTANT, value=0
        )
        plane = np.asarray(padded, np.float32)
    return np.asarray(cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)) * np.float32(
        tile * tile
    )


def spread(tiles: Plane, size: tuple[int, int], tile: int) -> Plane:
    """Interpolate tile values to pixels; `size` is (width, height) of the plane the tiles came from."""
    rows, columns = tiles.shape
    whole = cv2.resize(tiles, (columns * tile, rows * tile), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(whole[: size[1], : size[0]])


def aligned(source: Gradient, candidate: Gradient) -> Plane:
    """cos(2 x difference of angle) per pixel: 1 along the same line, -1 across it, 0 on average by chance."""
    dot = source.x * candidate.x + source.y * candidate.y
    product = source.magnitude * candidate.magnitude
    cosine = dot / np.maximum(product, np.float32(1e-6))
    return np.where(product > 1e-6, 2 * cosine * cosine - 1, 0).astype(np.float32)


def neighbourhood(tiles: Plane, valid: npt.NDArray[np.bool_], radius: int, quantile: float) -> Plane:
    """Quantile of the valid tiles around each tile, NaN where there are none."""
    rows, columns = tiles.shape
    marked = np.where(valid, tiles, np.float32(np.nan))
    padded = np.pad(marked, radius, constant_values=np.nan)
    side = 2 * radius + 1
    stack = np.stack([padded[i : i + rows, j : j + columns] for i in range(side) for j in range(side)])
    stack.sort(axis=0)  # NaN sorts last
    count = (~np.isnan(stack)).sum(axis=0)
    place = np.clip((quantile * (count - 1)).round(), 0, None).astype(np.int64)
    return np.asarray(np.take_along_axis(stack, place[None], axis=0)[0], np.float32)
