"""How the camera moved between two frames, from optical flow and an assumed camera."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64

from worldgen.datatypes import Camera

_STEPS: Final = 8
_CAUCHY_PX: Final = 0.6
"""Scale of the robust weight: flow errors above this count less and less."""


@dataclass(frozen=True, slots=True)
class EgoMotion:
    """Rotation and direction of travel from a first to a second frame. The length is not observable."""

    rotation: Float64[npt.NDArray[np.float64], "3 3"]
    """Takes points in the first camera's axes to the second's: x2 = R (x1 - s t)."""
    direction: Float64[npt.NDArray[np.float64], "3"]
    """Unit vector of travel in the first camera's axes."""
    inliers: float
    """Share of the flow that a static scene explains within one pixel."""
    flow_px: float
    """Median length of the flow after the rotation is taken out: how much parallax there was."""

    def focus(self, camera: Camera) -> tuple[float, float]:
        """Focus of expansion in pixels of the first frame."""
        x, y, z = self.direction
        return camera.cx + camera.fx * x / z, camera.cy + camera.fy * y / z


def rays_of(
    camera: Camera, u: npt.NDArray[np.float32], v: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Viewing rays with z = 1, [n, 3]."""
    return np.stack(
        [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones_like(u)], axis=-1
    ).astype(np.float64)


def estimate_motion(
    points: Float32[npt.NDArray[np.float32], "n 2"],
    flow: Float32[npt.NDArray[np.float32], "n 2"],
    camera: Camera,
    *,
    start: Float64[npt.NDArray[np.float64], "5"] | None = None,
    prior: Float64[npt.NDArray[np.float64], "2"] | None = None,
    prior_px: float = 30.0,
) -> tuple[EgoMotion, Float64[npt.NDArray[np.float64], "5"]]:
    """Find rotation and direction of travel that explain point motions, robustly.

    Gauss-Newton on the epipolar distance in pixels (Hartley and Zisserman, section 11.4) with Cauchy
    weights. A car travels forward, so the search starts there and stays near `prior`.

    Args:
        points: Pixels of the first frame.
        flow: Their motion in pixels.
        camera: Intrinsics of that frame size.
        start: Parameters to start from: three of rotation (rad), x and y of the direction over its z.
        prior: Expected x and y of the direction over its z.
        prior_px: How far from it the focus of expansion may lie, one sigma.

    Returns:
        The motion and its five parameters.
    """
    p = rays_of(camera, points[:, 0], points[:, 1])
    q = rays_of(camera, points[:, 0] + flow[:, 0], points[:, 1] + flow[:, 1])
    x = np.zeros(5) if start is None else start.copy()
    if prior is not None and start is None:
        x[3:] = prior
    anchor = np.zeros(2) if prior is None else prior
    pull = (len(points) * 0.02) ** 0.5 * camera.fx / prior_px
    for _ in range(_STEPS):
        r0 = _epipolar_px(x, p, q, camera.fx)
        jacobian = np.empty((len(r0), 5))
        for k in range(5):
            step = np.zeros(5)
            step[k] = 1e-4
            jacobian[:, k] = (_epipolar_px(x + step, p, q, camera.fx) - r0) / 1e-4
        weight = 1.0 / (1.0 + (r0 / _CAUCHY_PX) ** 2)
        normal = (jacobian * weight[:, None]).T @ jacobian
        gradient = (jacobian * weight[:, None]).T @ r0
        normal[3:, 3:] += np.eye(2) * pull**2
        gradient[3:] += pull**2 * (x[3:] - anchor)
        normal += np.eye(5) * 1e-6 * np.trace(normal)
        change = np.linalg.solve(normal, gradient)
        x = x - np.clip(change, -0.2, 0.2)
        if float(np.abs(change).max()) < 1e-6:
            break
    residual = np.abs(_epipolar_px(x, p, q, camera.fx))
    rotation = _rotation(x[:3])
    direction = np.array([x[3], x[4], 1.0])
    direction /= np.linalg.norm(direction)
    turned = q @ rotation
    turned = turned / turned[:, 2:]
    parallax = np.hypot(*((turned - p)[:, :2] * camera.fx).T)
    motion = EgoMotion(rotation, direction, float((residual < 1.0).mean()), float(np.median(parallax)))
    return motion, x


def inverse_depth_from_flow(
    flow: Float32[npt.NDArray[np.float32], "h w 2"], camera: Camera, motion: EgoMotion
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Triangulate every pixel of a flow field (depth in units of the distance travelled).

    Returns:
        s/z (float32 [h, w]; < 0 is behind the camera), its standard deviation for a flow error of one
        pixel, and the epipolar misfit in pixels.
    """
    height, width = flow.shape[:2]
    u = (np.arange(width, dtype=np.float32) - np.float32(camera.cx)) / np.float32(camera.fx)
    v = (np.arange(height, dtype=np.float32) - np.float32(camera.cy)) / np.float32(camera.fy)
    px, py = np.broadcast_to(u, (height, width)), np.broadcast_to(v[:, None], (height, width))
    qx = px + flow[..., 0] / np.float32(camera.fx)
    qy = py + flow[..., 1] / np.float32(camera.fy)
    r = motion.rotation.astype(np.float32)
    # q seen with the first camera's orientation: R^T q, row vectors times R.
    z = qx * r[0, 2] + qy * r[1, 2] + r[2, 2]
    x = (qx * r[0, 0] + qy * r[1, 0] + r[2, 0]) / z
    y = (qx * r[0, 1] + qy * r[1, 1] + r[2, 1]) / z
    tx, ty, tz = (np.float32(c) for c in motion.direction)
    # z1 p - s t = lambda (x, y, 1): lambda = z1 - s tz, so s/z1 (tz x - tx) = x - px, likewise for y.
    ex, ey = tz * x - tx, tz * y - ty
    dx, dy = x - px, y - py
    norm = ex * ex + ey * ey + np.float32(1e-12)
    inverse = (dx * ex + dy * ey) / norm
    length = np.sqrt(norm)
    misfit = np.abs(dx * ey - dy * ex) / length * np.float32(camera.fx)
    sigma = 1.0 / (length * np.float32(camera.fx))
    return inverse, sigma, misfit


def _rotation(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.Rodrigues(vector)[0], np.float64)


def _epipolar_px(
    x: npt.NDArray[np.float64], p: npt.NDArray[np.float64], q: npt.NDArray[np.float64], focal: float
) -> npt.NDArray[np.float64]:
    """Signed distance of q, turned back, from the line through p and the focus of expansion, in pixels."""
    turned = q @ _rotation(x[:3])
    tx = turned[:, 0] / turned[:, 2]
    ty = turned[:, 1] / turned[:, 2]
    lx, ly = p[:, 0] - x[3], p[:, 1] - x[4]
    length = np.sqrt(lx * lx + ly * ly + 1e-4)
    return np.asarray(((tx - p[:, 0]) * ly - (ty - p[:, 1]) * lx) / length * focal)
