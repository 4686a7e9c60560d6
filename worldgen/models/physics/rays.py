"""Rays: the direction in which each pixel looks."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from worldgen.datatypes import Camera
from worldgen.models.physics.light import Plane

Indices: TypeAlias = npt.NDArray[np.intp]
_LIMIT = 8.0
"""Slopes are held within this (83 degrees off axis): depth along the axis means nothing beyond."""


@dataclass(frozen=True, eq=False)
class Rays:
    """Slopes x/z and y/z of every pixel's ray, camera axes x right, y down, z forward.

    Without distortion x depends on the column alone and y on the row alone: they are then kept as one row and
    one column and broadcast, which makes everything computed from them several times faster.
    """

    x: Plane
    """One row, or all of them."""
    y: Plane
    """One column, or all of them."""

    @cached_property
    def length(self) -> Plane:
        """Length of each ray per metre of depth along the axis; >= 1."""
        return np.asarray(np.sqrt(1 + self.x * self.x + self.y * self.y), np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.shape[0], self.x.shape[1]

    def along(self, axis: npt.NDArray[np.floating]) -> Plane:
        """Dot product of each ray (x, y, 1) with an axis."""
        a = axis.astype(np.float32)
        return np.asarray(self.x * a[0] + (self.y * a[1] + a[2]), np.float32)

    def thin(self, step: int, start: int = 0) -> "Rays":
        """Every `step`-th row and column."""
        x = self.x[:, start::step] if self.x.shape[0] == 1 else self.x[start::step, start::step]
        y = self.y[start::step, :] if self.y.shape[1] == 1 else self.y[start::step, start::step]
        return Rays(np.ascontiguousarray(x), np.ascontiguousarray(y))

    def rows(self, rows: slice) -> "Rays":
        """Some of the rows."""
        return Rays(self.x if self.x.shape[0] == 1 else self.x[rows], self.y[rows])

    def on(self, rows: Indices, columns: Indices) -> Float64[npt.NDArray[np.float64], "n 2"]:
        """Slopes of whole pixels."""
        x = self.x[0, columns] if self.x.shape[0] == 1 else self.x[rows, columns]
        y = self.y[rows, 0] if self.y.shape[1] == 1 else self.y[rows, columns]
        return np.column_stack([x, y]).astype(np.float64)

    def at(self, pixels: npt.NDArray[np.float32]) -> Float64[npt.NDArray[np.float64], "n 2"]:
        """Slopes at (column, row) positions between pixels, by the pixel's own gradient."""
        h, w = self.shape
        columns = np.clip(pixels[:, 0].astype(np.intp), 0, w - 2)
        rows = np.clip(pixels[:, 1].astype(np.intp), 0, h - 2)
        here = self.on(rows, columns)
        right, below = self.on(rows, columns + 1), self.on(rows + 1, columns)
        dx, dy = (pixels[:, 0] - columns)[:, None], (pixels[:, 1] - rows)[:, None]
        return np.asarray(here + dx * (right - here) + dy * (below - here))


def rays_of(camera: Camera) -> Rays:
    """Slopes of every pixel's ray, for the three camera models."""
    column = np.arange(camera.width, dtype=np.float32)
    row = np.arange(camera.height, dtype=np.float32)
    if camera.model == "pinhole" and not any(camera.distortion):
        x = (column - camera.cx) / camera.fx
        y = (row - camera.cy) / camera.fy
        return Rays(np.asarray(x[None, :], np.float32), np.asarray(y[:, None], np.float32))
    u, v = np.meshgrid(column, row)
    if camera.model == "ftheta":
        x, y = _ftheta(camera, u, v)
    else:
        x, y = _undistorted(camera, u, v)
    x, y = (np.clip(np.nan_to_num(s), -_LIMIT, _LIMIT) for s in (x, y))
    return Rays(np.asarray(x, np.float32), np.asarray(y, np.float32))


def _undistorted(
    camera: Camera, u: npt.NDArray[np.float32], v: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    points = np.stack([u, v], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    coefficients = np.array(camera.distortion, np.float64)
    if camera.model == "fisheye":
        four = np.append(coefficients, np.zeros(4))[:4]
        slopes = cv2.fisheye.undistortPoints(points, matrix, four)
    else:
        slopes = cv2.undistortPoints(points, matrix, coefficients)
    both = np.asarray(slopes, np.float64).reshape(*u.shape, 2)
    return both[..., 0], both[..., 1]


def _ftheta(
    camera: Camera, u: npt.NDArray[np.float32], v: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    # The polynomial gives the radius for an angle; its inverse is read from a table.
    angles = np.linspace(0, 1.45, 512)
    radii = np.polynomial.polynomial.polyval(angles, np.array(camera.distortion or (0.0, camera.fx)))
    dx, dy = u - camera.cx, v - camera.cy
    radius = np.hypot(dx, dy)
    slope = np.tan(np.interp(radius, np.maximum.accumulate(radii), angles)) / np.maximum(radius, 1e-6)
    return dx * slope, dy * slope
