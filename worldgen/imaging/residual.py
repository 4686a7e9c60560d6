"""Residuals: what a candidate shows that its source, its motion and its noise do not explain."""

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

from worldgen.imaging.edges import Gradient, Plane
from worldgen.imaging.flow import pull


def contrast_normalised(
    plane: Plane, sigma: float = 4.0, noise: float = 1.0
) -> UInt8[npt.NDArray[np.uint8], "h w"]:
    """Subtract the local mean and divide by the local deviation, so that fog and night look like day.

    Args:
        plane: Luma in levels.
        sigma: Scale of "local", pixels.
        noise: Deviations below this stay small.

    Returns:
        128 at the local mean, 42 levels per local standard deviation.
    """
    mean = cv2.GaussianBlur(plane, (0, 0), sigma)
    off = plane - mean
    spread = cv2.sqrt(cv2.GaussianBlur(off * off, (0, 0), sigma)) + np.float32(noise)
    return np.asarray(np.clip(128 + 42 * off / spread, 0, 255), np.uint8)


def alike(a: UInt8[npt.NDArray[np.uint8], "h w"], b: UInt8[npt.NDArray[np.uint8], "h w"]) -> float:
    """Correlation of two contrast-normalised pictures, -1..1."""
    middle = np.full_like(a, 128)
    power_a, power_b = cv2.norm(a, middle, cv2.NORM_L2SQR), cv2.norm(b, middle, cv2.NORM_L2SQR)
    apart = cv2.norm(a, b, cv2.NORM_L2SQR)
    return float((power_a + power_b - apart) / (2 * np.sqrt(power_a * power_b) + 1e-6))


def explained_edges(source: Gradient, *, ratio: Plane, noise: Plane, reach: int) -> Plane:
    """Edge strength that a source edge within `reach` pixels, or noise, is the cause of, levels per pixel.

    Args:
        source: Gradient of the source's luma.
        ratio: Contrast that is expected to be left, per pixel.
        noise: Standard deviation of one gradient component of the candidate, per pixel.
        reach: Pixels.
    """
    side = 2 * reach + 1
    near = cv2.dilate(source.magnitude, np.ones((side, side), np.uint8))
    return np.asarray(np.float32(1.5) * ratio * near + np.float32(4.0) * noise, np.float32)


def lasting(
    before: Plane, now: Plane, after: Plane, flow: Float32[npt.NDArray[np.float32], "h w 2"]
) -> Plane:
    """Keep what is there in three frames along the flow: streaks and flakes are not, things are.

    Args:
        before: Plane of frame i - 1.
        now: Plane of frame i.
        after: Plane of frame i + 1.
        flow: Motion from frame i to i + 1; its negative serves for the frame before.
    """
    kernel = np.ones((3, 3), np.uint8)
    earlier = cv2.dilate(pull(before, -flow), kernel)
    later = cv2.dilate(pull(after, flow), kernel)
    return np.minimum(now, np.minimum(earlier, later))


def transients(
    before: Plane, now: Plane, after: Plane, flow: Float32[npt.NDArray[np.float32], "h w 2"]
) -> tuple[Plane, Plane]:
    """Brightness that one frame has above both, or below both, of its neighbours along the flow, levels."""
    inside = pull(np.ones_like(now), flow) * pull(np.ones_like(now), -flow)
    ahead = now - pull(after, flow)
    behind = now - pull(before, -flow)
    above = np.maximum(np.minimum(ahead, behind), 0) * inside
    below = np.maximum(-np.maximum(ahead, behind), 0) * inside
    return above, below
