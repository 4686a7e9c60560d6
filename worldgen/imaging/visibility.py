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


CORRELATED = 4.0
"""Pixels that count as one: noise and texture of neighbouring pixels are alike after coding and softening."""


def vanished_signal(contrast: float, left: float, variance: float, pixels: float) -> float:
    """Signal over noise at which it would be noticed that a thing is gone.

    The best a critic can do is to lay the thing's own pattern over the place (a matched filter: North 1943).
    The source's pattern a has mean square c^2 on N pixels; an honest result shows b = g a + noise. The sum of
    a b is g N c^2 on average, and 0 when the thing is gone; either way the noise moves it by the root of
    v N c^2, times four where a quarter of the pixels is independent. Their ratio is what Rose (1948) asks to
    be 5: g c sqrt(N / 4 v) >= ROSE. Over F frames of n pixels N is F n, so that

        n >= ROSE^2 * 4 v / (F g^2 c^2).

    Args:
        contrast: c, root mean square of the thing against its surround in the source, levels.
        left: g, share of it that the condition leaves (transmission, tone), 0..1.
        variance: v, noise of the result, squared levels.
        pixels: N, of the thing over all frames in which it is seen.
    """
    return contrast_to_noise(contrast * left, math.sqrt(variance), pixels / CORRELATED)


def vanished_pixels(contrast: float, left: float, variance: float, frames: int) -> float:
    """Least pixels per frame of a thing whose absence would be noticed; see `vanished_signal`."""
    once = vanished_signal(contrast, left, variance, float(frames))
    return (ROSE / once) ** 2 if once > 0 else math.inf


def outline_excess(
    contrast: float, explained: npt.NDArray[np.float32], blur: float
) -> npt.NDArray[np.float32]:
    """What one pixel of a step's outline adds to the sum of gradients beyond what is explained, levels.

    A step of height C, softened by a Gaussian of standard deviation s, has the gradient
    C / (s sqrt(2 pi)) exp(-x^2 / 2 s^2) across it. The part above e ends at x0 = s sqrt(2 ln(peak / e)), and
    its area is C erf(x0 / (s sqrt 2)) - 2 e x0: all of C where nothing is explained, and nothing where the
    peak drowns.

    Args:
        contrast: C, levels, > 0.
        explained: e, levels per pixel, any shape.
        blur: s, pixels.
    """
    peak = contrast / (blur * math.sqrt(2 * math.pi))
    level = np.clip(explained, 1e-6 * peak, peak)
    depth = np.sqrt(np.log(peak / level))
    erf = np.array([math.erf(v) for v in depth.ravel()]).reshape(depth.shape)
    area = contrast * erf - 2 * math.sqrt(2) * blur * level * depth
    return np.asarray(np.maximum(area, 0), np.float32)


def inserted_side(limit: float, area: float, outline: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Side of the smallest square that adds `limit` to the mean gradient of a place, pixels.

    A square of side s has an outline of 4 s, each pixel of which adds `outline` (C where nothing is
    explained): 4 s C / A >= T, so s >= T A / (4 C).

    Args:
        limit: T, mean edge strength that the place may have, levels per pixel.
        area: A, pixels of the place.
        outline: See `outline_excess`, levels, any shape.

    Returns:
        Same shape; infinite where the outline adds nothing.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.float32(limit * area / 4) / outline, np.float32)
