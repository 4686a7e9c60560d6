"""Trees and bushes: columns for trunks, and clumps of leaves as pierced cards."""

import numpy as np

from worldgen.datatypes.tags import Tag
from worldgen.render.mesh import LEAVES, STONE, Mesh, prism
from worldgen.sources.proving_ground.scene import Plant


def plant_mesh(plant: Plant) -> Mesh:
    """Build one plant about its foot."""
    rng = np.random.default_rng([plant.seed, 11])
    mesh = Mesh()
    h, r = plant.height_m, plant.radius_m
    bark = tuple(np.array([0.09, 0.065, 0.045]) * rng.uniform(0.6, 1.5))
    if plant.kind == "bush":
        centres = _ball(rng, 9, (0, 0, h * 0.5), (r * 0.75, r * 0.75, h * 0.3))
        _cards(mesh, rng, centres, h * 0.42, plant, (0, 0, h * 0.4))
        return mesh
    if plant.kind in ("conifer", "poplar"):
        mesh.add(prism((0, 0), (0.04 * h * 0.5, 0.02), (0, h * 0.3), 5), bark, STONE, tag=int(Tag.VEGETATION))
        levels = np.linspace(0.16, 0.95, 11)
        wide = (
            (1.02 - levels)
            if plant.kind == "conifer"
            else np.sin(np.clip(levels, 0.05, 1) * np.pi) * 0.75 + 0.12
        )
        places: list[tuple[float, float, float]] = []
        sizes: list[float] = []
        for z, w in zip(levels, wide, strict=True):
            for _ in range(2 if w > 0.3 else 1):
                angle = rng.uniform(0, 6.28)
                away = r * w * 0.45
                places.append((np.cos(angle) * away, np.sin(angle) * away, z * h))
                sizes.append(max(r * w * 0.95, h * 0.06))
        _cards(mesh, rng, np.array(places), np.array(sizes), plant, (0, 0, h * 0.45))
        return mesh
    trunk = max(0.022 * h, 0.06) * float(rng.uniform(0.8, 1.3))
    fork = h * float(rng.uniform(0.3, 0.42))
    mesh.add(
        prism((0, 0), (trunk * 1.3, trunk * 0.8), (0, fork + r * 0.5), 6),
        bark,
        STONE,
        tag=int(Tag.VEGETATION),
    )
    middle = (h + fork) / 2
    tall = (h - fork) / 2
    centres = _ball(rng, 17, (0, 0, middle), (r * 0.68, r * 0.68, tall * 0.7))
    _cards(mesh, rng, centres, r * 0.58, plant, (0, 0, middle - tall * 0.2))
    return mesh


def _ball(
    rng: np.random.Generator, n: int, centre: tuple[float, float, float], size: tuple[float, float, float]
) -> np.ndarray:
    direction = rng.standard_normal((n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return np.asarray(direction * rng.uniform(0.45, 1.0, (n, 1)) * size + centre)


def _cards(
    mesh: Mesh,
    rng: np.random.Generator,
    centres: np.ndarray,
    half: float | np.ndarray,
    plant: Plant,
    heart: tuple[float, float, float],
) -> None:
    """Add pierced cards that roughly look back along the road; their shader knows the crown's heart."""
    sizes = np.broadcast_to(half, (len(centres),))
    for centre, size in zip(centres, sizes, strict=True):
        yaw = rng.uniform(-0.7, 0.7)
        across = np.array([np.sin(yaw), np.cos(yaw), 0.0]) * size
        up = np.array([rng.uniform(-0.25, 0.25), rng.uniform(-0.2, 0.2), 1.0]) * size
        quad = np.array(
            [centre + across - up, centre - across - up, centre - across + up, centre + across + up]
        )
        shade = np.array(plant.colour) * rng.uniform(0.8, 1.2)
        mesh.add(
            quad,
            shade,
            LEAVES,
            two_sided=True,
            param=(*heart, float(rng.integers(1 << 16))),
            tag=int(Tag.VEGETATION),
        )
