"""The camera when nobody gave one: an assumed lens, and a horizon from motion or vanishing lines."""

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.controls.settings import GeometrySettings
from worldgen.datatypes import Camera

_MIN_LINES: Final = 12


def assumed_camera(width: int, height: int, settings: GeometrySettings) -> Camera:
    """Guess a camera: principal point in the middle, the configured field of view, level."""
    focal = 0.5 * width / math.tan(math.radians(settings.hfov_deg) / 2)
    return Camera(
        width=width,
        height=height,
        fx=focal,
        fy=focal,
        cx=(width - 1) / 2,
        cy=(height - 1) / 2,
        height_m=settings.camera_height_m,
    )


def vanishing_row(greys: list[UInt8[npt.NDArray[np.uint8], "h w"]]) -> float | None:
    """Row where lines of the lower half of the picture meet: kerbs and lane markings end at the horizon.

    Segments vote with their length for the point that most of them pass (random pairs, seeded).

    Returns:
        The row in pixels, or None when too few lines agree.
    """
    if not greys:
        return None
    height, width = greys[0].shape
    detector = cv2.createLineSegmentDetector()
    found: list[npt.NDArray[np.float64]] = []
    for grey in greys:
        lines = detector.detect(grey)[0]
        if lines is not None:
            found.append(lines[:, 0].astype(np.float64))
    if not found:
        return None
    segments = np.concatenate(found)
    dx, dy = segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1]
    length = np.hypot(dx, dy)
    middle = (segments[:, 1] + segments[:, 3]) / 2
    slanted = (np.abs(dy) > 0.12 * length) & (np.abs(dx) > 0.12 * length)
    use = (length > 0.04 * width) & slanted & (middle > 0.5 * height) & (middle < 0.97 * height)
    segments, length = segments[use], length[use]
    if len(segments) < _MIN_LINES:
        return None
    a = np.stack([segments[:, 0], segments[:, 1], np.ones(len(segments))], axis=1)
    b = np.stack([segments[:, 2], segments[:, 3], np.ones(len(segments))], axis=1)
    lines = np.cross(a, b)
    lines = lines / np.hypot(lines[:, 0], lines[:, 1])[:, None]
    rng = np.random.default_rng(0)
    best, row = 0.0, None
    for i, j in rng.integers(0, len(lines), size=(400, 2)):
        point = np.cross(lines[i], lines[j])
        if abs(point[2]) < 1e-9:
            continue
        point = point / point[2]
        if not (0.2 * height < point[1] < 0.75 * height and 0.0 < point[0] < width):
            continue
        score = float(length[np.abs(lines @ point) < 0.006 * width].sum())
        if score > best:
            best, row = score, float(point[1])
    return row if best > 0.25 * float(length.sum()) else None
