"""Haze: the veil that a candidate shows, fitted to the source's pixels and depth (Koschmieder 1924).

    candidate = gain * source * T + airlight * (1 - T),    T = exp(-extinction * depth)

in linear light. Gain and airlight follow from least squares for each extinction of a grid.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.imaging.edges import LUMA
from worldgen.imaging.visibility import transmission

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

LINEAR: Final = ((np.arange(256, dtype=np.float32) / 255) ** np.float32(2.2)).astype(np.float32)
"""Linear light 0..1 of an encoded level."""

_RANGES: Final = np.geomspace(20.0, 6000.0, 40)
_STEP: Final = 2
"""Every second pixel of the small picture is fitted."""


@dataclass(frozen=True, slots=True, eq=False)
class Haze:
    """The best fit."""

    mor_m: float
    """Meteorological optical range, in the depth's metres."""
    interval_m: tuple[float, float]
    """Ranges whose error is within a tenth of the best one's."""
    gain: float
    airlight: float
    """Linear light, 0..1."""
    unexplained: float
    """Error against the candidate's whole difference from the source (root mean squares), 0..1 and above."""

    def predict(self, source: Map, depth_m: Map) -> Map:
        """Linear luma of the candidate."""
        through = transmission(depth_m, self.mor_m)
        return np.asarray(self.gain * source * through + self.airlight * (1 - through), np.float32)


def linear(small: Map) -> Map:
    """Linear luma 0..1 of an encoded picture [..., 3], 0..255."""
    return np.asarray(((small @ LUMA) / 255) ** np.float32(2.2), np.float32)


def encoded(light: Map) -> Map:
    """Encoded levels 0..255 of linear light."""
    return np.asarray(255 * np.clip(light, 0, 1) ** np.float32(1 / 2.2), np.float32)


def small_depth(depth_m: Map, size: tuple[int, int]) -> Map:
    """Depth of the small picture, by nearest pixels."""
    return np.asarray(cv2.resize(depth_m, size, interpolation=cv2.INTER_NEAREST), np.float32)


def fit_haze(source: Map, candidate: Map, depth_m: Map, counts: Mask) -> Haze | None:
    """Fit gain, airlight and range; None where there is nothing to fit.

    Args:
        source: Linear luma, any shape.
        candidate: The same of the candidate.
        depth_m: Depth, same shape.
        counts: Pixels that take part: no sky, nothing of the own car.
    """
    inside = counts
    s, c, d = source[inside][::_STEP], candidate[inside][::_STEP], depth_m[inside][::_STEP]
    if s.size < 500 or float(np.ptp(np.quantile(d, [0.05, 0.95]))) < 5:
        return None
    best: tuple[float, float, float, float] | None = None
    errors = np.zeros(len(_RANGES))
    for k, mor in enumerate(_RANGES):
        through = transmission(d, float(mor))
        a, b = s * through, 1 - through
        aa, bb, ab = float(a @ a), float(b @ b), float(a @ b)
        ac, bc = float(a @ c), float(b @ c)
        rest = aa * bb - ab * ab
        gain, air = (
            ((ac * bb - bc * ab) / rest, (bc * aa - ac * ab) / rest) if rest > 1e-9 else (ac / aa, 0.0)
        )
        off = c - gain * a - air * b
        errors[k] = float(np.sqrt((off * off).mean()))
        if best is None or errors[k] < best[0]:
            best = (errors[k], float(mor), gain, air)
    assert best is not None  # noqa: S101 -- the grid is not empty
    near = _RANGES[errors <= 1.1 * errors.min()]
    whole = float(np.sqrt(((c - s) ** 2).mean()))
    return Haze(
        mor_m=best[1],
        interval_m=(float(near.min()), float(near.max())),
        gain=best[2],
        airlight=best[3],
        unexplained=best[0] / max(whole, 1e-4),
    )
