"""Daylight: taking the sun's part out of a scene."""

from typing import Final

import cv2
import numpy as np

from worldgen.models.physics.light import Plane
from worldgen.models.physics.ops import enlarge, reduce, scale, soften
from worldgen.models.physics.paint import metre_at
from worldgen.models.physics.view import View

_REDUCE = 4
MOST_LIFT = 2.2
"""Sun and sky light a road about four times as strongly as the sky alone; lifting more shows the noise."""
OVERCAST_LIFT: Final = 0.8
"""Strength where no sun is left: all of it would lift dark asphalt, too."""
_MARKING: Final = 0.06
"""Of a frame's height: as wide are lines near the car."""
_BAR: Final = 0.2
_BAR_M: Final = 0.7
"""The same of the bars of a crossing, and their width with some air, metres."""


def soften_shadows(view: View, strength: float) -> None:
    """Lift hard shadows on the ground towards what lies around them, in place.

    Reference light is the bright part (a wide mean of what is above the local mean) of each surface's
    surroundings; darker stretches are lifted by a smooth gain, brighter ones (markings) stay. Reflectance
    and shadow cannot be told apart from one picture, so the lift is bounded and partial.

    Args:
        view: The frame under work.
        strength: 0 leaves shadows, 1 removes what can be removed.
    """
    flat = view.flat
    if strength <= 0 or cv2.countNonZero(flat.view(np.uint8)) < 0.02 * flat.size:
        return
    mask = reduce(flat.astype(np.float32), _REDUCE)
    luma = reduce(view.luma, _REDUCE)
    rows = luma.shape[0]
    broad = _without_paint(view, luma)
    bright = mask * (broad > _masked_mean(broad, mask, 0.16 * rows))
    reference = _masked_mean(broad, bright + 1e-3 * mask, 0.16 * rows)
    level = _masked_mean(luma, mask, 0.008 * rows)
    ratio = np.clip(level / np.maximum(reference, 1e-4), 1 / MOST_LIFT, 1)
    gain = np.where(mask > 0.5, ratio ** np.float32(-strength), 1).astype(np.float32)
    full = enlarge(np.asarray(cv2.GaussianBlur(gain, (0, 0), 0.8), np.float32), view.light)
    ground = np.flatnonzero(flat.any(axis=1))
    part = slice(int(ground[0]), int(ground[-1]) + 1)
    scale(view.light[part], np.where(flat[part], full[part], np.float32(1)))


def _without_paint(view: View, luma: Plane) -> Plane:
    """Luma without what is narrow and bright.

    Markings would pull the reference up as they come and go, and the road would pump.
    """
    rows = luma.shape[0]
    width, wide = (max(3, round(share * rows) | 1) for share in (_MARKING, _BAR))
    opened = cv2.morphologyEx(luma, cv2.MORPH_OPEN, np.ones((width, width), np.uint8))
    near = metre_at(view, _REDUCE) * np.float32(_BAR_M) > width
    if near.any():
        opened = np.where(
            near, cv2.morphologyEx(luma, cv2.MORPH_OPEN, np.ones((wide, wide), np.uint8)), opened
        )
    return np.asarray(opened, np.float32)


def _masked_mean(value: Plane, weight: Plane, sigma: float) -> Plane:
    sigma = max(0.6, sigma)
    total = soften(np.asarray(value * weight, np.float32), sigma)
    return np.asarray(total / np.maximum(soften(weight, sigma), np.float32(1e-4)), np.float32)
