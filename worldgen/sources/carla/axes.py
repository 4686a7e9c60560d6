"""Frames of reference: Unreal's, NVIDIA's and ours.

======== =========================================================== ============
ours     x right, y down, z forward (camera, ego and world alike)    right-handed
Unreal   x forward, y right, z up; degrees                           left-handed
FLU      x forward, y left, z up (rear axle, on the ground)          right-handed
======== =========================================================== ============

Points change frame by a permutation with signs; a transform T becomes P T P^-1. Because Unreal's frame has
the other hand, its P mirrors (determinant -1), which is also why its yaw turns right, as ours does about y
down: yaw 90 degrees points from forward to right in both.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

OURS_FROM_UNREAL: Final = np.array([[0, 1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], np.float64)
OURS_FROM_FLU: Final = np.array([[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], np.float64)
"""For points; a pose between two FLU frames becomes P T P^T."""
BOX_FROM_FLU: Final = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)
"""Box axes (x heading, y down, z left) from x heading, y left, z up."""
BOX_FROM_UNREAL: Final = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float64)


def unreal_matrix(
    x: float, y: float, z: float, *, pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0
) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Build the matrix of a `carla.Transform` (metres, degrees), as `Transform.get_matrix` does."""
    cy, sy = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    cp, sp = np.cos(np.radians(pitch)), np.sin(np.radians(pitch))
    cr, sr = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    return np.array(
        [
            [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr, x],
            [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr, y],
            [sp, -cp * sr, cp * cr, z],
            [0, 0, 0, 1],
        ],
        np.float64,
    )


def from_unreal(matrix: npt.NDArray[np.floating]) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Turn a transform between two Unreal frames into the same one between two frames of ours."""
    return np.asarray(OURS_FROM_UNREAL @ matrix @ OURS_FROM_UNREAL.T, np.float64)


def box_from_unreal(matrix: npt.NDArray[np.floating]) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Turn Unreal's world_from_box (x along the heading) into ours (box axes x heading, y down, z left)."""
    return np.asarray(OURS_FROM_UNREAL @ matrix @ BOX_FROM_UNREAL.T, np.float64)


def from_flu(matrix: npt.NDArray[np.floating]) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Turn a transform between two FLU frames into the same one between two frames of ours."""
    return np.asarray(OURS_FROM_FLU @ matrix @ OURS_FROM_FLU.T, np.float64)


def box_from_flu(matrix: npt.NDArray[np.floating]) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Turn FLU's world_from_box (x heading, y left, z up) into ours."""
    return np.asarray(OURS_FROM_FLU @ matrix @ BOX_FROM_FLU.T, np.float64)


def flu_matrix(
    t_flu: tuple[float, float, float], rpy_flu_deg: tuple[float, float, float]
) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Build a right-handed FLU pose from a position and roll, pitch, yaw in degrees (R = Rz Ry Rx)."""
    roll, pitch, yaw = np.radians(rpy_flu_deg)
    cr, sr, cp, sp, cy, sy = (
        np.cos(roll),
        np.sin(roll),
        np.cos(pitch),
        np.sin(pitch),
        np.cos(yaw),
        np.sin(yaw),
    )
    out = np.eye(4)
    out[:3, :3] = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    out[:3, 3] = t_flu
    return out


def yaw_matrix(
    center_m: tuple[float, float, float], yaw_rad: float
) -> Float64[npt.NDArray[np.float64], "4 4"]:
    """Build a box's pose from its middle and its yaw about y (down): 0 heads along +x, pi/2 along -z.

    The same sense as `Box3d.yaw_rad` and KITTI's rotation_y.
    """
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    out = np.eye(4)
    out[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    out[:3, 3] = center_m
    return out


def yaw_of(matrix: npt.NDArray[np.floating]) -> float:
    """Read the yaw about y back from a box's pose, whatever its pitch and roll: of its heading."""
    return float(np.arctan2(-matrix[2, 0], matrix[0, 0]))


def mounting(ego_from_camera: npt.NDArray[np.floating]) -> tuple[float, float, float]:
    """Read height above the ground (m), pitch (positive looks down) and roll from a mounting on the ego.

    The ego's origin is on the ground, its axes ours. Roll is positive when the right side is lower.
    """
    forward, right = ego_from_camera[:3, 2], ego_from_camera[:3, 0]
    pitch = float(np.arctan2(forward[1], np.hypot(forward[0], forward[2])))
    roll = float(np.arcsin(np.clip(right[1] / max(np.cos(pitch), 1e-9), -1, 1)))
    return float(-ego_from_camera[1, 3]), pitch, roll
