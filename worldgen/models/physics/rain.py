"""Falling rain: streaks of the largest drops; the rest is haze (see `Look.rain_extinction`)."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64

from worldgen.models.physics.light import LUMA
from worldgen.models.physics.ops import add, fill, mix
from worldgen.models.physics.particles import Smear, Swarm, draw
from worldgen.models.physics.view import View

INTERCEPT: Final = 8000.0
"""N0 of Marshall and Palmer (1948), drops per m3 and mm."""
_BOX_M: Final = (10.0, 10.0, 7.0)
_DROPS: Final = 9000
"""Drops drawn per box: the largest that a box of this size holds. Smaller ones are below a hundredth of
opacity and merge into the haze."""
EXPOSURE_DAY_S: Final = 1 / 200
EXPOSURE_NIGHT_S: Final = 1 / 60
_WIND_M_S: Final = 1.2
_MOST_STAND_FOR: Final = 3.0


def slope_per_mm(rain_mm_h: float) -> float:
    """Slope of the drop-size distribution: 4.1 R^-0.21 per mm (Marshall and Palmer 1948)."""
    return float(4.1 * rain_mm_h**-0.21)


def fall_speed_m_s(
    diameter_mm: Float64[npt.NDArray[np.float64], " n"],
) -> Float64[npt.NDArray[np.float64], " n"]:
    """Terminal velocity: 9.65 - 10.3 exp(-0.6 D) (Atlas, Srivastava and Sekhon 1973), D in mm."""
    return np.asarray(np.maximum(9.65 - 10.3 * np.exp(-0.6 * diameter_mm), 0.5))


def drop_diameters_mm(
    rain_mm_h: float, volume_m3: float, most: int, seed: int
) -> Float64[npt.NDArray[np.float64], " n"]:
    """Draw the largest drops of a volume: an exponential distribution cut off where `most` are left.

    Drops larger than D per m3: N0 / slope * exp(-slope D). Drops beyond 6 mm break up.
    """
    slope = slope_per_mm(rain_mm_h)
    smallest = max(0.5, math.log(INTERCEPT * volume_m3 / (slope * most)) / slope)
    count = min(most, int(INTERCEPT * volume_m3 / slope * math.exp(-slope * smallest)))
    rng = np.random.default_rng([seed, 0x4A10])
    return np.asarray(np.minimum(smallest + rng.exponential(1 / slope, count), 6.0))


def share_drawn(rain_mm_h: float, smallest_mm: float) -> float:
    """Share of all drops' cross section in drops above a diameter: exp(-x) (1 + x + x^2 / 2), x = slope D."""
    x = slope_per_mm(rain_mm_h) * smallest_mm
    return math.exp(-x) * (1 + x + 0.5 * x * x)


class Rain:
    """Streaks of falling rain.

    Args:
        rain_mm_h: Rate.
        seed: Of the drops.
        night: 0 day, 1 night: longer exposure, and drops that light up in the beam.
    """

    def __init__(self, rain_mm_h: float, seed: int, *, night: float) -> None:
        diameter = drop_diameters_mm(rain_mm_h, math.prod(_BOX_M), _DROPS, seed)
        rng = np.random.default_rng([seed, 0x3174])
        wind = np.array([_WIND_M_S, 0.4, 0.0]) + 0.25 * rng.standard_normal((len(diameter), 3))
        velocity = wind - fall_speed_m_s(diameter)[:, None] * np.array([0.0, 0.0, 1.0])
        self._swarm = Swarm(_BOX_M, velocity, diameter * 1e-3, seed)
        # Each streak stands for smaller drops near it, too, so that the covered area is not lost; bounded.
        self._stands_for = min(_MOST_STAND_FOR, 1 / share_drawn(rain_mm_h, float(diameter.min())))
        self._exposure = EXPOSURE_NIGHT_S if night > 0.5 else EXPOSURE_DAY_S
        self._night = night

    def __len__(self) -> int:
        """Count the drops of the box."""
        return len(self._swarm)

    def fall(self, view: View, *, headlights: float) -> None:
        """Draw the streaks of one frame in place.

        A drop refracts a wide cone (165 degrees) of its surroundings to the lens, so its own radiance is
        nearly the mean of what is around and above it, whatever stands behind it (Garg and Nayar 2007).
        """
        blur = 0.003 * view.scene.camera.fx
        smear = self._swarm.seen(view, self._exposure, blur_px_m=blur)
        if not len(smear.depth):
            return
        alpha = draw(view.light.shape[:2], smear, np.minimum(self._stands_for * smear.opacity, 0.5), most=0.5)
        mix(view.light, fill(view.light, surroundings(view)), alpha)
        if headlights > 0:
            lit = smear.opacity * beam_on(smear) * np.float32(headlights)
            sparkle = draw(view.light.shape[:2], smear, lit, most=0.5)
            add(view.light, (1.0, 0.95, 0.85), sparkle)


def surroundings(view: View) -> Float32[npt.NDArray[np.float32], "3"]:
    """Mean radiance around a particle: two thirds the upper half of the picture, one third the lower."""
    rows = view.light.shape[0] // 2
    upper = view.light[:rows:8, ::8].reshape(-1, 3).mean(axis=0)
    lower = view.light[rows::8, ::8].reshape(-1, 3).mean(axis=0)
    mean = (2 * upper + lower) / 3
    grey = float(mean @ np.array(LUMA, np.float32))
    return np.asarray(0.94 * (0.5 * mean + 0.5 * grey), np.float32)


def beam_on(smear: Smear) -> Float32[npt.NDArray[np.float32], " n"]:
    """Headlight falling on each particle, relative: inverse square from the lamps, fading above the beam."""
    x, y, z = smear.position.T
    ahead = np.maximum(z - 1.2, 0.3)
    # Camera axes: y points down; the lamps sit some 0.8 m below the lens.
    above = np.maximum(0.8 - y, 0) / ahead
    cone = np.exp(-((x / ahead) ** 2) / 0.4 - (above / 0.16) ** 2) + 0.015
    return np.asarray(0.3 * cone * np.clip(9 / (ahead * ahead), 0, 3) * (z > 1.3), np.float32)
