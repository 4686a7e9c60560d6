"""What all vehicles share: lamps, colours, wheels."""

from dataclasses import dataclass

import numpy as np

from worldgen.render.mesh import METAL, RUBBER, Mesh, disc, tyre

LAMP_HEAD, LAMP_TAIL, LAMP_BRAKE, LAMP_LEFT, LAMP_RIGHT = range(1, 6)
"""Lamp numbers of a vehicle's faces."""

DARK = (0.015, 0.015, 0.017)


CHROME = (0.45, 0.45, 0.46)


PLATE = (0.75, 0.75, 0.7)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel's hub in the body's axes and its radius."""

    x: float
    y: float
    radius: float
    width: float


@dataclass(frozen=True, slots=True, eq=False)
class Vehicle:
    """A body, its wheels and its size (length, width, height)."""

    body: Mesh
    wheels: tuple[Wheel, ...]
    size: tuple[float, float, float]


def wheel_mesh(wheel: Wheel) -> Mesh:
    """A wheel about its own hub, with tyre, rim and spokes that show it turning."""
    side = 1 if wheel.y > 0 else -1
    mesh = Mesh()
    mesh.add(tyre((0, 0, 0), wheel.radius, wheel.width, 12), (0.02, 0.02, 0.021), RUBBER)
    face = side * wheel.width / 2
    mesh.add(disc((0, face, 0), wheel.radius, side, 12), (0.022, 0.022, 0.023), RUBBER)
    rim = disc((0, face + side * 0.008, 0), wheel.radius * 0.66, side, 10)
    shades = np.where(np.arange(len(rim)) % 2 == 0, 0.42, 0.12)[:, None] * np.ones(3)
    mesh.add(rim, shades, METAL, reach=100)
    return mesh
