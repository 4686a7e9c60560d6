"""Predicted visibility: one model for every condition.

A thing is visible when its contrast in the source, times the share of light that survives the path, times
how the picture's tone changed, stands above the noise of the result. Fog, rain, night and glare differ only
in the numbers that enter.
"""

import math

import numpy as np
import numpy.typing as npt

from worldgen.datatypes.labels import VisibilityState

CONTRAST_THRESHOLD = 0.05
"""Contrast at the meteorological optical range (WMO-No. 8)."""

ROSE = 5.0
"""Signal over noise at which a disc is seen reliably (Rose 1948): contrast x sqrt(pixels) / noise."""


def extinction_per_m(mor_m: float) -> float:
    """Extinction coefficient of a meteorological optical range: 2.996 / MOR (WMO-No. 8), 1/m."""
    return -math.log(CONTRAST_THRESHOLD) / mor_m


def transmission(depth_m: npt.NDArray[np.float32], mor_m: float) -> npt.NDArray[np.float32]:
    """Share of light left after `depth_m` metres (Koschmieder 1924), 0..1; zero at infinity."""
    return np.asarray(np.exp(-np.float32(extinction_per_m(mor_m)) * depth_m), np.float32)


def expected_alignment(ratio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean of cos(2 error) of a gradient's angle under noise.

    For a vector of length A with independent Gaussian noise of standard deviation s in each component the
    mean of cos 2 phi is 1 - (1 - exp(-q)) / q with q = A^2 / (2 s^2).

    Args:
        ratio: A / s, any shape, >= 0.

    Returns:
        0 (angle random) .. 1 (angle kept), same shape.
    """
    q = np.maximum(np.float32(0.5) * ratio * ratio, np.float32(1e-4))
    return np.asarray(1 - (1 - np.exp(-q)) / q, np.float32)


def contrast_to_noise(contrast: float, noise: float, pixels: float) -> float:
    """Signal over noise of a patch: mean difference x sqrt(independent pixels) / noise."""
    return contrast * math.sqrt(max(pixels, 0.0)) / max(noise, 1e-6)


def visibility_state(snr: float, *, seen: float = ROSE, clear: float = 3 * ROSE) -> VisibilityState:
    """Cut the signal over noise into clear, degraded and not visible."""
    if not math.isfinite(snr):
        return "unknown"
    if snr < seen:
        return "not_visible"
    return "clear" if snr >= clear else "degraded"


def detectable_pixels(contrast: float, noise: float) -> float:
    """Side in pixels of the smallest square whose change would be seen at this contrast."""
    return ROSE * noise / max(contrast, 1e-6)
