"""How the camera travelled through a clip: pairs of frames with parallax, and metres by the road."""

import math
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float64, UInt8

from worldgen.datatypes import Camera
from worldgen.imaging.egomotion import EgoMotion, estimate_motion, rays_of
from worldgen.imaging.ground import ground_normal
from worldgen.imaging.tracks import Matches, corners, follow

Grey = UInt8[npt.NDArray[np.uint8], "h w"]

_PARALLAX_PX: Final = 3.0
"""Wanted median parallax of a pair: less is noise, more loses points."""
_MAX_GAP: Final = 30
_POINT_PX: Final = 0.15
"""Standard error of a followed point."""
_BARE_PX: Final = 25
"""In windows of so many pixels without a point a fainter one is looked for: walls of glass show little."""
_MISFIT_PX: Final = 0.8
"""A point farther than this from its epipolar line moves by itself, or was lost."""
_BELOW_PX: Final = 10.0
"""Nearer to the horizon the ground says little about scale."""
_MOVING_PX: Final = 1.2
"""A pair with less parallax than this says nothing about depth."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two frames of a travelling camera."""

    first: int
    second: int
    matches: Matches
    motion: EgoMotion
    step_over_height: float
    """Distance travelled in camera heights; 0 when the road did not tell."""


def pair_frames(
    greys: list[Grey],
    keyframes: list[int],
    camera: Camera,
    usable: Bool[npt.NDArray[np.bool_], "h w"],
    *,
    horizon: float | None = None,
) -> list[Pair]:
    """For every keyframe find a partner with parallax, and the motion between them.

    The partner lies ahead in time, or behind for the last frames. Gaps adapt to the speed: the gap of one
    keyframe starts from what the one before needed.
    """
    pairs: list[Pair] = []
    gap = 4
    guess: Float64[npt.NDArray[np.float64], 5] | None = None
    for first in keyframes:
        points = _points(greys[first], usable, horizon)
        ahead = first + gap < len(greys)
        best: Pair | None = None
        for _ in range(3):
            second = min(first + gap, len(greys) - 1) if ahead else max(first - gap, 0)
            if second == first:
                break
            matches = follow(greys[first], greys[second], points)
            if len(matches) < 40:
                gap = max(1, gap // 2)
                continue
            start = guess if ahead else None
            motion, parameters = estimate_motion(
                matches.first, matches.flow, camera, start=start, prior=np.zeros(2), prior_px=80.0
            )
            if second < first:
                motion = replace(motion, direction=-motion.direction)
            best = Pair(first, second, matches, motion, 0.0)
            if motion.flow_px >= _PARALLAX_PX * 0.6 or gap >= _MAX_GAP or abs(second - first) < gap:
                guess = parameters if ahead else guess
                break
            wanted = gap * min(3.0, _PARALLAX_PX / max(motion.flow_px, 0.2))
            gap = min(_MAX_GAP, max(gap + 1, round(wanted)))
            ahead = first + gap < len(greys)
        if best is not None:
            pairs.append(best)
            if best.motion.flow_px > 2 * _PARALLAX_PX:
                gap = max(1, round(gap * _PARALLAX_PX / best.motion.flow_px))
    return [p for p in pairs if p.motion.flow_px >= _MOVING_PX]


def _points(
    grey: Grey, usable: Bool[npt.NDArray[np.bool_], "h w"], horizon: float | None
) -> npt.NDArray[np.float32]:
    """Corners everywhere; once more on the ground, where contrast is low; and on what is bare of them.

    Without a known horizon, while the camera is only being found, the bare parts are left out.
    """
    everywhere = corners(grey, mask=usable)
    is_probe = horizon is None
    end = (0.55 * grey.shape[0] if horizon is None else horizon) + _BELOW_PX
    below = usable & (np.arange(grey.shape[0])[:, None] > end)
    found = [everywhere, corners(grey, mask=below, count=300, spacing=5.0)]
    if not is_probe:
        near = np.zeros(usable.shape, np.uint8)
        near[everywhere[:, 1].astype(int), everywhere[:, 0].astype(int)] = 1
        bare = usable & ~below & (cv2.dilate(near, np.ones((_BARE_PX, _BARE_PX), np.uint8)) == 0)
        found.append(corners(grey, mask=bare, count=200, spacing=10.0))
    return np.concatenate(found)


def common_focus(pairs: list[Pair], camera: Camera) -> tuple[float, float] | None:
    """Median focus of expansion in pixels over pairs with good motion; None when nothing moved."""
    points = [
        p.motion.focus(camera) for p in pairs if p.motion.inliers > 0.5 and abs(p.motion.direction[2]) > 0.5
    ]
    if len(points) < 2:
        return None
    x, y = np.median(np.array(points), axis=0)
    return float(x), float(y)


def with_scale(pairs: list[Pair], camera: Camera) -> list[Pair]:
    """Give every pair its distance travelled in camera heights, from points on the ground.

    Speeds of neighbouring pairs differ little: each pair takes the median speed of the five around it.
    """
    raw = []
    for pair in pairs:
        value, share = _peak(_ground_ratio(pair, camera))
        raw.append(value / abs(pair.second - pair.first) if share > 0 else float("nan"))
    scaled = []
    for i, pair in enumerate(pairs):
        near = np.array(raw[max(0, i - 2) : i + 3])
        near = near[np.isfinite(near)]
        if near.size:
            step = float(np.median(near)) * abs(pair.second - pair.first)
            scaled.append(replace(pair, step_over_height=step))
    return scaled


def triangulated(
    pair: Pair, camera: Camera
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Inverse depth of the pair's points in units of 1/travel, its sigma, and the epipolar misfit (px)."""
    p = rays_of(camera, pair.matches.first[:, 0], pair.matches.first[:, 1])
    q = rays_of(camera, pair.matches.second[:, 0], pair.matches.second[:, 1]) @ pair.motion.rotation
    q = q / q[:, 2:]
    t = pair.motion.direction
    e = q[:, :2] * t[2] - t[:2]
    d = (q - p)[:, :2]
    length = np.hypot(e[:, 0], e[:, 1]) + 1e-9
    inverse = (d * e).sum(axis=1) / length**2
    misfit = np.abs(d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]) / length * camera.fx
    return inverse, _POINT_PX / (length * camera.fx), misfit


def plane_homography(camera: Camera, motion: EgoMotion, step_over_height: float) -> npt.NDArray[np.float64]:
    """Homography that takes road pixels of the first frame to the second (Hartley and Zisserman, 13.1)."""
    k = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
    induced = np.eye(3) - step_over_height * np.outer(motion.direction, ground_normal(camera))
    return np.asarray(k @ motion.rotation @ induced @ np.linalg.inv(k))


def _ground_ratio(pair: Pair, camera: Camera) -> npt.NDArray[np.float64]:
    """log(travel / camera height) that each point below the horizon would imply if it lay on the ground."""
    inverse, sigma, misfit = triangulated(pair, camera)
    rays = rays_of(camera, pair.matches.first[:, 0], pair.matches.first[:, 1])
    ground = rays @ ground_normal(camera)
    below = ground * camera.fy > _BELOW_PX
    ratio = inverse / np.where(below, ground, 1.0)
    good = below & (misfit < _MISFIT_PX) & (ratio > 0.01) & (sigma < 0.3 * np.abs(inverse))
    return np.asarray(np.log(ratio[good]))


def _peak(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Most common value (its exponential) and the share of values within 12% of it."""
    if values.size < 12:
        return 0.0, 0.0
    ordered = np.sort(values)
    high = np.searchsorted(ordered, ordered + 0.24)
    counts = high - np.arange(ordered.size)
    start = int(counts.argmax())
    inside = ordered[start : start + int(counts[start])]
    return math.exp(float(np.median(inside))), float(counts[start]) / values.size
