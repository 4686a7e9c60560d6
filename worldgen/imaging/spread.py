"""Spreading sparse values along surfaces: edge-aware smoothing, and upsampling that follows a picture."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

from worldgen.imaging.channels import largest

_ROUNDS: Final = 3


def spread(
    values: Float32[npt.NDArray[np.float32], "n h w"],
    confidence: Float32[npt.NDArray[np.float32], "n h w"],
    guide: UInt8[npt.NDArray[np.uint8], "n h w 3"],
    *,
    strength: float = 400.0,
    edge: float = 4.0,
) -> Float32[npt.NDArray[np.float32], "n h w"]:
    """Fill and smooth `values` where they are trusted little, without crossing edges of `guide`.

    Fast global smoother (Min et al. 2014): rows and columns in turn, each an exact tridiagonal solution of
    weighted least squares; confidences enter as numerator and denominator. All frames are solved at once.

    Args:
        values: What is known, any unit; ignored where `confidence` is 0.
        confidence: >= 0, relative.
        guide: Pictures whose edges hold values apart.
        strength: How far values travel; the square of a length in pixels, roughly.
        edge: Difference of colour (0..255) across which influence falls to 1/e.
    """
    down = _affinity(guide, axis=1, edge=edge)
    right = _affinity(guide, axis=2, edge=edge)
    # Axis to solve along goes first, so that every step works on one contiguous block.
    top = np.ascontiguousarray(np.moveaxis(values * confidence, 1, 0))
    weight = np.ascontiguousarray(np.moveaxis(confidence, 1, 0))
    down = np.ascontiguousarray(np.moveaxis(down, 1, 0))
    right = np.ascontiguousarray(np.transpose(right, (2, 0, 1)))
    total = 4.0**_ROUNDS - 1.0
    for i in range(_ROUNDS):
        share = strength * 1.5 * 4.0 ** (_ROUNDS - 1 - i) / total
        # Columns first, so that rows of the picture are solved along the first axis; then back again.
        top, weight = (np.ascontiguousarray(np.transpose(a, (2, 1, 0))) for a in (top, weight))
        _tridiagonal(top, weight, right * np.float32(share))
        top, weight = (np.ascontiguousarray(np.transpose(a, (2, 1, 0))) for a in (top, weight))
        _tridiagonal(top, weight, down * np.float32(share))
    result = top / np.maximum(weight, 1e-12)
    return np.asarray(np.moveaxis(result, 0, 1), np.float32)


def _affinity(
    guide: UInt8[npt.NDArray[np.uint8], "n h w 3"], *, axis: int, edge: float
) -> Float32[npt.NDArray[np.float32], "n h w"]:
    """How strongly each pixel holds on to its next neighbour, 0..1; the last one has none."""
    length = guide.shape[axis]
    first = np.take(guide, np.arange(length - 1), axis=axis).astype(np.int16)
    second = np.take(guide, np.arange(1, length), axis=axis)
    step = largest(np.abs(first - second)).astype(np.float32)
    held = np.exp(-step / np.float32(edge))
    pad = [(0, 0)] * 3
    pad[axis] = (0, 1)
    return np.pad(held, pad)


def _tridiagonal(
    first: Float32[npt.NDArray[np.float32], "k m l"],
    second: Float32[npt.NDArray[np.float32], "k m l"],
    link: Float32[npt.NDArray[np.float32], "k m l"],
) -> None:
    """Solve (I + L) x = b along the first axis for two right sides at once, in place (Thomas algorithm)."""
    count = len(link)
    upper = np.empty_like(link)
    before = np.zeros_like(link[0])
    for i in range(count):
        a = -link[i - 1] if i else before
        diagonal = 1.0 + link[i] - a
        if i:
            inverse = 1.0 / (diagonal - a * upper[i - 1])
            first[i] = (first[i] - a * first[i - 1]) * inverse
            second[i] = (second[i] - a * second[i - 1]) * inverse
        else:
            inverse = 1.0 / diagonal
            first[i] *= inverse
            second[i] *= inverse
        upper[i] = -link[i] * inverse
    for i in range(count - 2, -1, -1):
        first[i] -= upper[i] * first[i + 1]
        second[i] -= upper[i] * second[i + 1]


def upsample_along(
    values: Float32[npt.NDArray[np.float32], "h w"],
    guide_small: Float32[npt.NDArray[np.float32], "h w"],
    guide: Float32[npt.NDArray[np.float32], "H W"],
    *,
    radius: int = 3,
    epsilon: float = 25.0,
) -> Float32[npt.NDArray[np.float32], "H W"]:
    """Enlarge `values` so that their edges lie on the edges of `guide` (fast guided filter, He and Sun 2015).

    Args:
        values: At the small size.
        guide_small: Luma at the small size, 0..255.
        guide: Luma at the large size.
        radius: Of the window, in small pixels.
        epsilon: Variance of luma below which a window counts as flat.
    """
    size = (2 * radius + 1, 2 * radius + 1)
    mean_g, mean_v = cv2.blur(guide_small, size), cv2.blur(values, size)
    variance = cv2.blur(guide_small * guide_small, size) - mean_g * mean_g
    covariance = cv2.blur(guide_small * values, size) - mean_g * mean_v
    slope = covariance / (variance + np.float32(epsilon))
    offset = mean_v - slope * mean_g
    large = (guide.shape[1], guide.shape[0])
    result = _resized(np.asarray(cv2.blur(slope, size), np.float32), large)
    result *= guide
    result += _resized(np.asarray(cv2.blur(offset, size), np.float32), large)
    return result


def _resized(plane: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), np.float32)
