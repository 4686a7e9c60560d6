"""Bodies of cars, vans, trucks, buses and bicycles, out of quads."""

from dataclasses import dataclass

import numpy as np

from worldgen.render.mesh import GLASS, METAL, PAINT, PLAIN, Mesh, box, disc
from worldgen.sources.proving_ground.bodies import (
    CHROME,
    DARK,
    LAMP_BRAKE,
    LAMP_HEAD,
    LAMP_LEFT,
    LAMP_RIGHT,
    LAMP_TAIL,
    PLATE,
    Vehicle,
    Wheel,
)
from worldgen.sources.proving_ground.lorries import bus, truck
from worldgen.sources.proving_ground.scene import Colour


@dataclass(frozen=True, slots=True)
class _Form:
    length: float
    width: float
    height: float
    sill: float
    belt: float
    nose: float
    """Height of the bonnet's front edge."""
    bonnet: float
    """x of the foot of the windscreen."""
    roof_front: float
    roof_rear: float
    tail: float
    """x of the foot of the rear window."""
    tuck: float
    """How much narrower the roof is, each side."""
    wheel: float
    axle: float


def vehicle(kind: str, paint: Colour, seed: int) -> Vehicle:
    """Build a vehicle of a kind; the seed varies its proportions and trim."""
    rng = np.random.default_rng([seed, 7])
    if kind in ("truck", "bus"):
        return (truck if kind == "truck" else bus)(paint, rng)
    return _passenger(kind, paint, rng)


def _form(kind: str, rng: np.random.Generator) -> _Form:
    stretch = float(rng.uniform(0.95, 1.05))
    if kind == "van":
        length, width, height = 5.1 * stretch, 1.95, float(rng.uniform(1.95, 2.4))
        return _Form(
            length,
            width,
            height,
            0.32,
            1.12,
            0.95,
            length * 0.33,
            length * 0.2,
            -length * 0.485,
            -length * 0.497,
            0.1,
            0.34,
            length * 0.31,
        )
    if kind == "suv":
        length, width, height = 4.65 * stretch, 1.9, float(rng.uniform(1.65, 1.8))
        return _Form(
            length,
            width,
            height,
            0.33,
            1.08,
            0.95,
            length * 0.22,
            length * 0.07,
            -length * 0.40,
            -length * 0.48,
            0.2,
            0.37,
            length * 0.29,
        )
    hatch = rng.random() < 0.45
    length, width, height = (4.15 if hatch else 4.65) * stretch, 1.8, float(rng.uniform(1.42, 1.5))
    rear = -length * 0.36 if hatch else -length * 0.21
    tail = -length * 0.475 if hatch else -length * 0.375
    return _Form(
        length,
        width,
        height,
        0.24,
        0.93,
        0.74,
        length * 0.20,
        length * 0.03,
        rear,
        tail,
        0.22,
        0.32,
        length * 0.295,
    )


def _passenger(kind: str, paint: Colour, rng: np.random.Generator) -> Vehicle:
    f = _form(kind, rng)
    mesh = Mesh()
    half, front, back = f.width / 2, f.length / 2, -f.length / 2
    # Lower body: stations from tail to nose, each with its belt height and half width.
    xs = np.array([back, back + 0.12, f.tail, -f.axle, 0.0, f.bonnet, f.axle + 0.2, front - 0.12, front])
    deck = f.belt + 0.02
    tops = np.array(
        [
            deck - 0.1,
            deck,
            deck + 0.02,
            f.belt + 0.03,
            f.belt,
            f.belt,
            (f.belt + f.nose) / 2 + 0.05,
            f.nose,
            f.nose - 0.14,
        ]
    )
    wide = np.array([half - 0.14, half - 0.04, half, half, half, half, half - 0.02, half - 0.12, half - 0.26])
    middle = (f.sill + tops) * 0.5 + 0.06
    for i in range(len(xs) - 1):
        for side in (1, -1):
            low0, low1 = (
                [xs[i], side * (wide[i] - 0.06), f.sill],
                [xs[i + 1], side * (wide[i + 1] - 0.06), f.sill],
            )
            mid0, mid1 = [xs[i], side * wide[i], middle[i]], [xs[i + 1], side * wide[i + 1], middle[i + 1]]
            top0, top1 = (
                [xs[i], side * (wide[i] - 0.07), tops[i]],
                [xs[i + 1], side * (wide[i + 1] - 0.07), tops[i + 1]],
            )
            for quad in ([low0, low1, mid1, mid0], [mid0, mid1, top1, top0]):
                mesh.add(np.array(quad if side < 0 else quad[::-1]), paint, PAINT)
        a, b = wide[i] - 0.07, wide[i + 1] - 0.07
        mesh.add(
            np.array(
                [
                    [xs[i], a, tops[i]],
                    [xs[i], -a, tops[i]],
                    [xs[i + 1], -b, tops[i + 1]],
                    [xs[i + 1], b, tops[i + 1]],
                ]
            ),
            paint,
            PAINT,
        )
    for x, w, top, mid, side in (
        (front, wide[-1], tops[-1], middle[-1], 1),
        (back, wide[0], tops[0], middle[0], -1),
    ):
        for z0, z1, w0, w1 in ((f.sill, mid, w - 0.06, w), (mid, top, w, w - 0.07)):
            end = np.array([[x, -w0, z0], [x, w0, z0], [x, w1, z1], [x, -w1, z1]])
            mesh.add(end if side > 0 else end[::-1], paint, PAINT)
    _cabin(mesh, f, paint, half, windowless=kind == "van" and rng.random() < 0.6)
    _face(mesh, f, paint, rng, wide)
    wheels = tuple(
        Wheel(x, side * (half - 0.11), f.wheel, 0.22) for x in (f.axle, -f.axle * 0.98) for side in (1, -1)
    )
    for wheel in wheels:
        side = 1 if wheel.y > 0 else -1
        arch = disc((wheel.x, side * (half + 0.004), f.wheel + 0.03), f.wheel + 0.075, side, 12)
        arch[..., 2] = np.maximum(arch[..., 2], f.sill - 0.06)
        mesh.add(arch, DARK, PLAIN, reach=90)
    mesh.add(box((back + 0.3, front - 0.3), (-half + 0.12, half - 0.12), (f.sill - 0.1, f.sill)), DARK, PLAIN)
    return Vehicle(mesh, wheels, (f.length + 0.08, f.width + 0.02, f.height))


def _cabin(mesh: Mesh, f: _Form, paint: Colour, half: float, *, windowless: bool) -> None:
    low, high, z0, z1 = half - 0.07, half - 0.07 - f.tuck, f.belt, f.height
    rear_z = f.belt + 0.03
    shell = {
        "screen": [
            [f.bonnet, -low, z0],
            [f.bonnet, low, z0],
            [f.roof_front, high, z1 - 0.03],
            [f.roof_front, -high, z1 - 0.03],
        ],
        "rear": [
            [f.tail, low, rear_z],
            [f.tail, -low, rear_z],
            [f.roof_rear, -high, z1 - 0.04],
            [f.roof_rear, high, z1 - 0.04],
        ],
    }
    for name, quad in shell.items():
        corners = np.array(quad)
        mesh.add(corners, paint, PAINT)
        if name == "rear" and windowless:
            continue
        mesh.add(_inset(corners, 0.07, 0.1), DARK, GLASS)
    mesh.add(
        np.array(
            [
                [f.roof_rear, high, z1 - 0.04],
                [f.roof_rear, -high, z1 - 0.04],
                [f.roof_front, -high, z1 - 0.03],
                [f.roof_front, high, z1 - 0.03],
            ]
        ),
        paint,
        PAINT,
    )
    crown = np.array(
        [
            [f.roof_rear + 0.12, high - 0.1, z1],
            [f.roof_rear + 0.12, -high + 0.1, z1],
            [f.roof_front - 0.12, -high + 0.1, z1],
            [f.roof_front - 0.12, high - 0.1, z1],
        ]
    )
    mesh.add(crown, paint, PAINT)
    for side in (1, -1):
        wall = np.array(
            [
                [f.tail, side * low, rear_z],
                [f.bonnet, side * low, z0],
                [f.roof_front, side * high, z1 - 0.03],
                [f.roof_rear, side * high, z1 - 0.04],
            ]
        )
        wall = wall if side < 0 else wall[::-1]
        mesh.add(wall, paint, PAINT)
        inside = _inset(wall, 0.05, 0.1)
        if side > 0:
            inside = inside[::-1]
        a, b, c, d = inside
        for t0, t1 in ((0.5, 0.97),) if windowless else ((0.0, 0.46), (0.5, 1.0)):
            pane = np.array([a + (b - a) * t0, a + (b - a) * t1, d + (c - d) * t1, d + (c - d) * t0])
            pane[:, 1] += side * 0.006
            mesh.add(pane if side < 0 else pane[::-1], DARK, GLASS)


def _inset(quad: np.ndarray, across: float, along: float) -> np.ndarray:
    """Shrink a quad towards its centre and lift it a little, for a pane."""
    a, b, c, d = quad
    low = [a + (b - a) * across, b + (a - b) * across]
    top = [d + (c - d) * across, c + (d - c) * across]
    inner = np.array(
        [
            low[0] + (top[0] - low[0]) * along,
            low[1] + (top[1] - low[1]) * along,
            top[1] + (low[1] - top[1]) * along,
            top[0] + (low[0] - top[0]) * along,
        ]
    )
    normal = np.cross(b - a, c - a)
    return np.asarray(inner + normal / max(float(np.linalg.norm(normal)), 1e-9) * 0.006)


def _face(mesh: Mesh, f: _Form, paint: Colour, rng: np.random.Generator, wide: np.ndarray) -> None:
    """Lamps, plates, grille, bumpers, mirrors, door seams."""
    half, front, back = f.width / 2, f.length / 2 + 0.012, -f.length / 2 - 0.012
    nose, deck = f.nose - 0.14, f.belt - 0.08
    lamp_z = (nose - 0.2, nose - 0.03)
    w = wide[-1] - 0.03

    def front_plate(
        y0: float,
        y1: float,
        z0: float,
        z1: float,
        colour: Colour,
        material: int = PLAIN,
        lamp: int = 0,
        reach: float = 1e6,
    ) -> None:
        mesh.add(
            np.array([[front, y0, z0], [front, y1, z0], [front, y1, z1], [front, y0, z1]]),
            colour,
            material,
            lamp=lamp,
            reach=reach,
        )

    def rear_plate(
        y0: float,
        y1: float,
        z0: float,
        z1: float,
        colour: Colour,
        material: int = PLAIN,
        lamp: int = 0,
        reach: float = 1e6,
    ) -> None:
        mesh.add(
            np.array([[back, y1, z0], [back, y0, z0], [back, y0, z1], [back, y1, z1]]),
            colour,
            material,
            lamp=lamp,
            reach=reach,
        )

    for side, blink in ((1, LAMP_LEFT), (-1, LAMP_RIGHT)):
        y = sorted((side * w, side * (w - 0.34)))
        front_plate(y[0], y[1], *lamp_z, (0.55, 0.56, 0.58), METAL, LAMP_HEAD)
        y = sorted((side * (w + 0.02), side * (w - 0.08)))
        front_plate(y[0], y[1], lamp_z[0] - 0.07, lamp_z[0], (0.6, 0.3, 0.05), PLAIN, blink)
        r = wide[0] - 0.04
        tall = 0.42 if f.height > 1.6 else 0.17
        y = sorted((side * r, side * (r - (0.16 if f.height > 1.6 else 0.36))))
        rear_plate(y[0], y[1], deck - tall, deck, (0.22, 0.012, 0.012), PLAIN, LAMP_TAIL)
        y = sorted((side * r, side * (r - 0.15)))
        rear_plate(
            y[0], y[1], deck - tall - 0.01, deck - tall + 0.07, (0.24, 0.015, 0.012), PLAIN, LAMP_BRAKE
        )
        rear_plate(y[0], y[1], deck - 0.02, deck + 0.03, (0.5, 0.2, 0.04), PLAIN, blink, 120)
        mirror = np.sort([side * (half - 0.02), side * (half + 0.17)])
        mesh.add(
            box((f.bonnet - 0.42, f.bonnet - 0.28), (mirror[0], mirror[1]), (f.belt + 0.0, f.belt + 0.14)),
            paint if rng.random() < 0.7 else DARK,
            PAINT,
            reach=70,
        )
        for x in (f.bonnet - 0.2, -0.1, -f.axle + 0.45):
            seam = np.array(
                [
                    [x, side * (half + 0.004), f.sill + 0.12],
                    [x + 0.018, side * (half + 0.004), f.sill + 0.12],
                    [x + 0.018, side * (half - 0.04), f.belt - 0.02],
                    [x, side * (half - 0.04), f.belt - 0.02],
                ]
            )
            mesh.add(seam if side < 0 else seam[::-1], DARK, PLAIN, reach=30)
        for x in (0.08, -f.axle + 0.6):
            handle = np.array(
                [
                    [x, side * (half + 0.012), f.belt - 0.2],
                    [x + 0.18, side * (half + 0.012), f.belt - 0.2],
                    [x + 0.18, side * (half + 0.005), f.belt - 0.16],
                    [x, side * (half + 0.005), f.belt - 0.16],
                ]
            )
            mesh.add(handle if side < 0 else handle[::-1], CHROME, METAL, reach=25)
    front_plate(-w + 0.36, w - 0.36, lamp_z[0], lamp_z[1] - 0.03, DARK)
    front_plate(-w + 0.1, w - 0.1, f.sill + 0.02, f.sill + 0.16, DARK)
    front_plate(-0.26, 0.26, f.sill + 0.2, f.sill + 0.31, PLATE, reach=80)
    rear_plate(-wide[0] + 0.12, wide[0] - 0.12, f.sill, f.sill + 0.13, DARK)
    low = f.sill + 0.2 if rng.random() < 0.4 else deck - 0.3
    rear_plate(-0.26, 0.26, low, low + 0.11, PLATE, reach=80)
    rear_plate(-0.05, 0.05, deck - 0.06, deck - 0.0, CHROME, METAL, reach=40)
    brake = f.height - 0.08
    mesh.add(
        np.array(
            [
                [f.roof_rear - 0.03, 0.14, brake],
                [f.roof_rear - 0.03, -0.14, brake],
                [f.roof_rear - 0.02, -0.14, brake + 0.03],
                [f.roof_rear - 0.02, 0.14, brake + 0.03],
            ]
        ),
        (0.2, 0.01, 0.01),
        PLAIN,
        lamp=LAMP_BRAKE,
    )
