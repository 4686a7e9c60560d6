"""Where the sky is, from colour, brightness and smoothness alone."""

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, UInt8


def sky_mask(
    frame: UInt8[npt.NDArray[np.uint8], "h w 3"], horizon: float
) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Find the sky of one frame: smooth, bright for its frame, not green, joined to the top or large.

    Args:
        frame: RGB.
        horizon: Row below which there is no sky.
    """
    h, w = frame.shape[:2]
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    top = max(1, min(h, round(horizon)))
    dx = np.abs(cv2.Sobel(grey, cv2.CV_16S, 1, 0))
    dy = np.abs(cv2.Sobel(grey, cv2.CV_16S, 0, 1))
    busy = cv2.boxFilter((dx + dy).astype(np.float32), -1, (5, 5))
    bright = float(np.percentile(grey[:top], 90))
    r, g, b = (frame[..., i].astype(np.int16) for i in range(3))
    seed = (grey > 0.72 * bright) & (busy < 40) & (b + 4 >= g) & (b + 8 >= r)
    seed[top:] = False
    count, labels, stats, _ = cv2.connectedComponentsWithStats(seed.astype(np.uint8), connectivity=4)
    keep = np.zeros(count, np.bool_)
    for i in range(1, count):
        touches = stats[i, cv2.CC_STAT_TOP] <= 1
        keep[i] = stats[i, cv2.CC_STAT_AREA] > (0.0005 if touches else 0.02) * h * w
    mask = keep[labels]
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return np.asarray(closed > 0)
