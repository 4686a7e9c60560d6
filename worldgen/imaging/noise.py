"""How noisy a picture is: what hides small and faint things."""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.imaging.edges import Plane

QUANTISATION = 0.29
"""Standard deviation of rounding to whole levels, 1 / sqrt(12)."""

_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
_GAIN = 6.0
"""The mask's output has six times the standard deviation of white noise."""
_MEDIAN = 0.6745
"""Median of |N(0, 1)|."""


def _spread_of(response: npt.NDArray[np.float32]) -> float:
    return max(float(np.median(response)) / (_GAIN * _MEDIAN), QUANTISATION)


def noise_sigma(plane: Plane, mask: npt.NDArray[np.bool_] | None = None) -> float:
    """Estimate the standard deviation of white noise in the plane's units.

    The mask of Immerkaer (1996), "Fast noise variance estimation", cancels linear structure; the median of
    its magnitude (instead of his mean) ignores the edges that are left. Never below rounding noise.
    """
    response = np.abs(cv2.filter2D(plane, cv2.CV_32F, _LAPLACIAN))
    return _spread_of(response[mask] if mask is not None and mask.any() else response.ravel())


def noise_by_level(plane: Plane, bins: int = 8) -> npt.NDArray[np.float32]:
    """Noise against brightness: the standard deviation in each of `bins` equal spans of 0..256.

    Sensor noise is Poisson-Gaussian (Foi et al. 2008) and passes a tone curve, so it depends on the level.
    Every third pixel is enough; bins with fewer than 200 of them take the value of the whole picture.
    """
    response = np.abs(cv2.filter2D(plane, cv2.CV_32F, _LAPLACIAN)).ravel()[::3]
    index = np.clip(plane.ravel()[::3] * (bins / 256), 0, bins - 1).astype(np.uint8)
    sigma = np.full(bins, _spread_of(response), dtype=np.float32)
    for b in range(bins):
        inside = response[index == b]
        if len(inside) >= 200:
            sigma[b] = _spread_of(inside)
    return sigma


def noise_map(plane: Plane, bins: int = 8) -> Plane:
    """Noise of every pixel by its brightness, interpolated between the bins."""
    table = noise_by_level(plane, bins)
    centres = (np.arange(bins) + 0.5) * (256 / bins)
    levels = np.interp(np.arange(256), centres, table).astype(np.float32)
    smooth = cv2.blur(plane, (5, 5))
    return np.asarray(levels[np.clip(smooth, 0, 255).astype(np.uint8)])
