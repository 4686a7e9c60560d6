"""Points followed from one frame to another: few, but good to a tenth of a pixel."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, UInt8

_WINDOW: Final = (15, 15)
_LEVELS: Final = 4
_EDGELESS: Final = 5e-4
"""Least eigenvalue per pixel: along a straight line (a lane marking) points slide, and are not followed."""
_RETURN_PX: Final = 0.5
"""A point that does not come back to within this distance was lost or hidden."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Pixels of a first frame and where they are in a second."""

    first: Float32[npt.NDArray[np.float32], "n 2"]
    second: Float32[npt.NDArray[np.float32], "n 2"]

    def __len__(self) -> int:
        """Count the points."""
        return len(self.first)

    @property
    def flow(self) -> Float32[npt.NDArray[np.float32], "n 2"]:
        """Motion in pixels."""
        return self.second - self.first


def corners(
    grey: UInt8[npt.NDArray[np.uint8], "h w"],
    *,
    count: int = 600,
    spacing: float = 6.0,
    mask: Bool[npt.NDArray[np.bool_], "h w"] | None = None,
) -> Float32[npt.NDArray[np.float32], "n 2"]:
    """Find points worth following (Shi and Tomasi 1994), on faint surfaces as well as on strong ones.

    Contrast is evened out first: else white windows and lane markings would take all the points.
    """
    where = None if mask is None else mask.astype(np.uint8)
    found = cv2.goodFeaturesToTrack(_evened(grey), count, 0.01, spacing, mask=where)
    return np.zeros((0, 2), np.float32) if found is None else np.asarray(found[:, 0], np.float32)


def _evened(grey: UInt8[npt.NDArray[np.uint8], "h w"]) -> npt.NDArray[np.uint8]:
    values = cv2.GaussianBlur(grey, (3, 3), 0).astype(np.float32)
    window = (25, 25)
    mean = cv2.blur(values, window)
    variance = np.maximum(cv2.blur(values * values, window) - mean * mean, 0.0)
    even = (values - mean) * (32.0 / (np.sqrt(variance) + 6.0)) + 128.0
    return np.clip(even, 0, 255).astype(np.uint8)


def follow(
    first: UInt8[npt.NDArray[np.uint8], "h w"],
    second: UInt8[npt.NDArray[np.uint8], "h w"],
    points: Float32[npt.NDArray[np.float32], "n 2"],
) -> Matches:
    """Follow points from one frame to another and back (Lucas and Kanade 1981, pyramidal)."""
    if len(points) == 0:
        return Matches(points, points)
    start = np.ascontiguousarray(points[:, None])
    guess = np.zeros_like(start)
    moved, there, _ = cv2.calcOpticalFlowPyrLK(first, second, start, guess, winSize=_WINDOW, maxLevel=_LEVELS)
    back, home, _ = cv2.calcOpticalFlowPyrLK(
        second, first, moved, np.zeros_like(start), winSize=_WINDOW, maxLevel=_LEVELS
    )
    error = np.hypot(*(back[:, 0] - points).T)
    good = (error < _RETURN_PX) & (there[:, 0] > 0) & (home[:, 0] > 0)
    return Matches(points[good], np.asarray(moved[good, 0], np.float32))
