"""Drops on the lens or windscreen: refracting discs that stay on the screen and change slowly."""

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.models.physics.ops import reduce
from worldgen.models.physics.view import View

_MOST: Final = 46
"""Drops on a lens that is never wiped (share 1), per 1280 x 720."""
_REDUCE: Final = 4


class LensDrops:
    """Water drops before the lens.

    A drop is a small lens of its own: it shows the whole scene upside down and tiny (Garg and Nayar 2007;
    Halimeh and Roser 2009), blurred, since the camera focuses far away. Every drop lives for some seconds in
    its slot, lands, sags a little, and is gone; then its slot gets another one.

    Args:
        share: 0 none, 1 a lens never wiped.
        size: Width and height of the frames.
        seed: Of places, sizes and lives.
    """

    def __init__(self, share: float, size: tuple[int, int], seed: int) -> None:
        self._count = max(1, round(_MOST * share))
        self._size = size
        self._seed = seed

    def refract(self, view: View) -> None:
        """Put the drops of one frame before it, in place."""
        small = reduce(view.light, _REDUCE)
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), 2.0), np.float32)
        for slot in range(self._count):
            self._refract_one(view, small, slot)

    def _refract_one(self, view: View, small: npt.NDArray[np.float32], slot: int) -> None:
        width, height = self._size
        x, y, radius, strength, squash, phase = self._drop(slot, view.seconds)
        reach = math.ceil(1.45 * radius)
        x0, x1 = max(0, int(x) - reach), min(width, int(x) + reach + 1)
        y0, y1 = max(0, int(y) - reach), min(height, int(y) + reach + 1)
        if x1 - x0 < 2 or y1 - y0 < 2 or strength < 0.02:
            return
        v, u = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        dx, dy = (u - np.float32(x)) / np.float32(radius), (v - np.float32(y)) / np.float32(radius * squash)
        # No drop is a circle: three low harmonics bend its outline.
        angle = np.arctan2(dy, dx)
        outline = (
            1
            + 0.10 * np.cos(2 * angle + phase)
            + 0.07 * np.cos(3 * angle - 1.7 * phase)
            - 0.05 * np.sin(angle)
        )
        r = np.hypot(dx, dy) / outline
        soft = np.float32(min(0.45, 3.5 / radius + 0.18))
        alpha = np.clip((1 - r) / soft + 0.5, 0, 1) * np.float32(strength)
        # Upside down and minified: the whole width of the picture fits into the drop, and most of what it
        # gathers is sky, which comes to lie at its foot.
        bend = np.float32(0.40) * (0.65 + 0.35 * r * r)
        h, w = small.shape[:2]
        look_x = (np.float32(0.35 * x / width + 0.325) - dx * bend) * w
        look_y = (np.float32(0.30) - dy * bend) * h
        seen = cv2.remap(small, look_x, look_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        # The rim turns light away, and against the sky only it is darker than what lies behind.
        rim = 1 - 0.22 * np.clip((r - 0.72) / 0.28, 0, 1) ** 2
        seen *= rim[..., None]
        patch = view.light[y0:y1, x0:x1]
        # A drop spreads light of the whole scene: nowhere is it much darker than what lies behind it.
        np.maximum(seen, np.float32(0.72) * patch, out=seen)
        patch += (seen - patch) * alpha[..., None]

    def _drop(self, slot: int, seconds: float) -> tuple[float, float, float, float, float, float]:
        """Place (px), radius (px), opacity, vertical squash and outline of what sits in a slot now."""
        first = np.random.default_rng([self._seed, 0x1E45, slot])
        life = 5.0 + 7.0 * float(first.random())
        age = seconds + life * float(first.random())
        generation, age = int(age // life), age % life
        rng = np.random.default_rng([self._seed, 0x1E45, slot, generation])
        width, height = self._size
        scale = height / 720
        x, y = float(rng.random()) * width, float(rng.random()) * height
        # Few large, many small: log-normal radii.
        radius = min(20.0, max(4.0, 8.0 * math.exp(0.45 * float(rng.standard_normal())))) * scale
        squash = 1.0 + 0.28 * float(rng.random())
        phase = 6.28 * float(rng.random())
        landing = min(1.0, age / 0.12)
        leaving = min(1.0, (life - age) / 0.5)
        sag = 2.2 * scale * age * (radius / (15 * scale)) ** 2
        return x, y + sag, radius * (0.7 + 0.3 * landing), 0.9 * landing * leaving, squash, phase
