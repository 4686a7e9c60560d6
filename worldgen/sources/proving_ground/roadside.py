"""What stands beside a road, drawn from a seed: houses, plants, furniture."""

import numpy as np

from worldgen.sources.proving_ground.draw import FIRST_SIGN, Rng, clear_of, vary
from worldgen.sources.proving_ground.scene import Building, Colour, Crossing, Furniture, Place, Plant, Road

WALLS: tuple[Colour, ...] = (
    (0.5, 0.46, 0.38),
    (0.38, 0.36, 0.33),
    (0.55, 0.52, 0.47),
    (0.3, 0.13, 0.08),
    (0.24, 0.11, 0.07),
    (0.45, 0.33, 0.2),
    (0.25, 0.25, 0.26),
    (0.6, 0.58, 0.55),
    (0.42, 0.25, 0.17),
    (0.3, 0.34, 0.36),
    (0.5, 0.4, 0.32),
    (0.2, 0.17, 0.15),
)


GREENS: tuple[Colour, ...] = (
    (0.055, 0.1, 0.02),
    (0.075, 0.12, 0.03),
    (0.04, 0.085, 0.025),
    (0.1, 0.13, 0.035),
    (0.06, 0.09, 0.035),
    (0.14, 0.11, 0.03),
    (0.17, 0.075, 0.02),
)


GREEN_SHARES = np.array([3, 3, 3, 2, 3, 0.7, 0.5])


def draw_buildings(
    rng: Rng, place: Place, road: Road, crossings: tuple[Crossing, ...]
) -> tuple[Building, ...]:
    """Draw the houses of both sides, kept clear of crossings."""
    if place in ("rural", "highway"):
        count, found = int(rng.integers(0, 5)), []
        for _ in range(count):
            side = int(rng.choice([-1, 1]))
            edge = road.left_m if side > 0 else -road.right_m
            found.append(
                _building(rng, "rural", float(rng.uniform(30, 260)), side, edge + float(rng.uniform(18, 60)))
            )
        return tuple(b for b in found if clear_of(crossings, b.s_m, b.length_m / 2, 2))
    result: list[Building] = []
    for side in (-1, 1):
        edge = (road.left_m + road.pavement_m[0]) if side > 0 else (-road.right_m + road.pavement_m[1])
        setback = float(
            {"city": rng.uniform(0.3, 7), "suburb": rng.uniform(5, 12), "industrial": rng.uniform(6, 18)}[
                place
            ]
        )
        s = -35.0 + float(rng.uniform(0, 10))
        while s < 300:
            building = _building(rng, place, s, side, edge + setback * float(rng.uniform(0.7, 1.3)))
            s_mid = s + building.length_m / 2
            placed = building.model_copy(update={"s_m": s_mid})
            clear = clear_of(
                crossings,
                s_mid,
                building.length_m / 2,
                edge + 1.0 - (-road.right_m if side < 0 else road.left_m),
            )
            if clear and rng.random() < {"city": 0.93, "suburb": 0.85, "industrial": 0.7}[place]:
                result.append(placed)
                s += building.length_m
            else:
                s += 6.0
            s += float(
                {
                    "city": rng.choice([0.0, 0.0, 0.0, 3.0, 9.0]),
                    "suburb": rng.uniform(4, 12),
                    "industrial": rng.uniform(5, 30),
                }[place]
            )
    return tuple(result)


def _building(rng: Rng, place: str, s: float, side: int, edge: float) -> Building:
    style = {
        "city": ["flats", "glass", "brick", "shop", "flats", "brick"],
        "suburb": ["house", "house", "house", "brick"],
        "industrial": ["hall", "hall", "brick", "shop"],
        "rural": ["house", "house", "hall"],
    }[place][int(rng.integers({"city": 6, "suburb": 4, "industrial": 4, "rural": 3}[place]))]
    length, depth, height = {
        "flats": (rng.uniform(14, 34), rng.uniform(12, 20), rng.uniform(12, 34)),
        "glass": (rng.uniform(18, 36), rng.uniform(16, 26), rng.uniform(18, 70)),
        "brick": (rng.uniform(10, 26), rng.uniform(10, 16), rng.uniform(9, 22)),
        "house": (rng.uniform(9, 15), rng.uniform(8, 11), rng.uniform(4.5, 7.5)),
        "hall": (rng.uniform(25, 55), rng.uniform(18, 30), rng.uniform(6, 11)),
        "shop": (rng.uniform(10, 24), rng.uniform(10, 16), rng.uniform(4.5, 12)),
    }[style]
    wall = WALLS[int(rng.integers(len(WALLS)))]
    if style == "glass":
        wall = (0.12, 0.17, 0.2) if rng.random() < 0.5 else (0.2, 0.24, 0.25)
    if style == "brick":
        wall = WALLS[int(rng.choice([3, 4, 8, 5]))]
    if style == "hall":
        wall = [(0.45, 0.47, 0.48), (0.25, 0.3, 0.36), (0.5, 0.47, 0.4), (0.3, 0.1, 0.08)][
            int(rng.integers(4))
        ]
    trim = float(rng.uniform(0.3, 0.7)) if rng.random() < 0.6 else float(rng.uniform(0.05, 0.2))
    return Building(
        s_m=s,
        d_m=side * (edge + float(depth) / 2),
        length_m=float(length),
        depth_m=float(depth),
        height_m=float(height),
        style=style,
        colour=vary(rng, wall),
        trim=(trim, trim * 0.97, trim * 0.92),
        bay_m=float(rng.uniform(2.2, 4.2)),
        storey_m=float(rng.uniform(2.9, 3.7)),
        seed=int(rng.integers(1 << 16)),
    )


def draw_plants(
    rng: Rng, place: Place, road: Road, crossings: tuple[Crossing, ...], buildings: tuple[Building, ...]
) -> tuple[Plant, ...]:
    """Draw trees and bushes, not inside houses."""
    found: list[Plant] = []
    base = GREENS[int(rng.choice(len(GREENS), p=GREEN_SHARES / GREEN_SHARES.sum()))]

    def free(s: float, d: float, r: float) -> bool:
        return all(
            abs(s - b.s_m) > b.length_m / 2 + r or abs(d - b.d_m) > b.depth_m / 2 + r for b in buildings
        )

    def plant(kind: str, s: float, d: float) -> None:
        height = float(
            {
                "tree": rng.uniform(5, 11),
                "conifer": rng.uniform(6, 15),
                "bush": rng.uniform(0.9, 2),
                "poplar": rng.uniform(9, 16),
            }[kind]
        )
        radius = height * float(
            {
                "tree": rng.uniform(0.27, 0.4),
                "conifer": rng.uniform(0.16, 0.25),
                "bush": rng.uniform(0.5, 0.8),
                "poplar": rng.uniform(0.1, 0.14),
            }[kind]
        )
        if free(s, d, radius * 0.6) and clear_of(crossings, s, radius, 1.0):
            found.append(
                Plant(
                    kind=kind,
                    s_m=s,
                    d_m=d,
                    height_m=height,
                    radius_m=radius,
                    colour=vary(rng, base, 0.25),
                    seed=int(rng.integers(1 << 30)),
                )
            )

    for side in (-1, 1):
        edge = road.left_m if side > 0 else -road.right_m
        walk = road.pavement_m[0]
        if place in ("city", "suburb", "industrial"):
            if rng.random() < {"city": 0.6, "suburb": 0.8, "industrial": 0.4}[place]:
                kind = str(rng.choice(["tree", "tree", "poplar"]))
                step = float(rng.uniform(8, 20))
                for s in np.arange(-20 + rng.uniform(0, 8), 220, step):
                    if rng.random() < 0.85:
                        plant(kind, float(s), side * (edge + (0.8 if walk > 2.2 else walk + 1.2)))
            for _ in range(int(rng.integers(4, 22)) if place != "city" else int(rng.integers(0, 6))):
                kind = str(rng.choice(["tree", "bush", "bush", "conifer"]))
                plant(kind, float(rng.uniform(-10, 220)), side * (edge + walk + float(rng.uniform(1.5, 14))))
        else:
            wood = rng.random() < (0.7 if place == "rural" else 0.5)
            near = float(rng.uniform(4, 14)) + (6 if place == "highway" else 0)
            mix = (
                ["tree", "tree", "bush", "conifer"]
                if rng.random() < 0.5
                else ["conifer", "conifer", "bush", "tree"]
            )
            for _ in range(int(rng.integers(45, 85)) if wood else int(rng.integers(6, 24))):
                away = near + float(rng.exponential(9 if wood else 25))
                plant(str(rng.choice(mix)), float(rng.uniform(-10, 300)), side * (edge + away))
    return tuple(found)


def draw_furniture(
    rng: Rng, place: Place, road: Road, crossings: tuple[Crossing, ...]
) -> tuple[Furniture, ...]:
    """Draw lights, poles, rails, fences and signs."""
    found: list[Furniture] = []
    signs: list[Furniture] = []
    for side in (-1, 1):
        found += _lamp_posts(rng, place, road, crossings, side)
        found += _barriers(rng, place, road, side)
        if place == "city":
            found += _small_things(rng, road, crossings, side)
        signs += _signs(rng, place, road, crossings, side)
    if place == "highway" and rng.random() < 0.4:
        at = float(rng.uniform(50, 150))
        signs.append(Furniture(kind="gantry", s_m=at, d_m=0.0, height_m=6.2, variant=int(rng.integers(3))))
    named = [sign.model_copy(update={"id": FIRST_SIGN + i}) for i, sign in enumerate(signs)]
    return tuple(found + named)


def _edge(road: Road, side: int) -> float:
    return road.left_m if side > 0 else -road.right_m


def _lamp_posts(
    rng: Rng, place: Place, road: Road, crossings: tuple[Crossing, ...], side: int
) -> list[Furniture]:
    share = {"rural": 0.0, "highway": 0.5}.get(place, 1.0) * (1.0 if side < 0 else 0.6)
    found: list[Furniture] = []
    if rng.random() < share:
        height, step = float(rng.uniform(6, 10)), float(rng.uniform(24, 38))
        arm = float(rng.uniform(1.5, 2.5))
        found += [
            Furniture(
                kind="street_light",
                s_m=float(s),
                d_m=side * (_edge(road, side) + 0.55),
                height_m=height,
                length_m=arm,
                facing=1 if side < 0 else -1,
            )
            for s in np.arange(-15 + rng.uniform(0, 20), 260, step)
            if clear_of(crossings, float(s), 0.3, 0.5)
        ]
    if place in ("rural", "suburb") and side == 1 and rng.random() < 0.5:
        away = _edge(road, side) + 2.2 + road.pavement_m[0]
        found += [
            Furniture(kind="pole", s_m=float(s), d_m=away, height_m=8.0) for s in np.arange(-10, 260, 32)
        ]
    return found


def _barriers(rng: Rng, place: Place, road: Road, side: int) -> list[Furniture]:
    found: list[Furniture] = []
    edge = _edge(road, side)
    if place == "highway" or (place == "rural" and rng.random() < 0.25):
        rail = Furniture(kind="guard_rail", s_m=-30.0, d_m=side * (edge + 0.6), length_m=280.0, height_m=0.75)
        found.append(rail)
    if place in ("industrial", "suburb") and rng.random() < 0.5:
        found.append(
            Furniture(
                kind="fence",
                s_m=-20.0,
                d_m=side * (edge + road.pavement_m[0] + 2.0),
                length_m=float(rng.uniform(40, 160)),
                height_m=float(rng.uniform(0.9, 2.0)),
                variant=int(rng.integers(3)),
            )
        )
    return found


def _small_things(rng: Rng, road: Road, crossings: tuple[Crossing, ...], side: int) -> list[Furniture]:
    found: list[Furniture] = []
    for _ in range(int(rng.integers(0, 5))):
        kind = str(rng.choice(["bin", "bollard", "bollard", "shelter"]))
        s = float(rng.uniform(6, 120))
        if clear_of(crossings, s, 2.0, 1.0):
            away = 1.8 if kind == "shelter" else 0.5
            found.append(Furniture(kind=kind, s_m=s, d_m=side * (_edge(road, side) + away), height_m=0.9))
    return found


def _signs(rng: Rng, place: Place, road: Road, crossings: tuple[Crossing, ...], side: int) -> list[Furniture]:
    fast = place in ("highway", "rural")
    away = 2.2 if place == "highway" else 0.7
    found: list[Furniture] = []
    for _ in range(int(rng.integers(1, 4))):
        s = float(rng.uniform(12, 140))
        if clear_of(crossings, s, 0.5, 1.0):
            found.append(
                Furniture(
                    kind="sign",
                    s_m=s,
                    d_m=side * (_edge(road, side) + away),
                    height_m=float(rng.uniform(2.2, 2.9)),
                    facing=1 if side < 0 else -1,
                    variant=int(rng.choice([0, 3, 2] if fast else [0, 1, 2, 3, 4, 5])),
                )
            )
    return found
