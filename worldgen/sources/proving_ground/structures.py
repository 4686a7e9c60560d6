"""Buildings and what stands beside a road: street lights, signs, signals, fences, rails."""

import numpy as np

from worldgen.datatypes.tags import Tag
from worldgen.render.mesh import FACADE, METAL, PLAIN, ROOF, SIGN, STONE, Mesh, bar, box, prism
from worldgen.sources.proving_ground.scene import Building, Furniture, TrafficLight

STEEL = (0.2, 0.2, 0.21)
DARK = (0.02, 0.02, 0.022)
STYLES = ("flats", "glass", "brick", "house", "hall", "shop")
LAMP_STREET, LAMP_RED, LAMP_YELLOW, LAMP_GREEN = 1, 1, 2, 3
SIGN_FACES = ("speed", "stop", "warn", "blue", "yield", "noway")


def building_mesh(building: Building) -> Mesh:
    """Build a block about the middle of its foot; x along the road, y to the left of it."""
    b, mesh = building, Mesh()
    rng = np.random.default_rng([b.seed, 17])
    x, y, h = b.length_m / 2, b.depth_m / 2, b.height_m
    style = STYLES.index(b.style)
    param = (float(style), float(b.seed % 4096), h, 0.0)
    walls = box((-x, x), (-y, y), (0.0, h))
    for wall in walls[:4]:
        mesh.add(wall, b.colour, FACADE, param=param)
    if b.style == "house":
        ridge = h + min(b.depth_m * float(rng.uniform(0.25, 0.45)), 4.0)
        eave = 0.4
        tiles = [(0.2, 0.08, 0.05), (0.08, 0.08, 0.09), (0.14, 0.1, 0.08)][int(rng.integers(3))]
        for side in (1, -1):
            slope = np.array(
                [
                    [-x - eave, side * (y + eave), h - 0.2],
                    [x + eave, side * (y + eave), h - 0.2],
                    [x + eave, 0, ridge],
                    [-x - eave, 0, ridge],
                ]
            )
            mesh.add(slope if side < 0 else slope[::-1], tiles, ROOF, two_sided=True)
        for end in (1, -1):
            gable = np.array(
                [[end * x, -y, h], [end * x, y, h], [end * x, 0, ridge - 0.15], [end * x, 0, ridge - 0.15]]
            )
            mesh.add(gable if end > 0 else gable[[1, 0, 2, 3]], b.colour, STONE)
        if rng.random() < 0.6:
            mesh.add(box((x * 0.3, x * 0.3 + 0.7), (-0.9, -0.3), (h, ridge + 0.6)), (0.25, 0.12, 0.09), STONE)
        return mesh
    mesh.add(walls[4], (0.2, 0.2, 0.2), ROOF)
    if b.style in ("flats", "brick", "shop"):
        lip = 0.22
        mesh.add(box((-x - lip, x + lip), (-y - lip, y + lip), (h, h + 0.55), bottom=True), b.trim, STONE)
    if b.style in ("shop", "brick") and rng.random() < 0.7:
        awning = tuple(rng.uniform(0.02, 0.45, 3))
        for side in (1, -1):
            if rng.random() < 0.7:
                span = sorted(rng.uniform(-x + 0.5, x - 0.5, 2))
                if span[1] - span[0] > 2:
                    quad = np.array(
                        [
                            [span[0], side * (y + 1.2), 2.75],
                            [span[1], side * (y + 1.2), 2.75],
                            [span[1], side * y, 3.25],
                            [span[0], side * y, 3.25],
                        ]
                    )
                    mesh.add(quad if side < 0 else quad[::-1], awning, PLAIN, two_sided=True)
    if b.style in ("flats", "glass", "hall") and rng.random() < 0.6:
        w = float(rng.uniform(2, 5))
        cx = float(rng.uniform(-x + w, x - w)) if x > w else 0.0
        mesh.add(
            box((cx - w / 2, cx + w / 2), (-w / 2, w / 2), (h, h + float(rng.uniform(1.5, 3.5)))),
            (0.3, 0.3, 0.3),
            STONE,
        )
    return mesh


def furniture_mesh(item: Furniture) -> Mesh:
    """Build a thing about its foot; it faces drivers who come along +x."""
    mesh = Mesh()
    builder = {
        "street_light": _street_light,
        "sign": _sign,
        "pole": _pole,
        "guard_rail": _rail,
        "fence": _fence,
        "gantry": _gantry,
        "shelter": _shelter,
        "cone": _cone,
    }.get(item.kind)
    if builder is not None:
        builder(mesh, item)
    elif item.kind == "bin":
        mesh.add(prism((0, 0), (0.24, 0.28), (0, 0.95), 8), (0.03, 0.09, 0.05), PLAIN, tag=int(Tag.STATIC))
    else:
        mesh.add(prism((0, 0), 0.08, (0, item.height_m), 8), (0.08, 0.08, 0.085), METAL, tag=int(Tag.POLE))
        mesh.add(
            prism((0, 0), 0.085, (item.height_m - 0.22, item.height_m - 0.12), 8),
            (0.6, 0.6, 0.58),
            PLAIN,
            tag=int(Tag.POLE),
        )
    return mesh


def _street_light(mesh: Mesh, item: Furniture) -> None:
    h, arm = item.height_m, item.length_m
    tag = int(Tag.POLE)
    mesh.add(prism((0, 0), (0.1, 0.06), (0, h), 6), STEEL, METAL, tag=tag)
    # The arm reaches over the road, which lies to the left of what faces along the drive.
    mesh.add(bar(np.array([0, 0, h - 0.05]), np.array([0, arm, h + 0.25]), 0.04), STEEL, METAL, tag=tag)
    mesh.add(box((-0.12, 0.12), (arm - 0.2, arm + 0.5), (h + 0.2, h + 0.3)), STEEL, METAL, tag=tag)
    lamp = box((-0.1, 0.1), (arm - 0.15, arm + 0.45), (h + 0.15, h + 0.2), bottom=True)
    mesh.add(lamp, (0.6, 0.6, 0.58), PLAIN, lamp=LAMP_STREET, tag=tag)


def _sign(mesh: Mesh, item: Furniture) -> None:
    h = item.height_m
    mesh.add(prism((0, 0), 0.035, (0, h), 6), (0.35, 0.35, 0.36), METAL, tag=int(Tag.POLE))
    face = SIGN_FACES[item.variant % len(SIGN_FACES)]
    r, z, x = 0.36, h - 0.3, -0.05
    tag = int(Tag.TRAFFIC_SIGN)
    if face == "blue":
        mesh.add(
            np.array([[x, r, z - r], [x, -r, z - r], [x, -r, z + r], [x, r, z + r]]),
            (0.02, 0.09, 0.4),
            SIGN,
            tag=tag,
        )
        mesh.add(_plate(x - 0.012, 0.0, z + 0.05, 0.1, 0.22), (0.75, 0.75, 0.75), SIGN, tag=tag)
    else:
        sides, turn = {"stop": (8, np.pi / 8), "warn": (3, np.pi / 2), "yield": (3, -np.pi / 2)}.get(
            face, (14, 0.0)
        )
        outer, inner = {
            "stop": ((0.5, 0.015, 0.015), None),
            "noway": ((0.5, 0.015, 0.015), None),
            "warn": ((0.5, 0.02, 0.02), (0.75, 0.72, 0.6)),
            "yield": ((0.5, 0.02, 0.02), (0.75, 0.75, 0.73)),
        }.get(face, ((0.5, 0.015, 0.015), (0.75, 0.75, 0.73)))
        size = r * (1.3 if sides == 3 else 1.0)
        mesh.add(_polygon(x, z, size, sides, turn), outer, SIGN, tag=tag)
        if inner is not None:
            mesh.add(_polygon(x - 0.012, z, size * 0.72, sides, turn), inner, SIGN, tag=tag)
        if face == "speed":
            for y in (-0.09, 0.09):
                mesh.add(_plate(x - 0.02, y, z, 0.055, 0.13), DARK, SIGN, reach=45, tag=tag)
                mesh.add(
                    _plate(x - 0.024, y + 0.0, z, 0.02, 0.07), (0.75, 0.75, 0.73), SIGN, reach=30, tag=tag
                )
        if face in ("stop", "noway"):
            mesh.add(_plate(x - 0.012, 0.0, z, 0.25, 0.06), (0.75, 0.75, 0.73), SIGN, tag=tag)
        if face == "warn":
            mesh.add(_plate(x - 0.02, 0.0, z + 0.02, 0.03, 0.13), DARK, SIGN, reach=60, tag=tag)
    back = _polygon(x + 0.02, z, r, 12, 0.0)[:, [0, 2, 1, 1]]
    mesh.add(back, (0.3, 0.3, 0.31), METAL, tag=tag)


def _plate(x: float, y: float, z: float, half_y: float, half_z: float) -> np.ndarray:
    return np.array(
        [
            [x, y + half_y, z - half_z],
            [x, y - half_y, z - half_z],
            [x, y - half_y, z + half_z],
            [x, y + half_y, z + half_z],
        ]
    )


def _polygon(x: float, z: float, radius: float, sides: int, turn: float) -> np.ndarray:
    """A regular polygon that looks along -x."""
    angle = np.arange(sides + 1) * 2 * np.pi / sides + turn
    rim = np.stack((np.full(sides + 1, x), -np.cos(angle) * radius, np.sin(angle) * radius + z), 1)
    middle = np.broadcast_to(np.array([x, 0.0, z]), (sides, 3))
    return np.stack((middle, rim[:-1], rim[1:], rim[1:]), 1)


def _pole(mesh: Mesh, item: Furniture) -> None:
    tag = int(Tag.POLE)
    mesh.add(prism((0, 0), (0.14, 0.1), (0, item.height_m), 6), (0.12, 0.085, 0.06), STONE, tag=tag)
    mesh.add(
        box((-0.06, 0.06), (-1.0, 1.0), (item.height_m - 0.7, item.height_m - 0.58)),
        (0.12, 0.085, 0.06),
        STONE,
        tag=tag,
    )
    for y in (-0.9, 0.9):
        mesh.add(
            bar(np.array([0, y, item.height_m - 0.5]), np.array([32.0, y, item.height_m - 0.5]), 0.014, 3),
            DARK,
            PLAIN,
            tag=tag,
        )


def _rail(mesh: Mesh, item: Furniture) -> None:
    tag = int(Tag.GUARD_RAIL)
    for x in np.arange(0, item.length_m, 4.0):
        mesh.add(box((x, x + 0.1), (-0.05, 0.05), (0, item.height_m)), STEEL, METAL, tag=tag, reach=90)
        for z in (0.42, 0.6):
            mesh.add(
                box((x, x + 4.0), (-0.06, 0.06), (z, z + 0.13), bottom=True)[2:],
                (0.38, 0.39, 0.4),
                METAL,
                tag=tag,
            )


def _fence(mesh: Mesh, item: Furniture) -> None:
    tag = int(Tag.FENCE)
    h = item.height_m
    if item.variant == 2:
        for x in np.arange(0, item.length_m, 4.0):
            mesh.add(
                box((x, x + 4.0), (-0.12, 0.12), (0, h))[2:], (0.32, 0.25, 0.2), STONE, tag=int(Tag.WALL)
            )
        return
    colour = (0.25, 0.18, 0.12) if item.variant == 0 else (0.5, 0.5, 0.48)
    for x in np.arange(0, item.length_m, 2.5):
        mesh.add(box((x, x + 0.09), (-0.05, 0.05), (0, h + 0.05)), colour, STONE, tag=tag, reach=80)
        for z in np.linspace(0.15, h - 0.12, 3 if h < 1.3 else 5):
            mesh.add(
                box((x, x + 2.5), (-0.02, 0.02), (z, z + 0.12), bottom=True)[2:],
                colour,
                STONE,
                tag=tag,
                reach=120,
            )


def _gantry(mesh: Mesh, item: Furniture) -> None:
    h = item.height_m
    for y in (-14.0, 14.0):
        mesh.add(box((-0.2, 0.2), (y - 0.2, y + 0.2), (0, h + 0.6)), STEEL, METAL, tag=int(Tag.POLE))
    mesh.add(box((-0.2, 0.2), (-14, 14), (h, h + 0.5), bottom=True), STEEL, METAL, tag=int(Tag.POLE))
    blue = (0.01, 0.07, 0.3) if item.variant != 1 else (0.01, 0.16, 0.06)
    for y in (-4.5, 2.5):
        tag = int(Tag.TRAFFIC_SIGN)
        mesh.add(box((-0.4, -0.3), (y - 2.6, y + 2.6), (h - 0.2, h + 1.9), bottom=True), blue, SIGN, tag=tag)
        for z, w in ((1.2, 1.5), (0.5, 2.0)):
            mesh.add(_plate(-0.42, y, h + z, w, 0.18), (0.75, 0.75, 0.75), SIGN, tag=tag)


def _shelter(mesh: Mesh, _: Furniture) -> None:
    tag = int(Tag.STATIC)
    for x in (-1.8, 1.8):
        for y in (-0.5, 0.5):
            mesh.add(prism((x, y), 0.05, (0, 2.4), 5), DARK, METAL, tag=tag)
    mesh.add(box((-2.0, 2.0), (-0.8, 0.8), (2.4, 2.5), bottom=True), (0.1, 0.1, 0.11), METAL, tag=tag)
    mesh.add(box((-1.5, 1.5), (-0.45, -0.1), (0.45, 0.5), bottom=True), (0.25, 0.15, 0.08), STONE, tag=tag)


def _cone(mesh: Mesh, _: Furniture) -> None:
    tag = int(Tag.STATIC)
    mesh.add(box((-0.19, 0.19), (-0.19, 0.19), (0, 0.04)), DARK, PLAIN, tag=tag)
    for z0, z1, r0, r1, colour in (
        (0.04, 0.3, 0.15, 0.11, (0.6, 0.12, 0.02)),
        (0.3, 0.45, 0.11, 0.08, (0.75, 0.75, 0.72)),
        (0.45, 0.7, 0.08, 0.03, (0.6, 0.12, 0.02)),
    ):
        mesh.add(prism((0, 0), (r0, r1), (z0, z1), 8), colour, PLAIN, tag=tag)


def traffic_light_mesh(light: TrafficLight) -> Mesh:
    """Build a signal about the foot of its mast; it faces drivers who come along +x; the arm points left."""
    mesh = Mesh()
    h, arm = light.height_m, light.arm_m
    pole, head = int(Tag.POLE), int(Tag.TRAFFIC_LIGHT)
    mesh.add(prism((0, 0), (0.1, 0.08), (0, h + 0.2), 6), STEEL, METAL, tag=pole)
    if arm > 0.1:
        mesh.add(bar(np.array([0, 0, h + 0.1]), np.array([0, arm, h + 0.1]), 0.06), STEEL, METAL, tag=pole)
    y = arm
    z0 = h - 0.95
    mesh.add(box((-0.32, -0.1), (y - 0.17, y + 0.17), (z0, z0 + 1.0), bottom=True), DARK, PLAIN, tag=head)
    mesh.add(
        np.array(
            [
                [-0.2, y + 0.26, z0 - 0.1],
                [-0.2, y - 0.26, z0 - 0.1],
                [-0.2, y - 0.26, z0 + 1.1],
                [-0.2, y + 0.26, z0 + 1.1],
            ]
        ),
        DARK,
        PLAIN,
        tag=head,
        two_sided=True,
    )
    for k, (lamp, colour) in enumerate(
        ((LAMP_GREEN, (0.02, 0.1, 0.06)), (LAMP_YELLOW, (0.14, 0.09, 0.01)), (LAMP_RED, (0.14, 0.015, 0.01)))
    ):
        centre = z0 + 0.18 + 0.32 * k
        quads = _polygon(-0.335, centre, 0.12, 10, 0.0)
        quads[..., 1] += y
        mesh.add(quads, colour, PLAIN, lamp=lamp, tag=head)
    return mesh
