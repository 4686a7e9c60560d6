"""From relative to metric: the road under the camera is the ruler."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32

from worldgen.datatypes import Camera
from worldgen.imaging.ground import inverse_ground_depth

_ROUNDS = 4
_ENOUGH = 200


@dataclass(frozen=True, slots=True)
class RoadFit:
    """1/depth = scale * relative + shift."""

    scale: float
    shift: float
    residual: float
    """Median of |fit - plane| / plane on the road: 0 when the picture and the plane agree."""


def fit_to_road(
    relative: Float32[npt.NDArray[np.float32], "n h w"],
    road: Bool[npt.NDArray[np.bool_], "n h w"],
    camera: Camera,
    *,
    has_shift: bool = True,
) -> RoadFit | None:
    """Find scale and shift that lay a relative inverse depth on the road plane of `camera`.

    Least squares on 1/z, in which the plane is linear in rows, with rejection of what stands on the road
    (Ranftl et al. 2020 align relative to metric depth in the same way, by scale and shift of 1/z).

    Args:
        relative: Inverse depth up to scale and shift; near is large.
        road: Where the road is.
        camera: With pitch and height of the size of `relative`.
        has_shift: False when relative 0 is known to be infinity.

    Returns:
        None when there is too little road, or when the fit is upside down.
    """
    plane = np.broadcast_to(inverse_ground_depth(camera), relative.shape)
    use = road & (plane > 0) & np.isfinite(relative)
    x, y = relative[use].astype(np.float64), plane[use].astype(np.float64)
    if x.size < _ENOUGH:
        return None
    good = np.ones(x.size, np.bool_)
    scale, shift = 0.0, 0.0
    for _ in range(_ROUNDS):
        scale, shift = _line(x[good], y[good], has_shift)
        error = np.abs(scale * x + shift - y)
        limit = max(2.5 * float(np.median(error[good])), 1e-9)
        good = error <= limit
        if good.sum() < _ENOUGH // 2:
            return None
    if scale <= 0:
        return None
    residual = float(np.median(np.abs(scale * x + shift - y) / y))
    return RoadFit(scale, shift, residual)


def _line(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], has_shift: bool) -> tuple[float, float]:
    if not has_shift:
        return float(x @ y / max(float(x @ x), 1e-12)), 0.0
    mx, my = float(x.mean()), float(y.mean())
    spread = float((x - mx) @ (x - mx))
    scale = float((x - mx) @ (y - my)) / max(spread, 1e-12)
    return scale, my - scale * mx


def horizon_of_relative(
    relative: Float32[npt.NDArray[np.float32], "n h w"], road: Bool[npt.NDArray[np.bool_], "n h w"]
) -> float | None:
    """Row at which an inverse depth whose 0 is infinity reaches 0 along the road; None if it never does."""
    rows = np.broadcast_to(np.arange(relative.shape[1], dtype=np.float32)[None, :, None], relative.shape)
    x, y = rows[road].astype(np.float64), relative[road].astype(np.float64)
    if x.size < _ENOUGH:
        return None
    good = np.ones(x.size, np.bool_)
    slope, shift = 0.0, 0.0
    for _ in range(_ROUNDS):
        slope, shift = _line(x[good], y[good], has_shift=True)
        error = np.abs(slope * x + shift - y)
        good = error <= max(2.5 * float(np.median(error[good])), 1e-9)
        if good.sum() < _ENOUGH // 2:
            return None
    return -shift / slope if slope > 0 else None


def road_prior(height: int, width: int) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Where the road nearly always is: a trapezoid in the lower middle of the picture, above a bonnet."""
    v = np.linspace(0.0, 1.0, height)[:, None]
    u = np.linspace(-1.0, 1.0, width)[None, :]
    half = 0.12 + 0.55 * np.clip((v - 0.55) / 0.45, 0.0, 1.0)
    return np.asarray((v > 0.62) & (v < 0.97) & (np.abs(u) < half))
