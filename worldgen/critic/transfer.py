"""Transfer: the one change of colour that a condition makes to the things of a scene, fitted on the pair.

    candidate = A source + b luma^2 + T (C source + d) + e,    T = exp(-depth / 60 m)

in encoded levels: light and tone curve, and haze that grows with depth. Fitted robustly, so that what a few
places show otherwise does not bend it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

from worldgen.imaging.edges import LUMA

_SCALE_M: Final = 60.0
_SAMPLES: Final = 12_000
_LEAST: Final = 300
_ROUNDS: Final = 4
_RIDGE: Final = 1e-5
"""Per pixel: without it few colours would leave the fit open."""
_FLOOR: Final = 2 / 255
"""Residuals below two levels say nothing."""

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """The fitted change."""

    matrix: Float32[npt.NDArray[np.float32], "features 3"]

    def predict(
        self,
        rgb: UInt8[npt.NDArray[np.uint8], "n 3"],
        depth_m: Float32[npt.NDArray[np.float32], " n"],
    ) -> Float32[npt.NDArray[np.float32], "n 3"]:
        """Levels that the candidate should show where the source shows `rgb` at `depth_m`."""
        return np.asarray(255 * (_features(rgb, depth_m) @ self.matrix), np.float32)


def fit_transfer(
    source: UInt8[npt.NDArray[np.uint8], "t h w 3"],
    candidate: UInt8[npt.NDArray[np.uint8], "t h w 3"],
    depth_m: Float32[npt.NDArray[np.float32], "t h w"],
    where: npt.NDArray[np.bool_],
) -> Transfer | None:
    """Fit the change over the pixels of `where` [t, h, w]; None where they are too few."""
    inside = np.flatnonzero(where)
    if len(inside) < _LEAST:
        return None
    picked = inside[:: max(1, len(inside) // _SAMPLES)]
    x = _features(source.reshape(-1, 3)[picked], depth_m.reshape(-1)[picked])
    y = candidate.reshape(-1, 3)[picked].astype(np.float32) / 255
    ridge = _RIDGE * len(x) * np.eye(x.shape[1])
    ridge[-1, -1] = 0  # the constant is free
    weight = np.ones(len(x), np.float32)
    for _ in range(_ROUNDS):
        weighted = (x * weight[:, None]).T
        matrix = np.linalg.solve(weighted @ x + ridge, weighted @ y).astype(np.float32)
        off = np.abs(y - x @ matrix).max(axis=1)
        # Cauchy's weight: what lies far off counts little.
        weight = 1 / (1 + (off / max(1.5 * float(np.median(off)), _FLOOR)) ** 2)
    return Transfer(matrix)


def _features(rgb: npt.NDArray[np.uint8], depth_m: npt.NDArray[np.float32]) -> Features:
    colour = rgb.astype(np.float32) / 255
    luma = colour @ LUMA
    through = np.exp(-np.minimum(depth_m, 2000) / np.float32(_SCALE_M)).astype(np.float32)
    return np.column_stack(
        (colour, luma * luma, through, through[:, None] * colour, np.ones_like(luma))
    ).astype(np.float32)
