"""Samples and pixels: two samples per pixel and side, and light computed only where they differ.

The sample grid has 2 n + 1 samples per side, so that every second one is a pixel's very centre. A pixel whose
nine samples all show the same face is lit at its centre; others are lit at all nine and averaged with a tent.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera
from worldgen.render.raster import Lens
from worldgen.sources.proving_ground.setting import Picture
from worldgen.sources.proving_ground.view import View

F32 = npt.NDArray[np.floating]
BRIGHTEST = 6.0
"""Radiance is clipped here before averaging, so that a lamp does not eat its neighbours."""
_TENT = ((0, 0.25), (1, 0.5), (2, 0.25))


def sample_lens(camera: Camera) -> Lens:
    """Return the lens of the sample grid."""
    return Lens(
        2 * camera.width + 1,
        2 * camera.height + 1,
        2 * camera.fx,
        2 * camera.fy,
        2 * camera.cx + 1,
        2 * camera.cy + 1,
    )


def centres(flat: npt.NDArray[Any], lens: Lens) -> npt.NDArray[Any]:
    """Read pixels' centres out of a flat array over samples, [h, w, ...]."""
    return np.ascontiguousarray(flat.reshape(lens.height, lens.width, *flat.shape[1:])[1::2, 1::2])


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Which samples are lit."""

    mixed: npt.NDArray[np.bool_]
    """[h, w] pixels whose samples differ."""
    where: npt.NDArray[np.intp]
    """Flat samples to light."""
    lens: Lens


def plan_samples(view: View) -> Plan:
    """Choose the samples to light."""
    lens = view.lens
    seen = (
        np.where(view.face >= 0, view.face + 3, view.background)
        .astype(np.int32)
        .reshape(lens.height, lens.width)
    )
    h, w = lens.height // 2, lens.width // 2
    blocks = [seen[y : y + 2 * h : 2, x : x + 2 * w : 2] for y in range(3) for x in range(3)]
    mixed = np.zeros((h, w), bool)
    for block in blocks:
        mixed |= block != blocks[4]
    need = np.zeros((lens.height, lens.width), bool)
    for y in range(3):
        for x in range(3):
            need[y : y + 2 * h : 2, x : x + 2 * w : 2] |= mixed
    need[1::2, 1::2] = True
    return Plan(mixed, np.flatnonzero(need), lens)


def resolve(plan: Plan, picture: Picture) -> tuple[F32, F32]:
    """Average lit samples to pixels: radiance [h, w, 3] and gloss [h, w]."""
    lens = plan.lens
    full = np.zeros((lens.height * lens.width, 4), np.float32)
    full[plan.where, :3] = np.minimum(picture.radiance, BRIGHTEST)
    full[plan.where, 3] = picture.gloss
    grid = full.reshape(lens.height, lens.width, 4)
    out = np.ascontiguousarray(grid[1::2, 1::2])
    rows, columns = np.nonzero(plan.mixed)
    total = np.zeros((len(rows), 4), np.float32)
    for y, a in _TENT:
        for x, b in _TENT:
            total += grid[2 * rows + y, 2 * columns + x] * np.float32(a * b)
    out[rows, columns] = total
    return out[..., :3], out[..., 3]


def scatter(plan: Plan, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Lay values of lit samples back on the whole flat grid; zero elsewhere."""
    full = np.zeros((plan.lens.height * plan.lens.width, *values.shape[1:]), values.dtype)
    full[plan.where] = values
    return full
