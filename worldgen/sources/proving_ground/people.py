"""People on foot and on bicycles, out of a few columns and boxes that walk."""

import numpy as np

from worldgen.datatypes.tags import Tag
from worldgen.render.mesh import CLOTH, METAL, RUBBER, SKIN, Mesh, bar, box, frustum, prism, tyre
from worldgen.sources.proving_ground.rig import Part, Rig
from worldgen.sources.proving_ground.scene import Colour

SKINS: tuple[Colour, ...] = (
    (0.55, 0.35, 0.26),
    (0.42, 0.26, 0.18),
    (0.22, 0.12, 0.08),
    (0.09, 0.05, 0.035),
    (0.62, 0.42, 0.33),
)
HAIR: tuple[Colour, ...] = (
    (0.02, 0.015, 0.01),
    (0.08, 0.04, 0.02),
    (0.25, 0.16, 0.06),
    (0.3, 0.3, 0.3),
    (0.3, 0.03, 0.03),
    (0.5, 0.5, 0.45),
)


def pedestrian(top: Colour, trousers: Colour, seed: int, *, walks: bool) -> Rig:
    """Build somebody on foot: legs and arms swing with the way walked."""
    rng = np.random.default_rng([seed, 3])
    tall = float(rng.choice([rng.uniform(1.55, 1.9), rng.uniform(1.55, 1.9), rng.uniform(1.15, 1.4)]))
    k = tall / 1.75
    stout = float(rng.uniform(0.85, 1.2)) * k
    skin = SKINS[int(rng.integers(len(SKINS)))]
    hair = HAIR[int(rng.integers(len(HAIR)))]
    hip, shoulder = 0.86 * k, 1.44 * k
    trunk = Mesh()
    long_coat = rng.random() < 0.3
    low = (0.55 if long_coat else 0.8) * k
    a, b = 0.13 * stout, 0.19 * stout
    trunk.add(
        frustum(
            (-a * 0.9, a * 0.9, -b * 0.88, b * 0.88), (-a, a, -b * 1.08, b * 1.08), low, shoulder - 0.04 * k
        ),
        top,
        CLOTH,
    )
    trunk.add(
        frustum(
            (-a, a, -b * 1.08, b * 1.08),
            (-a * 0.5, a * 0.5, -b * 0.4, b * 0.4),
            shoulder - 0.04 * k,
            shoulder + 0.04 * k,
        ),
        top,
        CLOTH,
    )
    trunk.add(prism((0.01, 0.0), 0.055 * k, (shoulder, shoulder + 0.1 * k), 5), skin, SKIN)
    trunk.add(
        prism((0.015, 0.0), (0.075 * k, 0.1 * k), (shoulder + 0.07 * k, shoulder + 0.19 * k), 7), skin, SKIN
    )
    trunk.add(prism((0.0, 0.0), (0.105 * k, 0.06 * k), (shoulder + 0.19 * k, tall), 7), hair, SKIN)
    trunk.add(
        box((-0.1 * k, -0.05 * k), (-0.085 * k, 0.085 * k), (shoulder + 0.1 * k, shoulder + 0.22 * k)),
        hair,
        SKIN,
    )
    if rng.random() < 0.35:
        trunk.add(
            box((-a - 0.16 * k, -a), (-0.15 * k, 0.15 * k), (1.0 * k, shoulder - 0.05 * k)),
            tuple(rng.uniform(0.02, 0.4, 3)),
            CLOTH,
        )
    parts = [Part(trunk)]
    swing = 0.5 if walks else 0.06
    stride = 1.35 * k
    phase = float(rng.uniform(0, 6.28))
    for side in (1, -1):
        leg = Mesh()
        leg.add(
            frustum(
                (-0.05 * k, 0.06 * k, -0.055 * k, 0.055 * k),
                (-0.085 * stout, 0.085 * stout, -0.085 * stout, 0.085 * stout),
                -hip + 0.06 * k,
                0.02,
            ),
            trousers,
            CLOTH,
        )
        leg.add(
            box((-0.08 * k, 0.17 * k), (-0.055 * k, 0.055 * k), (-hip, -hip + 0.08 * k)),
            (0.02, 0.02, 0.02) if rng.random() < 0.7 else (0.6, 0.6, 0.6),
            RUBBER,
        )
        parts.append(
            Part(
                leg,
                (0.0, side * 0.09 * stout, hip),
                "swing",
                amplitude=swing,
                stride=stride,
                phase=phase + (0 if side > 0 else np.pi),
            )
        )
        arm = Mesh()
        arm.add(
            frustum(
                (-0.035 * k, 0.035 * k, -0.035 * k, 0.035 * k),
                (-0.055 * k, 0.055 * k, -0.05 * k, 0.05 * k),
                -0.52 * k,
                0.0,
            ),
            top,
            CLOTH,
        )
        arm.add(
            box((-0.035 * k, 0.04 * k), (-0.03 * k, 0.03 * k), (-0.62 * k, -0.52 * k), bottom=True),
            skin,
            SKIN,
        )
        parts.append(
            Part(
                arm,
                (0.0, side * (b * 1.08 + 0.04 * k), shoulder - 0.05 * k),
                "swing",
                amplitude=swing * 0.8,
                stride=stride,
                phase=phase + (np.pi if side > 0 else 0),
            )
        )
    reach = np.sin(swing) * hip + 0.18 * k
    return Rig(tuple(parts), (2 * reach, 2 * (b * 1.08 + 0.1 * k), tall))


def cyclist(top: Colour, frame: Colour, seed: int) -> Rig:
    """Build a bicycle with its rider; wheels turn, legs pedal."""
    rng = np.random.default_rng([seed, 5])
    skin = SKINS[int(rng.integers(len(SKINS)))]
    radius = 0.34
    bike = Mesh()
    rear, front, seat, head, crank = (
        (-0.52, 0, radius),
        (0.55, 0, radius),
        (-0.2, 0, 0.92),
        (0.42, 0, 0.95),
        (-0.05, 0, 0.3),
    )
    for p, q in ((rear, crank), (rear, seat), (crank, seat), (crank, head), (seat, head), (front, head)):
        bike.add(bar(np.array(p), np.array(q), 0.022), frame, METAL)
    bike.add(box((0.36, 0.44), (-0.27, 0.27), (0.98, 1.02)), (0.02, 0.02, 0.02), METAL)
    bike.add(box((-0.32, -0.08), (-0.07, 0.07), (0.92, 0.97)), (0.02, 0.02, 0.02), RUBBER)
    bike.add(box((-0.36, -0.33), (-0.03, 0.03), (0.75, 0.8)), (0.25, 0.01, 0.01), lamp=2)
    rider = Mesh()
    trunk = frustum((-0.12, 0.1, -0.16, 0.16), (0.12, 0.32, -0.2, 0.2), 0.95, 1.46)
    rider.add(trunk, top, CLOTH)
    for side in (1, -1):
        rider.add(
            bar(np.array([0.2, side * 0.2, 1.4]), np.array([0.4, side * 0.24, 1.04]), 0.045), top, CLOTH
        )
    rider.add(prism((0.26, 0.0), (0.08, 0.1), (1.46, 1.62), 7), skin, SKIN)
    helmet = tuple(rng.uniform(0.05, 0.6, 3)) if rng.random() < 0.6 else HAIR[0]
    rider.add(prism((0.24, 0.0), (0.125, 0.06), (1.62, 1.74), 7), helmet, METAL)
    _retag(rider)
    parts = [Part(bike), Part(rider)]
    for centre in (rear, front):
        wheel = Mesh()
        wheel.add(tyre((0, 0, 0), radius, 0.05, 14), (0.02, 0.02, 0.02), RUBBER, two_sided=True)
        for k in range(4):
            angle = k * np.pi / 4
            tip = np.array([np.cos(angle) * radius, 0, np.sin(angle) * radius])
            wheel.add(bar(-tip, tip, 0.012), (0.3, 0.3, 0.3), METAL, reach=50)
        parts.append(Part(wheel, centre, "roll", radius=radius))
    trousers = rng.uniform(0.01, 0.12, 3)
    for side in (1, -1):
        leg = Mesh()
        leg.add(
            frustum((-0.05, 0.05, -0.05, 0.05), (-0.08, 0.08, -0.08, 0.08), -0.72, 0.0),
            trousers,
            CLOTH,
        )
        leg.add(box((-0.06, 0.16), (-0.045, 0.045), (-0.78, -0.71)), (0.03, 0.03, 0.03), RUBBER)
        _retag(leg)
        # Thigh and calf in one piece, swinging about a forward lean: enough at the sizes people are seen.
        parts.append(
            Part(
                leg,
                (-0.08, side * 0.11, 1.0),
                "swing",
                amplitude=0.42,
                stride=4.4,
                phase=(0.0 if side > 0 else np.pi),
            )
        )
    return Rig(tuple(parts), (1.86, 0.62, 1.75))


def _retag(mesh: Mesh) -> None:
    mesh.tag = [np.full_like(t, int(Tag.RIDER)) for t in mesh.tag]
