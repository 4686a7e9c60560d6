"""What the travel of the camera tells about a keyframe: points with depth, and what lies on the road."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, UInt8

from worldgen.controls.travel import Pair, plane_homography, triangulated
from worldgen.datatypes import Camera
from worldgen.imaging.flow import DenseFlow, pull
from worldgen.imaging.ground import inverse_ground_depth

Plane = Float32[npt.NDArray[np.float32], "h w"]

_SIGMA_M: Final = 0.004
"""Error of inverse depth (1/m) at which a point counts one."""
_MISFIT_PX: Final = 0.8
_OUTSIDE: Final = -1e4
_STANDS: Final = 1.7
"""A point this much nearer than the road at its pixel stands on it."""
_MOVES: Final = 0.7
"""A point that seems farther than the road at its pixel by this factor cannot be at rest."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Fields of one keyframe at the small size."""

    frame: int
    trust: Plane
    """How well `inverse` is known, relative; 0 nearly everywhere."""
    inverse: Plane
    """1/z in 1/m where `trust` > 0."""
    ground: Plane
    """Log-likelihood that the pixel lies on the road plane: > 0 for, < 0 against."""


def evidence_of(
    pair: Pair,
    camera: Camera,
    small: Camera,
    first: UInt8[npt.NDArray[np.uint8], "h w"],
    second: UInt8[npt.NDArray[np.uint8], "h w"],
    flow: DenseFlow,
    ego: Bool[npt.NDArray[np.bool_], "h w"] | None = None,
) -> Evidence:
    """Gather the evidence of one pair of frames.

    Args:
        pair: With its scale.
        camera: Of the size at which points were followed.
        small: The same camera at the small size.
        first: Luma of the pair's first frame at the small size.
        second: Luma of its second frame at the small size.
        flow: Dense flow to compare the road's motion with.
        ego: The recording vehicle at the small size: neither frame shows road there.
    """
    shape = first.shape
    ratio = small.width / camera.width
    plane = inverse_ground_depth(small)
    trust, total = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    ground = _photometric(pair, small, first, second, flow, ego)
    if pair.step_over_height > 0:
        step = pair.step_over_height * camera.height_m
        inverse, sigma, misfit = triangulated(pair, camera)
        inverse, sigma = inverse / step, sigma / step
        column = np.clip((pair.matches.first[:, 0] * ratio).astype(int), 0, shape[1] - 1)
        row = np.clip((pair.matches.first[:, 1] * ratio).astype(int), 0, shape[0] - 1)
        road = plane[row, column]
        below = road * small.fy * small.height_m > 5.0
        sharp = sigma < 0.25 * np.maximum(road, 1e-6)
        # A point "below the road" is a moving one: a car ahead that hardly grows looks far away.
        moving = below & sharp & (inverse < _MOVES * road - 2 * sigma)
        astray = misfit > _MISFIT_PX
        # Points that pass closer than the camera's own height jump too far to be followed.
        still = ~astray & ~moving & (inverse > -2 * sigma) & (inverse * camera.height_m < 0.4)
        weight = np.clip((_SIGMA_M / np.maximum(sigma, 1e-6)) ** 2, 0.0, 3.0)
        np.add.at(trust, (row[still], column[still]), weight[still])
        np.add.at(total, (row[still], column[still]), (weight * np.maximum(inverse, 0.0))[still])
        stands = still & below & sharp & (misfit < 0.4) & (inverse > _STANDS * road + 2 * sigma)
        lies = still & below & sharp & (np.abs(inverse / np.maximum(road, 1e-6) - 1) < 0.2)
        vote = np.zeros(shape, np.float32)
        np.add.at(vote, (row[stands], column[stands]), -1.2)
        np.add.at(vote, (row[moving], column[moving]), -3.0)
        np.add.at(vote, (row[lies], column[lies]), 2.0)
        ground += np.clip(cv2.GaussianBlur(vote, (0, 0), 1.5) * 14.0, -3.0, 3.0)
    mean = np.where(trust > 0, total / np.maximum(trust, 1e-9), 0.0).astype(np.float32)
    return Evidence(pair.first, np.minimum(trust, 4.0), mean, ground)


def _photometric(
    pair: Pair,
    small: Camera,
    first: UInt8[npt.NDArray[np.uint8], "h w"],
    second: UInt8[npt.NDArray[np.uint8], "h w"],
    flow: DenseFlow,
    ego: Bool[npt.NDArray[np.bool_], "h w"] | None,
) -> Plane:
    """Compare the picture with how it would look if everything were road.

    Where the free flow explains the second frame clearly better than the road's motion does, there is no
    road; where the road's motion explains it clearly better than standing still, there is. Smooth asphalt
    fits anything and stays at 0.
    """
    if pair.step_over_height <= 0:
        return np.zeros(first.shape, np.float32)
    a, b = _flat(first), _flat(second)
    size = (first.shape[1], first.shape[0])
    h = plane_homography(small, pair.motion, pair.step_over_height)
    k = np.array([[small.fx, 0, small.cx], [0, small.fy, small.cy], [0, 0, 1.0]])
    still = k @ pair.motion.rotation @ np.linalg.inv(k)
    backwards = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    as_road = cv2.warpPerspective(b, h, size, flags=backwards, borderValue=_OUTSIDE)
    turned = cv2.warpPerspective(b, still, size, flags=backwards, borderValue=0.0)
    if ego is not None:
        around = cv2.dilate(ego.astype(np.uint8), np.ones((9, 9), np.uint8))
        hidden = cv2.warpPerspective(around, h, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
        as_road[(around > 0) | (hidden > 0)] = _OUTSIDE
    inside = cv2.erode((as_road > _OUTSIDE / 2).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    free = pull(b, flow(first, second))
    window = (3, 3)
    road = cv2.blur(_beyond(a, np.asarray(as_road, np.float32)), window)
    far = cv2.blur(_beyond(a, np.asarray(turned, np.float32)), window)
    best = cv2.blur(_beyond(a, free), window)
    against = np.clip((road - best - 2.0) / 3.0, 0.0, 2.5)
    support = np.clip((far - road - 1.5) / 3.0, 0.0, 2.0)
    below = inverse_ground_depth(small) > 0
    return np.asarray(np.where(below & inside, np.where(against > 0, -against, support), 0.0), np.float32)


def _beyond(seen: Plane, expected: Plane) -> Plane:
    """How far a pixel lies outside what is expected within a pixel of it: thin lines may be off by that."""
    window = np.ones((3, 3), np.uint8)
    over = seen - cv2.dilate(expected, window)
    under = cv2.erode(expected, window) - seen
    return np.asarray(np.maximum(np.maximum(over, under), 0.0), np.float32)


def _flat(grey: UInt8[npt.NDArray[np.uint8], "h w"]) -> Plane:
    """Take slow changes of light out (vignettes, exposure), so that only texture is compared."""
    values = grey.astype(np.float32)
    return np.asarray(values - cv2.blur(values, (31, 31)), np.float32)


def carried(
    source: Evidence, to_source: Float32[npt.NDArray[np.float32], "h w 2"], advance_m: float
) -> tuple[Plane, Plane, Plane]:
    """Fetch evidence along `to_source` (flow from here to the source's frame).

    Args:
        source: Evidence of another frame.
        to_source: Motion in pixels from this frame's pixels to the source's.
        advance_m: How far the camera went from the source's frame to this one; negative when it is later.

    Returns:
        Trust, trust times inverse depth as seen from here, ground.
    """
    trust = pull(source.trust, to_source)
    weighted = pull(source.trust * source.inverse, to_source)
    ground = pull(source.ground, to_source)
    inverse = weighted / np.maximum(trust, 1e-6)
    left = 1.0 - inverse * np.float32(advance_m)
    # What the camera has passed meanwhile, or nearly, says nothing here; nor does what is hardly trusted.
    trust = np.where((left > 0.4) & (trust > 1e-3), trust, 0.0).astype(np.float32)
    moved = inverse / np.maximum(left, 0.4)
    return trust, np.asarray(trust * moved, np.float32), ground
