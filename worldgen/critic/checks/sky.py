"""Sky: no straight step in it that the source does not have, as where two skies were put together.

A seam stands still on the screen, and every row shows it at the same place with the same sign; clouds, glow
and gradients do not. Level steps are not looked for: layers of haze make them honestly.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Box2d, Finding, Place, Tag

_FRAMES: Final = 8
"""So many frames of a clip are looked at, evenly spread."""
_REACH: Final = 3
"""A step is the difference of means over so many pixels on both sides."""


def sky_whole(evidence: Evidence) -> tuple[Finding, ...]:
    """Look for a straight upright step through the sky."""
    source, tags = evidence.source, evidence.tags
    if not evidence.comparable or source is None or tags is None:
        return ()
    view, limits = evidence.candidate, evidence.thresholds.sky
    frames = [int(i) for i in np.unique(np.linspace(0, len(view) - 1, min(len(view), _FRAMES)).round())]
    kernel = np.ones((3, 3), np.uint8)
    sky = np.stack([cv2.erode((tags[i] == Tag.SKY).astype(np.uint8), kernel) > 0 for i in frames])
    if sky.mean() < limits.least_share:
        return ()
    step = _steps(source.luma[frames], view.luma[frames], sky, limits.least_samples)
    at = int(step.argmax())
    value = float(step[at])
    limit = evidence.at_most("sky.seam", limits.step_levels)
    passed = value <= limit
    return (
        Finding(
            check="sky.seam",
            passed=passed,
            value=value,
            threshold=limit,
            unit="levels",
            places=() if passed else (_place(evidence, at, np.asarray(sky.any(axis=(0, 2)))),),
            reason=(
                "no straight step in the sky"
                if passed
                else f"a straight upright step of {value:.0f} levels in the sky"
            ),
        ),
    )


def _steps(
    before: npt.NDArray[np.float32],
    after: npt.NDArray[np.float32],
    sky: npt.NDArray[np.bool_],
    least: int,
) -> npt.NDArray[np.float32]:
    """Height of the step that nearly all rows share at each column, beyond the columns around; levels."""
    change = _difference(after) - _difference(before)
    inside = sky.copy()
    for k in range(1, _REACH + 1):
        inside[..., k:] &= sky[..., :-k]
        inside[..., :-k] &= sky[..., k:]
    columns = change.shape[-1]
    low, high = np.zeros(columns, np.float32), np.zeros(columns, np.float32)
    for x in np.flatnonzero(inside.sum(axis=(0, 1)) >= least):
        low[x], high[x] = np.quantile(change[..., x][inside[..., x]], (0.2, 0.8))
    # Four in five rows must agree: the step is what the weakest of them has.
    step = np.where(low > 0, low, np.where(high < 0, -high, 0))
    # What rises over many columns is a gradient.
    around = np.pad(step, 4 * _REACH, mode="edge")
    beside = np.minimum(around[:columns], around[8 * _REACH :])
    return np.asarray(np.maximum(step - beside, 0), np.float32)


def _difference(planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    total = np.cumsum(np.pad(planes, ((0, 0), (0, 0), (_REACH + 1, _REACH)), mode="edge"), axis=-1)
    mean = (total[..., _REACH:] - total[..., :-_REACH]) / _REACH
    width = planes.shape[-1]
    return np.asarray(mean[..., _REACH : _REACH + width] - mean[..., :width], np.float32)


def _place(evidence: Evidence, at: int, rows: npt.NDArray[np.bool_]) -> Place:
    scale = evidence.candidate.scale
    shown = np.flatnonzero(rows)
    box = Box2d(
        left=max(at - 2, 0) / scale,
        top=float(shown[0]) / scale,
        right=(at + 3) / scale,
        bottom=float(shown[-1] + 1) / scale,
    )
    return Place(first_frame=0, last_frame=len(evidence.candidate) - 1, box2d=box)
