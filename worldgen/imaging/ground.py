"""The road as a plane under the camera: horizon, distance by pixel, and back."""

import math

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64

from worldgen.datatypes import Camera


def ground_normal(camera: Camera) -> Float64[npt.NDArray[np.float64], "3"]:
    """Unit vector pointing down, at right angles to the road, in camera axes (x right, y down, z forward).

    Pitch looks down when positive. With positive roll the horizon climbs towards the right of the picture.
    """
    cp, sp = math.cos(camera.pitch_rad), math.sin(camera.pitch_rad)
    cr, sr = math.cos(camera.roll_rad), math.sin(camera.roll_rad)
    return np.array([sr * cp, cr * cp, sp])


def horizon_row(camera: Camera, column: float | None = None) -> float:
    """Row (pixels, may lie outside the picture) at which the road plane vanishes, at one column."""
    n = ground_normal(camera)
    x = 0.0 if column is None else (column - camera.cx) / camera.fx
    return camera.cy - camera.fy * float(n[2] + n[0] * x) / float(n[1])


def pitch_for_horizon(camera: Camera, row: float) -> float:
    """Pitch in radians that puts the horizon of a level camera at `row`."""
    return math.atan2(camera.cy - row, camera.fy)


def inverse_ground_depth(camera: Camera) -> Float32[npt.NDArray[np.float32], "h w"]:
    """1/z of the road plane per pixel (1/m): linear in rows and columns, 0 on the horizon, < 0 above it."""
    n = ground_normal(camera) / camera.height_m
    u = (np.arange(camera.width, dtype=np.float32) - camera.cx) / camera.fx
    v = (np.arange(camera.height, dtype=np.float32) - camera.cy) / camera.fy
    inverse = n[1] * v[:, None] + n[0] * u[None, :] + n[2]
    return np.asarray(inverse, np.float32)


def ground_depth(
    camera: Camera, *, near_m: float = 1.0, far_m: float = 400.0
) -> Float32[npt.NDArray[np.float32], "h w"]:
    """Distance along the optical axis of the road plane per pixel, held within near_m..far_m."""
    inverse = np.clip(inverse_ground_depth(camera), 1.0 / far_m, 1.0 / near_m)
    return np.asarray(1.0 / inverse, np.float32)
