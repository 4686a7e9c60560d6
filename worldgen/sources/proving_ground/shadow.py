"""Sun shadows: how high the shade of what stands around reaches, on a grid of the ground.

A caster's point (x, y, z) shades the ground at (x, y) - z (sx, sy) / sz for a sun at (sx, sy, sz). The grid
keeps the greatest z per cell, so a point is in shade where the grid at its own projection is higher.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.render.mesh import LEAVES
from worldgen.render.raster import Fragments, ZBuffer, plan_polygons
from worldgen.sources.proving_ground.stage import Stage

Floats = npt.NDArray[np.floating]
F32 = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid over the ground, in world axes."""

    x0: float
    y0: float
    cell: float
    columns: int
    rows: int

    def __call__(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return column and row (fractional) of world points."""
        return (x - self.x0) / self.cell, (y - self.y0) / self.cell


class Shade:
    """The shade of a stage's faces; what stands still is drawn once."""

    def __init__(self, stage: Stage, sun: Floats, grid: Grid) -> None:
        """Draw the shade of what stands still."""
        self.stage, self.grid = stage, grid
        up = max(float(sun[2]), 0.06)
        self.slope = (float(sun[0]) / up, float(sun[1]) / up)
        still = np.flatnonzero(~stage.moving[stage.part])
        self.static = self._draw(still, 0, None)

    def at(self, t: int) -> tuple[F32, F32]:
        """Shade in frame `t`: height of shade per cell, and soft cover of the ground (0 lit .. 1 shaded)."""
        moving = np.flatnonzero(self.stage.moving[self.stage.part])
        keys = self._draw(moving, t, self.static) if len(moving) else self.static
        height = (
            (keys >> np.uint64(32))
            .astype(np.uint32)
            .view(np.float32)
            .reshape(self.grid.rows, self.grid.columns)
        )
        cover = _soft((height > 0.02).astype(np.float32), max(0.10 / self.grid.cell, 0.7))
        return height, cover

    def _draw(
        self, index: npt.NDArray[np.intp], t: int, start: npt.NDArray[np.uint64] | None
    ) -> npt.NDArray[np.uint64]:
        stage, grid = self.stage, self.grid
        buffer = ZBuffer(np.zeros(0 if start is not None else grid.rows * grid.columns, np.float32))
        if start is not None:
            buffer.keys = start.copy()
        part = stage.part[index]
        visible = np.array([thing.visible[t] and thing.kind != "ego" for thing in stage.things])[
            stage.thing_of_part[part]
        ]
        index, part = index[visible], part[visible]
        if len(index) == 0:
            return buffer.keys
        poses = stage.poses[t]
        world = (
            np.einsum("nij,nkj->nki", poses[part, :3, :3], stage.corners[index]) + poses[part, None, :3, 3]
        )
        column, row = grid(
            world[..., 0] - self.slope[0] * world[..., 2], world[..., 1] - self.slope[1] * world[..., 2]
        )
        faces = np.stack((column, row, np.maximum(world[..., 2], 1e-3)), -1)
        polygons = plan_polygons(faces, grid.columns, grid.rows)
        leaves = stage.material[index] == LEAVES

        def gaps(bits: Fragments, face: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
            # Sunlight falls through a crown in spots of about a hand's breadth, more towards its rim.
            x, y = bits.pixel % grid.columns, bits.pixel // grid.columns
            spot = (x * grid.cell / 0.35).astype(np.int64) * 7 + (y * grid.cell / 0.35).astype(np.int64) * 13
            return np.asarray(leaves[face] & ((spot * 2654435761 >> 7) % 5 < 2))

        buffer.draw(polygons, grid.columns, np.ones(len(index), np.int64), gaps if leaves.any() else None)
        return buffer.keys


def _soft(cover: F32, sigma: float) -> F32:
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), sigma), np.float32)


def read(texture: F32, grid: Grid, x: F32, y: F32) -> F32:
    """Read a grid at world points, bilinear, 0 outside."""
    column, row = grid(x, y)
    n = len(column)
    width = 8192
    rows = -(-n // width)
    pad = rows * width - n
    mx = np.pad(column.astype(np.float32), (0, pad)).reshape(rows, width)
    my = np.pad(row.astype(np.float32), (0, pad)).reshape(rows, width)
    return np.asarray(
        cv2.remap(texture, mx, my, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0).reshape(
            -1
        )[:n]
    )
