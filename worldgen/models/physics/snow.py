"""Falling snow: flakes with depth, size and blur."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from worldgen.models.physics.ops import add, fill, mix
from worldgen.models.physics.particles import Swarm, draw
from worldgen.models.physics.rain import beam_on, surroundings
from worldgen.models.physics.view import View

_BOXES: Final = (((8.0, 8.0, 6.0), 5200), ((34.0, 34.0, 18.0), 15000))
"""A near box with what the lens smears, a far one with what it dots; beyond lies haze."""
EXPOSURE_DAY_S: Final = 1 / 160
EXPOSURE_NIGHT_S: Final = 1 / 45
FLAKE_PER_MELTED: Final = 4.0
"""Diameter of an aggregate over that of its drop: density near 16 kg/m3 (Magono and Nakamura 1965)."""


def melted_diameters_mm(
    snow_mm_h: float, volume_m3: float, most: int, seed: int
) -> Float64[npt.NDArray[np.float64], " n"]:
    """Draw the largest flakes of a volume by melted diameter.

    Gunn and Marshall (1958): N0 = 3800 R^-0.87 per m3 and mm, slope 2.55 R^-0.48 per mm, R in mm/h of water.
    """
    intercept = 3800.0 * snow_mm_h**-0.87
    slope = 2.55 * snow_mm_h**-0.48
    smallest = max(0.4, math.log(max(intercept * volume_m3 / (slope * most), 1.0)) / slope)
    count = min(most, int(intercept * volume_m3 / slope * math.exp(-slope * smallest)))
    rng = np.random.default_rng([seed, 0x540E])
    return np.asarray(np.minimum(smallest + rng.exponential(1 / slope, count), 4.0))


class Snow:
    """Flakes in the air.

    Args:
        snow_mm_h: Rate in water equivalent.
        seed: Of the flakes.
        night: 0 day, 1 night.
    """

    def __init__(self, snow_mm_h: float, seed: int, *, night: float) -> None:
        share = min(1.0, 0.35 + 0.26 * snow_mm_h)
        self._swarms = [
            self._swarm(snow_mm_h, box, int(most * share), seed + 7 * i)
            for i, (box, most) in enumerate(_BOXES)
        ]
        self._exposure = EXPOSURE_NIGHT_S if night > 0.5 else EXPOSURE_DAY_S

    @staticmethod
    def _swarm(snow_mm_h: float, box: tuple[float, float, float], most: int, seed: int) -> Swarm:
        melted = melted_diameters_mm(snow_mm_h, math.prod(box), most, seed)
        rng = np.random.default_rng([seed, 0x3175])
        n = len(melted)
        # Aggregates fall at about 1 m/s whatever their size (Locatelli and Hobbs 1974).
        fall = 0.8 + 0.35 * rng.random(n)
        velocity = np.column_stack([0.7 + 0.3 * rng.standard_normal(n), 0.3 * rng.standard_normal(n), -fall])
        flake = np.clip(FLAKE_PER_MELTED * melted, 1.5, 11.0)
        return Swarm(box, velocity, flake * 1e-3, seed, sway_m=0.12)

    def __len__(self) -> int:
        """Count the flakes of all boxes."""
        return sum(len(s) for s in self._swarms)

    def fall(self, view: View, *, headlights: float) -> None:
        """Draw the flakes of one frame in place; they are as bright as what lights them: the whole sky."""
        white = surroundings(view)
        white = (
            white * np.float32(min(1.6, 0.92 / max(float(white.max()), 1e-3))) if headlights <= 0 else white
        )
        colour = fill(view.light, white)
        blur = 0.0035 * view.scene.camera.fx
        for swarm in self._swarms:
            smear = swarm.seen(view, self._exposure, blur_px_m=blur)
            if not len(smear.depth):
                continue
            # A far flake is veiled by the snow before it.
            alpha = draw(view.light.shape[:2], smear, np.minimum(0.92, 1.5 * smear.opacity), most=0.92)
            mix(view.light, colour, alpha)
            if headlights > 0:
                lit = smear.opacity * beam_on(smear) * np.float32(headlights)
                add(view.light, (1.0, 0.96, 0.88), draw(view.light.shape[:2], smear, lit, most=0.9))
