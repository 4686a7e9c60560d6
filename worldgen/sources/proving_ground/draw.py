"""Drawing by chance: what every part of a layout uses."""

import numpy as np

from worldgen.sources.proving_ground.scene import Colour, Crossing

FIRST_ACTOR, FIRST_LIGHT, FIRST_SIGN = 1, 300, 400
"""Where instance ids of actors, traffic lights and signs begin."""

Rng = np.random.Generator


PAINTS: tuple[Colour, ...] = (
    (0.75, 0.75, 0.74),
    (0.6, 0.6, 0.6),
    (0.02, 0.02, 0.022),
    (0.03, 0.03, 0.035),
    (0.22, 0.23, 0.25),
    (0.09, 0.1, 0.11),
    (0.33, 0.02, 0.02),
    (0.02, 0.05, 0.2),
    (0.05, 0.12, 0.3),
    (0.02, 0.1, 0.05),
    (0.35, 0.3, 0.2),
    (0.5, 0.2, 0.02),
    (0.12, 0.06, 0.03),
    (0.02, 0.18, 0.2),
    (0.55, 0.42, 0.03),
    (0.4, 0.42, 0.44),
)


PAINT_SHARES = np.array([4, 3, 3, 3, 3, 3, 2, 1, 2, 0.6, 0.8, 0.5, 0.6, 0.4, 0.5, 2.0])


def draw_paint(rng: Rng) -> Colour:
    """Draw the colour of a car."""
    base = np.array(PAINTS[int(rng.choice(len(PAINTS), p=PAINT_SHARES / PAINT_SHARES.sum()))])
    varied = np.clip(base * rng.uniform(0.8, 1.2) + rng.normal(0, 0.004, 3), 0.012, 0.85)
    return (float(varied[0]), float(varied[1]), float(varied[2]))


def vary(rng: Rng, colour: Colour, amount: float = 0.12) -> Colour:
    """Vary a colour by a share."""
    varied = np.clip(
        np.array(colour) * rng.uniform(1 - amount, 1 + amount) * rng.normal(1, amount / 3, 3), 0.01, 0.9
    )
    return (float(varied[0]), float(varied[1]), float(varied[2]))


def clear_of(crossings: tuple[Crossing, ...], s: float, half: float, room: float) -> bool:
    """Whether a stretch keeps clear of all crossings."""
    return all(abs(s - c.s_m) > c.half_width_m + half + room for c in crossings)
