"""Seeded tileable textures, made once per process: what asphalt, clouds, leaves and stone are made of."""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Texture = npt.NDArray[np.float32]
SIZE = 512


@lru_cache(maxsize=16)
def fractal(octaves: int, start: int, seed: int) -> Texture:
    """Tileable fractal value noise [512, 512], zero mean, unit standard deviation.

    Args:
        octaves: How many layers, each twice as fine and half as strong as the last.
        start: Cells across the tile in the coarsest layer.
        seed: Decides the texture.
    """
    rng = np.random.default_rng([seed, octaves, start])
    total = np.zeros((SIZE, SIZE), np.float32)
    for octave in range(octaves):
        cells = min(start << octave, SIZE)
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        padded = np.pad(grid, 2, mode="wrap")
        scale = SIZE // cells
        large = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        total += large[2 * scale : 2 * scale + SIZE, 2 * scale : 2 * scale + SIZE] * 0.5**octave
    total = np.asarray((total - total.mean()) / total.std(), np.float32)
    total.flags.writeable = False
    return total


def sample(texture: Texture, u: npt.NDArray[np.floating], v: npt.NDArray[np.floating]) -> Texture:
    """Read a tileable texture at (u, v) in tiles (1 is one tile), bilinear, any shape."""
    rows, cols = texture.shape
    shape = u.shape
    x = (np.asarray(u, np.float32).reshape(-1) % 1.0) * cols
    y = (np.asarray(v, np.float32).reshape(-1) % 1.0) * rows
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    fx, fy = x - x0, y - y0
    x0 %= cols
    y0 %= rows
    x1, y1 = (x0 + 1) % cols, (y0 + 1) % rows
    flat = texture.reshape(-1)
    top = flat[y0 * cols + x0] * (1 - fx) + flat[y0 * cols + x1] * fx
    low = flat[y1 * cols + x0] * (1 - fx) + flat[y1 * cols + x1] * fx
    return np.asarray(top * (1 - fy) + low * fy, np.float32).reshape(shape)


def nearest(texture: Texture, u: npt.NDArray[np.floating], v: npt.NDArray[np.floating]) -> Texture:
    """Read a tileable texture of power-of-two size at (u, v) in tiles, nearest texel."""
    rows, cols = texture.shape
    x = (np.asarray(u, np.float32) * cols).astype(np.int32) & (cols - 1)
    y = (np.asarray(v, np.float32) * rows).astype(np.int32) & (rows - 1)
    return np.asarray(texture.reshape(-1)[y * cols + x], np.float32)


def hash01(*values: npt.NDArray[np.floating] | npt.NDArray[np.integer] | int) -> Texture:
    """Scatter integers to 0..1, the same for the same integers."""
    total = np.zeros(np.broadcast_shapes(*(np.shape(v) for v in values)), np.uint32)
    with np.errstate(over="ignore"):
        for value, prime in zip(values, (73856093, 19349663, 83492791, 2654435761), strict=False):
            total ^= np.asarray(value).astype(np.int64).astype(np.uint32) * np.uint32(prime)
        total ^= total >> np.uint32(13)
        total *= np.uint32(1274126177)
        total ^= total >> np.uint32(16)
    return (total & np.uint32(0xFFFF)).astype(np.float32) / 65535.0
