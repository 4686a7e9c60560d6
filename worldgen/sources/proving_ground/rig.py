"""Rigs: rigid parts that move with how far their owner has come, so that wheels turn and legs walk."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from worldgen.render.mesh import Mesh

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A rigid mesh hung at a pivot; it turns about the pivot's y axis."""

    mesh: Mesh
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    motion: Literal["fixed", "roll", "swing"] = "fixed"
    radius: float = 0.3
    """Of a rolling part: metres per radian."""
    amplitude: float = 0.0
    """Of a swinging part, radians."""
    stride: float = 1.4
    """Metres per full swing."""
    phase: float = 0.0

    def angle(self, way: Floats) -> Floats:
        """Turn about y (radians) after travelling `way` metres; positive tips x towards -z."""
        if self.motion == "roll":
            return np.asarray(way) / self.radius
        if self.motion == "swing":
            return np.asarray(self.amplitude * np.sin(2 * np.pi * np.asarray(way) / self.stride + self.phase))
        return np.zeros_like(np.asarray(way, float))

    def local(self, way: Floats) -> Floats:
        """body_from_part over time, [t, 4, 4]."""
        angle = self.angle(way)
        out = np.zeros((len(angle), 4, 4))
        cos, sin = np.cos(angle), np.sin(angle)
        out[:, 0, 0], out[:, 0, 2], out[:, 2, 0], out[:, 2, 2] = cos, sin, -sin, cos
        out[:, 1, 1] = out[:, 3, 3] = 1.0
        out[:, :3, 3] = self.pivot
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """Parts that make one object, with the size of its box: length, width, height in metres."""

    parts: tuple[Part, ...]
    size: tuple[float, float, float]


def standing(x: float, y: float, yaw: float, z: float = 0.0) -> Floats:
    """world_from_body for something upright, [4, 4]."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0, x], [sin, cos, 0, y], [0, 0, 1, z], [0, 0, 0, 1.0]])
