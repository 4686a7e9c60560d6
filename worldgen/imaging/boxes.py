"""Cuboids in the picture: corners, outlines, and how much of one lies outside the frame."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64

from worldgen.datatypes import Box2d, Box3d, Camera
from worldgen.imaging.projection import project

NEAR_M: Final = 0.1
_CORNERS: Final = np.array(
    [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)], np.float64
)
EDGES: Final = tuple(
    (a, b) for a in range(8) for b in range(a + 1, 8) if int((_CORNERS[a] != _CORNERS[b]).sum()) == 1
)
"""Pairs of corners, in the order of `corners_of`."""


def pose_of(box: Box3d) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Build camera_from_box of a cuboid in camera axes (box axes: x heading, y down, z left)."""
    c, s = np.cos(box.yaw_rad), np.sin(box.yaw_rad)
    out = np.eye(4)
    out[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    out[:3, 3] = box.center_m
    return out


def corners_of(
    size_m: tuple[float, float, float], camera_from_box: Float64[npt.NDArray[np.float64], "4 4"]
) -> Float64[npt.NDArray[np.float64], "8 3"]:
    """Find a box's corners in camera axes (size: length, height, width)."""
    return np.asarray(_CORNERS * size_m @ camera_from_box[:3, :3].T + camera_from_box[:3, 3], np.float64)


def outline_of(
    corners: Float64[npt.NDArray[np.float64], "8 3"], camera: Camera
) -> Float32[npt.NDArray[np.float32], "n 2"] | None:
    """Find the convex outline of a box in the picture (edge coordinates); None behind the camera.

    Edges that cross the camera's plane are cut just before it.
    """
    points = [c for c in corners if c[2] > NEAR_M]
    for a, b in EDGES:
        za, zb = corners[a, 2], corners[b, 2]
        if (za > NEAR_M) != (zb > NEAR_M):
            share = (NEAR_M - za) / (zb - za)
            points.append(corners[a] + share * (corners[b] - corners[a]) + (0, 0, 1e-9))
    if len(points) < 3:
        return None
    uv, in_front = project(np.array(points), camera)
    if in_front.sum() < 3:
        return None
    flat = np.clip(uv[in_front] + 0.5, -1e5, 1e5).astype(np.float32)
    return np.asarray(cv2.convexHull(flat)[:, 0], np.float32)


def clip_outline(outline: Float32[npt.NDArray[np.float32], "n 2"], camera: Camera) -> Box2d | None:
    """Find the box around the part of an outline that lies in the frame; None when none does."""
    frame = np.array(
        [(0, 0), (camera.width, 0), (camera.width, camera.height), (0, camera.height)], np.float32
    )
    _, inside = cv2.intersectConvexConvex(outline, frame)
    if inside is None or len(inside) < 3:
        return None
    left, top = inside.reshape(-1, 2).min(axis=0)
    right, bottom = inside.reshape(-1, 2).max(axis=0)
    if right <= left or bottom <= top:
        return None
    return Box2d(left=float(left), top=float(top), right=float(right), bottom=float(bottom))


def truncation_of(outline: Float32[npt.NDArray[np.float32], "n 2"], camera: Camera) -> float:
    """Measure which share of an outline lies outside the frame."""
    whole = float(cv2.contourArea(outline))
    if whole <= 0:
        return 0.0
    frame = np.array(
        [(0, 0), (camera.width, 0), (camera.width, camera.height), (0, camera.height)], np.float32
    )
    inside = float(cv2.intersectConvexConvex(outline, frame)[0])
    return float(np.clip(1.0 - inside / whole, 0.0, 1.0))
