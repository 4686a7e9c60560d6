"""Edges as fields: luma and its gradient at a chosen scale. All else about structure builds on these."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

Plane: TypeAlias = Float32[npt.NDArray[np.float32], "h w"]
"""One picture plane, float32."""

# BT.709 luma of sRGB-encoded values: what an 8-bit video stores, so contrast here is contrast that survives.
LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


def luma(frame: UInt8[npt.NDArray[np.uint8], "h w 3"]) -> Plane:
    """Weigh R, G and B (0..255, encoded) to luma, 0..255 float32 [h, w]."""
    plane: Plane = cv2.transform(frame, LUMA.reshape(1, 3)).astype(np.float32)
    return plane


def shrink(plane: npt.NDArray[np.uint8] | Plane, size: tuple[int, int]) -> npt.NDArray[np.generic]:
    """Resize to (width, height) by area averaging; the same array when it already has that size."""
    if (plane.shape[1], plane.shape[0]) == size:
        return plane
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """The gradient of a plane, in its units per pixel."""

    x: Plane
    y: Plane
    magnitude: Plane

    @classmethod
    def of(cls, plane: Plane, sigma: float = 1.0) -> "Gradient":
        """Differentiate after a Gaussian of `sigma` pixels (Scharr weights, which keep the angle true)."""
        smooth = cv2.GaussianBlur(plane, (0, 0), sigma) if sigma > 0 else plane
        x = np.asarray(cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32), np.float32)
        y = np.asarray(cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32), np.float32)
        return cls(x, y, np.asarray(cv2.magnitude(x, y), np.float32))


@lru_cache(maxsize=16)
def gradient_gain(sigma: float) -> float:
    """Share of white noise that reaches one component of `Gradient.of`: std out per std in."""
    impulse = np.zeros((65, 65), dtype=np.float32)
    impulse[32, 32] = 1.0
    return float(np.sqrt((Gradient.of(impulse, sigma).x ** 2).sum()))
