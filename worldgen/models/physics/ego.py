"""Ego motion over the ground, for clips whose geometry has no pose."""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from worldgen.datatypes import Clip, Geometry
from worldgen.models.physics.ground import GroundPlane
from worldgen.models.physics.rays import Rays

Poses: TypeAlias = Float64[npt.NDArray[np.float64], "t 4 4"]
_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.03)


def poses_of(
    geometry: Geometry, clip: Clip, rays: Rays, planes: tuple[GroundPlane, ...]
) -> tuple[Poses, str]:
    """Return world_from_camera per frame and where it came from: the geometry, or the road's own motion."""
    if geometry.pose is not None:
        return geometry.pose, str(geometry.origins.pose)
    return _from_road(clip, rays, planes), "from_motion"


def _from_road(clip: Clip, rays: Rays, planes: tuple[GroundPlane, ...]) -> Poses:
    """Follow points on the road plane from frame to frame and chain the rigid motions between them.

    World axes are those of a level camera at the first frame: x right, y down, z forward. A frame whose
    road shows nothing to follow keeps the motion of the one before it.
    """
    height, width = clip.frames.shape[1:3]
    poses = np.tile(np.eye(4), (len(clip), 1, 1))
    step = np.eye(3)
    ground = np.eye(3)
    poses[0] = _lift(ground, planes[0])
    before = cv2.cvtColor(clip.frames[0], cv2.COLOR_RGB2GRAY)
    mask = _road_window(rays, planes[0], height, width)
    for i in range(1, len(clip)):
        after = cv2.cvtColor(clip.frames[i], cv2.COLOR_RGB2GRAY)
        found = _rigid_step(before, after, mask, rays, planes[i - 1], planes[i])
        step = step if found is None else found
        ground = ground @ step
        poses[i] = _lift(ground, planes[i])
        before = after
    return poses


def _road_window(rays: Rays, plane: GroundPlane, height: int, width: int) -> npt.NDArray[np.uint8]:
    inverse = plane.inverse_depth(rays)
    window = (inverse > 1 / 25) & (inverse < 1 / 3) & (np.abs(rays.x) < 0.8)
    window[round(0.97 * height) :] = False
    window[:, : round(0.02 * width)] = False
    return np.asarray(window, np.uint8)


def _rigid_step(
    before: npt.NDArray[np.uint8],
    after: npt.NDArray[np.uint8],
    mask: npt.NDArray[np.uint8],
    rays: Rays,
    plane_before: GroundPlane,
    plane_after: GroundPlane,
) -> Float64[npt.NDArray[np.float64], "3 3"] | None:
    corners = cv2.goodFeaturesToTrack(before, 200, 0.005, 8, mask=mask)
    if corners is None or len(corners) < 12:
        return None
    moved, found = _follow(before, after, np.asarray(corners, np.float32))
    back, again = _follow(after, before, moved)
    steady = np.linalg.norm((back - corners).reshape(-1, 2), axis=1) < 0.7
    good = (found.ravel() == 1) & (again.ravel() == 1) & steady
    if int(good.sum()) < 10:
        return None
    p = _on_ground(corners.reshape(-1, 2)[good], rays, plane_before)
    q = _on_ground(moved.reshape(-1, 2)[good], rays, plane_after)
    return _ransac_rigid(q, p)


def _follow(
    before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], points: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, points, points.copy(), winSize=(21, 21), maxLevel=3, criteria=_CRITERIA
    )
    return np.asarray(moved, np.float32), np.asarray(found, np.uint8)


def _on_ground(pixels: npt.NDArray[np.float32], rays: Rays, plane: GroundPlane) -> npt.NDArray[np.float64]:
    """Metres right and ahead of the camera, on the plane."""
    slopes = rays.at(pixels)
    inverse = slopes @ plane.normal[:2] + plane.normal[2]
    z = 1 / np.maximum(inverse, 1e-3)
    points = np.column_stack([slopes[:, 0] * z, slopes[:, 1] * z, z])
    level = _level(plane)
    return np.asarray((points @ level.T)[:, [0, 2]])


def _ransac_rigid(
    p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]
) -> Float64[npt.NDArray[np.float64], "3 3"] | None:
    """Find the rigid motion q = R p + t that most points agree on (to 5% of their distance)."""
    rng = np.random.default_rng(len(p))
    tolerance = np.maximum(0.05, 0.02 * np.linalg.norm(p, axis=1))
    best: npt.NDArray[np.bool_] | None = None
    for _ in range(60):
        pick = rng.choice(len(p), 2, replace=False)
        motion = _rigid(p[pick], q[pick])
        inside = np.linalg.norm(p @ motion[:2, :2].T + motion[:2, 2] - q, axis=1) < tolerance
        if best is None or inside.sum() > best.sum():
            best = inside
    if best is None or best.sum() < 8:
        return None
    return _rigid(p[best], q[best])


def _rigid(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> Float64[npt.NDArray[np.float64], "3 3"]:
    centre_p, centre_q = p.mean(0), q.mean(0)
    a, b = p - centre_p, q - centre_q
    angle = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    c, s = np.cos(angle), np.sin(angle)
    rotation = np.array([[c, -s], [s, c]])
    motion = np.eye(3)
    motion[:2, :2] = rotation
    motion[:2, 2] = centre_q - rotation @ centre_p
    return motion


def _level(plane: GroundPlane) -> Float64[npt.NDArray[np.float64], "3 3"]:
    """Rotation from camera axes to level axes: y along the plane's normal, z ahead."""
    down = -plane.up
    ahead = np.array([0.0, 0.0, 1.0]) - down[2] * down
    ahead /= np.linalg.norm(ahead)
    return np.stack([np.cross(down, ahead), down, ahead])


def _lift(ground: npt.NDArray[np.float64], plane: GroundPlane) -> Float64[npt.NDArray[np.float64], "4 4"]:
    pose = np.eye(4)
    turn = np.array([[ground[0, 0], 0, ground[0, 1]], [0, 1, 0], [ground[1, 0], 0, ground[1, 1]]])
    pose[:3, :3] = turn @ _level(plane)
    pose[:3, 3] = (ground[0, 2], 0.0, ground[1, 2])
    return pose
