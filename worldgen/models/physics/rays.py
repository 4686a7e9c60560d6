"""Rays: the direction in which each pixel looks."""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.datatypes import Camera

Rays: TypeAlias = Float32[npt.NDArray[np.float32], "h w 2"]
"""(x/z, y/z) per pixel, camera axes x right, y down, z forward."""
_LIMIT = 8.0
"""Slopes are held within this (83 degrees off axis): depth along the axis means nothing beyond."""


def rays_of(camera: Camera) -> Rays:
    """Slopes (x/z, y/z) of every pixel's ray, for the three camera models."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32)
    if camera.model == "pinhole" and not any(camera.distortion):
        rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy], axis=-1)
        return np.asarray(rays, np.float32)
    if camera.model == "ftheta":
        return _ftheta_rays(camera, u, v)
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    points = np.stack([u, v], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    coefficients = np.array(camera.distortion, np.float64)
    if camera.model == "fisheye":
        slopes = cv2.fisheye.undistortPoints(
            points, matrix, np.resize(np.append(coefficients, np.zeros(4)), 4)
        )
    else:
        slopes = cv2.undistortPoints(points, matrix, coefficients)
    rays = slopes.reshape(camera.height, camera.width, 2)
    return np.asarray(np.clip(np.nan_to_num(rays), -_LIMIT, _LIMIT), np.float32)


def _ftheta_rays(camera: Camera, u: npt.NDArray[np.float32], v: npt.NDArray[np.float32]) -> Rays:
    # The polynomial gives the radius for an angle; its inverse is read from a table.
    angles = np.linspace(0, 1.45, 512)
    radii = np.maximum.accumulate(
        np.polynomial.polynomial.polyval(angles, np.array(camera.distortion or (0, camera.fx)))
    )
    dx, dy = u - camera.cx, v - camera.cy
    radius = np.hypot(dx, dy)
    slope = np.tan(np.interp(radius, radii, angles)) / np.maximum(radius, 1e-6)
    return np.asarray(np.clip(np.stack([dx * slope, dy * slope], axis=-1), -_LIMIT, _LIMIT), np.float32)


def ray_length(rays: Rays) -> Float32[npt.NDArray[np.float32], "h w"]:
    """Length of each ray per metre of depth along the axis; >= 1."""
    return np.asarray(np.sqrt(1 + rays[..., 0] ** 2 + rays[..., 1] ** 2), np.float32)
