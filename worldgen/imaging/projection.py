"""Points <-> pixels, for pinhole, fisheye and f-theta cameras.

Pixel centres lie on whole numbers, as in OpenCV: the picture spans -0.5 .. width - 0.5. `Box2d` counts from
the edge instead (0 .. width), so a projected corner enters a box as uv + 0.5.
"""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, Float64

from worldgen.datatypes import Camera

_Array = npt.NDArray[np.float64]
_ITERATIONS: Final = 30
_NEAR: Final = 1e-6


def project(
    points_m: Float64[npt.NDArray[np.floating], "... 3"], camera: Camera
) -> tuple[Float64[npt.NDArray[np.float64], "... 2"], Bool[npt.NDArray[np.bool_], "..."]]:
    """Project points in camera axes to pixels.

    Args:
        points_m: x right, y down, z forward.
        camera: Which camera.

    Returns:
        Pixels (u, v), and where they mean something: in front of the camera (for wide lenses: within the
        angle up to which the lens curve rises) and within the part where the distortion does not fold
        back. A point can be in front and outside the picture.
    """
    points = np.asarray(points_m, np.float64)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    if camera.model == "pinhole":
        in_front = z > _NEAR
        safe = np.where(in_front, z, 1.0)
        xn, yn = x / safe, y / safe
        if any(camera.distortion):
            in_front = in_front & (np.hypot(xn, yn) < _brown_limit(camera.distortion))
            xn, yn = _brown(xn, yn, camera.distortion)
        return _pixels(xn, yn, camera), in_front
    radius = np.hypot(x, y)
    angle = np.arctan2(radius, z)
    curve, limit = _lens_curve(camera)
    in_front = (angle < limit) & (radius + np.abs(z) > _NEAR)
    grown = _polynomial(np.minimum(angle, limit), curve)
    scale = np.where(radius > 1e-12, grown / np.maximum(radius, 1e-12), 0.0)
    return _pixels(x * scale, y * scale, camera), in_front


def unproject(
    uv: Float64[npt.NDArray[np.floating], "... 2"], camera: Camera
) -> Float64[npt.NDArray[np.float64], "... 3"]:
    """Find the unit ray of each pixel (any place in the picture, whole or not); NaN beyond the lens.

    Lens curves are inverted by Newton's method, to far less than a hundredth of a pixel.
    """
    places = np.asarray(uv, np.float64)
    xn = (places[..., 0] - camera.cx) / camera.fx
    yn = (places[..., 1] - camera.cy) / camera.fy
    if camera.model == "pinhole":
        if any(camera.distortion):
            xn, yn = _undo_brown(xn, yn, camera.distortion)
        ray = np.stack((xn, yn, np.ones_like(xn)), axis=-1)
        return np.asarray(ray / np.linalg.norm(ray, axis=-1, keepdims=True), np.float64)
    curve, limit = _lens_curve(camera)
    grown = np.hypot(xn, yn)
    angle = _undo_polynomial(grown, curve, limit)
    scale = np.where(grown > 1e-12, np.sin(angle) / np.maximum(grown, 1e-12), 1.0)
    return np.stack((xn * scale, yn * scale, np.cos(angle)), axis=-1)


def rays(camera: Camera) -> Float32[npt.NDArray[np.float32], "h w 3"]:
    """Build the unit ray of every pixel, x right, y down, z forward; read-only, kept for the last cameras.

    Depth along the optical axis becomes distance along the ray by dividing by z.
    """
    return _rays(
        camera.model_copy(update={"height_m": 0.0, "pitch_rad": 0.0, "roll_rad": 0.0}).model_dump_json()
    )


@lru_cache(maxsize=8)
def _rays(camera_json: str) -> Float32[npt.NDArray[np.float32], "h w 3"]:
    camera = Camera.model_validate_json(camera_json)
    u, v = np.meshgrid(np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64))
    found = unproject(np.stack((u, v), axis=-1), camera).astype(np.float32)
    found.flags.writeable = False
    return found


def horizontal_field_of_view(camera: Camera) -> float:
    """Angle between the rays of the middle of the left and right edges, in radians."""
    edges = np.array([(-0.5, camera.cy), (camera.width - 0.5, camera.cy)])
    left, right = unproject(edges, camera)
    return float(np.arccos(np.clip(left @ right, -1.0, 1.0)))


def _pixels(xn: _Array, yn: _Array, camera: Camera) -> _Array:
    return np.stack((camera.fx * xn + camera.cx, camera.fy * yn + camera.cy), axis=-1)


def _brown(x: _Array, y: _Array, distortion: tuple[float, ...]) -> tuple[_Array, _Array]:
    """Brown (1966) as OpenCV writes it: k1, k2, p1, p2, k3."""
    k1, k2, p1, p2, k3 = (*distortion, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    )


def _undo_brown(xd: _Array, yd: _Array, distortion: tuple[float, ...]) -> tuple[_Array, _Array]:
    k1, k2, p1, p2, k3 = (*distortion, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    limit = _brown_limit(distortion)
    x, y = xd.copy(), yd.copy()
    for _ in range(_ITERATIONS):
        # A step must not cross the fold, or Newton runs away.
        radius = np.hypot(x, y)
        inside = np.minimum(1.0, 0.98 * limit / np.maximum(radius, 1e-12))
        x, y = x * inside, y * inside
        fx, fy = _brown(x, y, distortion)
        ex, ey = fx - xd, fy - yd
        if max(np.abs(ex).max(initial=0.0), np.abs(ey).max(initial=0.0)) < 1e-12:
            break
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        slope = 2 * (k1 + r2 * (2 * k2 + 3 * k3 * r2))
        a = radial + x * x * slope + 2 * p1 * y + 6 * p2 * x
        b = x * y * slope + 2 * p1 * x + 2 * p2 * y
        d = radial + y * y * slope + 6 * p1 * y + 2 * p2 * x
        det = a * d - b * b
        det = np.where(np.abs(det) < 1e-9, 1e-9, det)
        x, y = x - (d * ex - b * ey) / det, y - (a * ey - b * ex) / det
    fx, fy = _brown(x, y, distortion)
    lost = np.hypot(fx - xd, fy - yd) > 1e-6
    return np.where(lost, np.nan, x), np.where(lost, np.nan, y)


@lru_cache(maxsize=64)
def _brown_limit(distortion: tuple[float, ...]) -> float:
    """Radius (tangent of the angle) at which the radial curve folds back; infinity when it never does."""
    k1, k2, _, _, k3 = (*distortion, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    # d/dr [r + k1 r^3 + k2 r^5 + k3 r^7] = 1 + 3 k1 s + 5 k2 s^2 + 7 k3 s^3 with s = r^2
    return float(np.sqrt(_first_root((1.0, 3 * k1, 5 * k2, 7 * k3), np.inf)))


@lru_cache(maxsize=64)
def _curve_of(model: str, fx: float, distortion: tuple[float, ...]) -> tuple[tuple[float, ...], float]:
    if model == "fisheye":
        k1, k2, k3, k4 = (*distortion, 0.0, 0.0, 0.0, 0.0)[:4]
        curve: tuple[float, ...] = (0.0, 1.0, 0.0, k1, 0.0, k2, 0.0, k3, 0.0, k4)
    else:
        # In pixels at calibration; over its linear coefficient it is free of scale, and fx, fy carry that.
        linear = distortion[1] if len(distortion) > 1 and distortion[1] else fx
        curve = tuple(c / linear for c in distortion) if len(distortion) > 1 else (0.0, 1.0)
    slope = tuple(i * c for i, c in enumerate(curve))[1:]
    return curve, min(_first_root(slope, np.inf), float(np.pi))


def _lens_curve(camera: Camera) -> tuple[tuple[float, ...], float]:
    """Polynomial of the angle (lowest first, in units of fx), and the angle up to which it rises."""
    return _curve_of(camera.model, camera.fx, camera.distortion)


def _polynomial(x: _Array, coefficients: tuple[float, ...]) -> _Array:
    return np.asarray(np.polynomial.polynomial.polyval(x, coefficients), np.float64)


def _undo_polynomial(grown: _Array, curve: tuple[float, ...], limit: float) -> _Array:
    slope = tuple(i * c for i, c in enumerate(curve))[1:]
    angle = np.minimum(grown, limit)
    for _ in range(_ITERATIONS):
        error = _polynomial(angle, curve) - grown
        if np.abs(error).max(initial=0.0) < 1e-13:
            break
        angle = np.clip(angle - error / np.maximum(_polynomial(angle, slope), 1e-6), 0.0, limit)
    return np.where(np.abs(_polynomial(angle, curve) - grown) > 1e-6, np.nan, angle)


def _first_root(coefficients: tuple[float, ...], otherwise: float) -> float:
    """Smallest positive real root of a polynomial, lowest coefficient first."""
    trimmed = np.trim_zeros(np.array(coefficients), "b")
    if len(trimmed) < 2:
        return otherwise
    roots = np.polynomial.polynomial.polyroots(trimmed)
    real = roots[(np.abs(roots.imag) < 1e-9) & (roots.real > 1e-12)].real
    return float(real.min()) if len(real) else otherwise
