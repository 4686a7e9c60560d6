"""Bodies of trucks and buses."""

import numpy as np

from worldgen.render.mesh import GLASS, METAL, PAINT, PLAIN, Mesh, box, frustum
from worldgen.sources.proving_ground.bodies import (
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
from worldgen.sources.proving_ground.scene import Colour


def truck(paint: Colour, rng: np.random.Generator) -> Vehicle:
    """Build a lorry with a box body."""
    length, width, height = float(rng.uniform(7, 10)), 2.4, float(rng.uniform(3.1, 3.8))
    front, half = length / 2, width / 2
    cab, mesh = 2.0, Mesh()
    mesh.add(
        frustum(
            (front - cab, front, -half + 0.05, half - 0.05),
            (front - cab, front - 0.25, -half + 0.12, half - 0.12),
            0.6,
            2.6,
        ),
        paint,
        PAINT,
    )
    load = paint if rng.random() < 0.3 else ((0.7, 0.7, 0.68) if rng.random() < 0.7 else (0.2, 0.3, 0.4))
    mesh.add(box((-front, front - cab - 0.15), (-half, half), (0.95, height)), load, PAINT)
    if rng.random() < 0.6:
        stripe = tuple(rng.uniform(0.05, 0.5, 3))
        for side in (1, -1):
            band = np.array(
                [
                    [-front + 0.4, side * (half + 0.01), 1.6],
                    [front - cab - 0.6, side * (half + 0.01), 1.6],
                    [front - cab - 0.6, side * (half + 0.01), 2.4],
                    [-front + 0.4, side * (half + 0.01), 2.4],
                ]
            )
            mesh.add(band if side < 0 else band[::-1], stripe, PLAIN)
    for y0, y1 in ((-half + 0.06, -0.02), (0.02, half - 0.06)):
        mesh.add(
            np.array(
                [
                    [-front - 0.012, y1, 1.05],
                    [-front - 0.012, y0, 1.05],
                    [-front - 0.012, y0, height - 0.08],
                    [-front - 0.012, y1, height - 0.08],
                ]
            ),
            np.array(load) * 0.88,
            PAINT,
        )
    mesh.add(box((-front + 0.1, front - cab), (-0.9, 0.9), (0.5, 0.95)), DARK, PLAIN)
    screen = np.array(
        [
            [front + 0.0 - 0.10, -half + 0.18, 1.5],
            [front - 0.10, half - 0.18, 1.5],
            [front - 0.2, half - 0.2, 2.4],
            [front - 0.2, -half + 0.2, 2.4],
        ]
    )
    screen[:, 0] += 0.012
    mesh.add(screen, DARK, GLASS)
    for side in (1, -1):
        pane = np.array(
            [
                [front - 1.3, side * (half - 0.07), 1.5],
                [front - 0.3, side * (half - 0.07), 1.5],
                [front - 0.35, side * (half - 0.1), 2.25],
                [front - 1.3, side * (half - 0.1), 2.25],
            ]
        )
        mesh.add(pane if side < 0 else pane[::-1], DARK, GLASS)
        mesh.add(
            box(
                (front - 0.25, front - 0.1),
                (side * half + min(side, 0) * 0.2, side * half + max(side, 0) * 0.2),
                (1.6, 2.2),
            ),
            DARK,
            PLAIN,
        )
    _lorry_lamps(mesh, front, half, 0.75, 0.7)
    wheels = tuple(
        Wheel(x, side * (half - 0.18), 0.48, 0.3)
        for x in (front - 1.1, -front + 1.3, -front + 2.4)
        for side in (1, -1)
    )
    return Vehicle(mesh, wheels, (length + 0.06, width + 0.42, height))


def bus(paint: Colour, rng: np.random.Generator) -> Vehicle:
    """Build a city bus."""
    length, width, height = float(rng.uniform(10.5, 12.5)), 2.5, 3.05
    front, half, mesh = length / 2, width / 2, Mesh()
    mesh.add(
        frustum(
            (-front, front, -half, half),
            (-front + 0.05, front - 0.12, -half + 0.06, half - 0.06),
            0.32,
            height,
        ),
        paint,
        PAINT,
    )
    glass = (1.25, 2.35)
    for side in (1, -1):
        for x in np.arange(-front + 0.4, front - 1.2, 1.45):
            shift = 0.06 / (height - 0.32)
            y0, y1 = (
                side * (half - shift * (glass[0] - 0.32) + 0.008),
                side * (half - shift * (glass[1] - 0.32) + 0.008),
            )
            pane = np.array(
                [[x, y0, glass[0]], [x + 1.32, y0, glass[0]], [x + 1.32, y1, glass[1]], [x, y1, glass[1]]]
            )
            mesh.add(pane if side < 0 else pane[::-1], DARK, GLASS, lamp=0)
        band = np.array(
            [
                [-front + 0.2, side * (half + 0.004), 0.5],
                [front - 0.2, side * (half + 0.004), 0.5],
                [front - 0.2, side * (half - 0.005), 0.75],
                [-front + 0.2, side * (half - 0.005), 0.75],
            ]
        )
        mesh.add(band if side < 0 else band[::-1], rng.uniform(0.03, 0.5, 3), PLAIN)
    mesh.add(
        np.array(
            [
                [front - 0.03, -half + 0.15, 1.0],
                [front - 0.03, half - 0.15, 1.0],
                [front - 0.09, half - 0.15, 2.45],
                [front - 0.09, -half + 0.15, 2.45],
            ]
        )
        + np.array([0.03, 0.0, 0.0]),
        DARK,
        GLASS,
    )
    mesh.add(
        np.array(
            [
                [-front - 0.01, half - 0.3, 1.4],
                [-front - 0.01, -half + 0.3, 1.4],
                [-front + 0.03, -half + 0.3, 2.4],
                [-front + 0.03, half - 0.3, 2.4],
            ]
        ),
        DARK,
        GLASS,
    )
    mesh.add(
        np.array(
            [[front, -0.8, 2.55], [front, 0.8, 2.55], [front - 0.05, 0.8, 2.85], [front - 0.05, -0.8, 2.85]]
        ),
        (0.6, 0.35, 0.05),
        PLAIN,
    )
    _lorry_lamps(mesh, front, half, 0.6, 0.75)
    wheels = tuple(
        Wheel(x, side * (half - 0.15), 0.48, 0.28) for x in (front - 2.6, -front + 3.2) for side in (1, -1)
    )
    return Vehicle(mesh, wheels, (length + 0.06, width + 0.02, height))


def _lorry_lamps(mesh: Mesh, front: float, half: float, head_z: float, tail_z: float) -> None:
    for side, blink in ((1, LAMP_LEFT), (-1, LAMP_RIGHT)):
        a, b = sorted((side * (half - 0.12), side * (half - 0.5)))
        x = front + 0.012
        mesh.add(
            np.array([[x, a, head_z], [x, b, head_z], [x, b, head_z + 0.2], [x, a, head_z + 0.2]]),
            (0.55, 0.56, 0.58),
            METAL,
            lamp=LAMP_HEAD,
        )
        x = -front - 0.015
        for z, lamp, colour in (
            (tail_z, LAMP_TAIL, (0.22, 0.012, 0.012)),
            (tail_z + 0.16, LAMP_BRAKE, (0.24, 0.015, 0.012)),
            (tail_z + 0.32, blink, (0.5, 0.2, 0.04)),
        ):
            a, b = sorted((side * (half - 0.06), side * (half - 0.34)))
            mesh.add(
                np.array([[x, b, z], [x, a, z], [x, a, z + 0.15], [x, b, z + 0.15]]), colour, PLAIN, lamp=lamp
            )
    mesh.add(
        np.array(
            [
                [-front - 0.015, 0.26, tail_z],
                [-front - 0.015, -0.26, tail_z],
                [-front - 0.015, -0.26, tail_z + 0.12],
                [-front - 0.015, 0.26, tail_z + 0.12],
            ]
        ),
        PLATE,
        PLAIN,
        reach=80,
    )
    mesh.add(
        np.array(
            [
                [front + 0.01, -half + 0.1, head_z - 0.22],
                [front + 0.01, half - 0.1, head_z - 0.22],
                [front + 0.01, half - 0.1, head_z - 0.02],
                [front + 0.01, -half + 0.1, head_z - 0.02],
            ]
        ),
        DARK,
        PLAIN,
    )
