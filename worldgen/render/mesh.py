"""Meshes of planar quads with what a shader needs, and the few solids that everything is built from."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

PLAIN, PAINT, GLASS, FACADE, LEAVES, METAL, RUBBER, SKIN, CLOTH, ROOF, STONE, SIGN = range(12)
"""Materials, as the shader knows them."""


@dataclass(slots=True)
class Mesh:
    """Quads in a body's own axes (x forward, y left, z up), grown face by face."""

    corners: list[Floats] = field(default_factory=list)
    """Each [n, 4, 3], wound counter-clockwise seen from outside."""
    colour: list[Floats] = field(default_factory=list)
    """Each [n, 3], linear reflectance 0..1."""
    material: list[npt.NDArray[np.int64]] = field(default_factory=list)
    lamp: list[npt.NDArray[np.int64]] = field(default_factory=list)
    """Which of the body's lamps a face is; 0 for none."""
    param: list[Floats] = field(default_factory=list)
    """Each [n, 4]: what the material reads (facade style, crown centre)."""
    two_sided: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    reach: list[Floats] = field(default_factory=list)
    """Metres up to which a face is drawn; details have a short reach."""
    tag: list[npt.NDArray[np.int64]] = field(default_factory=list)
    """A tag that differs from the body's; 0 for the body's own."""

    def add(
        self,
        corners: Floats,
        colour: tuple[float, float, float] | Floats,
        material: int = PLAIN,
        *,
        lamp: int = 0,
        param: tuple[float, float, float, float] | Floats = (0.0, 0.0, 0.0, 0.0),
        two_sided: bool = False,
        reach: float = 1e6,
        tag: int = 0,
    ) -> "Mesh":
        """Append quads [n, 4, 3] (or one [4, 3]) of one look."""
        quads = np.asarray(corners, float).reshape(-1, 4, 3)
        n = len(quads)
        self.corners.append(quads)
        self.colour.append(np.broadcast_to(np.asarray(colour, float), (n, 3)))
        self.material.append(np.full(n, material))
        self.lamp.append(np.full(n, lamp))
        self.param.append(np.broadcast_to(np.asarray(param, float), (n, 4)))
        self.two_sided.append(np.full(n, two_sided))
        self.reach.append(np.full(n, float(reach)))
        self.tag.append(np.full(n, tag))
        return self

    def points(self) -> Floats:
        """All corners [m, 3]."""
        return np.concatenate(self.corners).reshape(-1, 3) if self.corners else np.zeros((0, 3))


def box(
    x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], *, bottom: bool = False
) -> Floats:
    """Quads of an axis-aligned box: front, back, left, right, top (and bottom)."""
    return frustum((x[0], x[1], y[0], y[1]), (x[0], x[1], y[0], y[1]), z[0], z[1], bottom=bottom)


def frustum(
    low: tuple[float, float, float, float],
    high: tuple[float, float, float, float],
    z0: float,
    z1: float,
    *,
    bottom: bool = False,
) -> Floats:
    """Quads between a rectangle (x0, x1, y0, y1) at height z0 and another at z1.

    Sides are planar when both rectangles are centred alike or share proportions; slight twists are
    harmless because every quad is drawn in the plane of its first three corners.
    """
    a0, a1, b0, b1 = low
    c0, c1, d0, d1 = high
    p = np.array([[a0, b0, z0], [a1, b0, z0], [a1, b1, z0], [a0, b1, z0]], float)
    q = np.array([[c0, d0, z1], [c1, d0, z1], [c1, d1, z1], [c0, d1, z1]], float)
    sides = [
        [p[1], p[2], q[2], q[1]],
        [p[3], p[0], q[0], q[3]],
        [p[2], p[3], q[3], q[2]],
        [p[0], p[1], q[1], q[0]],
        [q[0], q[1], q[2], q[3]],
    ]
    if bottom:
        sides.append([p[3], p[2], p[1], p[0]])
    return np.array(sides)


def prism(
    centre: tuple[float, float], radius: float | tuple[float, float], z: tuple[float, float], sides: int = 6
) -> Floats:
    """An upright column with `sides` faces and a top; radius at the bottom and at the top."""
    low, high = radius if isinstance(radius, tuple) else (radius, radius)
    angle = np.arange(sides + 1) * 2 * np.pi / sides
    ring = np.stack((np.cos(angle), np.sin(angle)), 1)
    a = np.concatenate((ring * low + centre, np.full((sides + 1, 1), z[0])), 1)
    b = np.concatenate((ring * high + centre, np.full((sides + 1, 1), z[1])), 1)
    walls = np.stack((a[:-1], a[1:], b[1:], b[:-1]), 1)
    tip = np.array([centre[0], centre[1], z[1]])
    cap = np.stack((np.broadcast_to(tip, (sides, 3)), b[:-1], b[1:], b[1:]), 1)
    return np.concatenate((walls, cap))


def disc(centre: tuple[float, float, float], radius: float, side: int, sides: int = 10) -> Floats:
    """A disc in the x-z plane that looks along +y (side 1) or -y (side -1)."""
    angle = np.arange(sides + 1) * 2 * np.pi / sides * -side
    rim = np.stack((np.cos(angle) * radius, np.zeros(sides + 1), np.sin(angle) * radius), 1) + centre
    middle = np.broadcast_to(np.asarray(centre, float), (sides, 3))
    return np.stack((middle, rim[:-1], rim[1:], rim[1:]), 1)


def tyre(centre: tuple[float, float, float], radius: float, width: float, sides: int = 10) -> Floats:
    """The tread of a wheel that rolls along x, `width` along y about its centre."""
    angle = np.arange(sides + 1) * 2 * np.pi / sides
    rim = np.stack((np.cos(angle) * radius, np.zeros(sides + 1), np.sin(angle) * radius), 1) + centre
    half = np.array([0.0, width / 2, 0.0])
    left, right = rim + half, rim - half
    return np.stack((right[:-1], right[1:], left[1:], left[:-1]), 1)[:, ::-1]


def bar(start: Floats, end: Floats, radius: float, sides: int = 4) -> Floats:
    """A rod between two points, without caps."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9)
    across = np.cross(along, [0.0, 0.0, 1.0] if abs(along[2]) < 0.9 else [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    other = np.cross(along, across)
    angle = np.arange(sides + 1) * 2 * np.pi / sides + np.pi / 4
    ring = (np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * other) * radius
    return np.stack((ring[:-1] + a, ring[1:] + a, ring[1:] + b, ring[:-1] + b), 1)
