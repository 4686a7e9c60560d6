"""From a seed to a scene: draws a place, its road, its houses, its plants and its traffic."""

import numpy as np

from worldgen.sources.proving_ground.scene import (
    Actor,
    ActorKind,
    Arrow,
    Building,
    Colour,
    Crossing,
    Ego,
    Furniture,
    Lane,
    LightState,
    Marking,
    MarkingColour,
    Place,
    Plant,
    Road,
    Scene,
    Sky,
    TrafficLight,
)

Rng = np.random.Generator

PLACES: tuple[Place, ...] = ("city", "suburb", "rural", "highway", "industrial")
FIRST_ACTOR, FIRST_LIGHT, FIRST_SIGN = 1, 300, 400

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
CLOTHES: tuple[Colour, ...] = (
    (0.02, 0.02, 0.03), (0.3, 0.3, 0.32), (0.03, 0.06, 0.2), (0.35, 0.03, 0.03), (0.5, 0.48, 0.42), (0.02, 0.15, 0.1),
    (0.5, 0.35, 0.05), (0.15, 0.1, 0.07), (0.1, 0.2, 0.4), (0.35, 0.1, 0.25), (0.6, 0.6, 0.58),
)  # fmt: skip
WALLS: tuple[Colour, ...] = (
    (0.5, 0.46, 0.38), (0.38, 0.36, 0.33), (0.55, 0.52, 0.47), (0.3, 0.13, 0.08), (0.24, 0.11, 0.07), (0.45, 0.33, 0.2),
    (0.25, 0.25, 0.26), (0.6, 0.58, 0.55), (0.42, 0.25, 0.17), (0.3, 0.34, 0.36), (0.5, 0.4, 0.32), (0.2, 0.17, 0.15),
)  # fmt: skip
GREENS: tuple[Colour, ...] = (
    (0.055, 0.1, 0.02), (0.075, 0.12, 0.03), (0.04, 0.085, 0.025), (0.1, 0.13, 0.035), (0.06, 0.09, 0.035), (0.14, 0.11, 0.03),
    (0.17, 0.075, 0.02),
)  # fmt: skip
GREEN_SHARES = np.array([3, 3, 3, 2, 3, 0.7, 0.5])


def scene_of(seed: int) -> Scene:
    """Draw the scene of a seed; the same seed is the same scene, everywhere and always."""
    rng = np.random.default_rng([seed, 0x5CE7E])
    place = PLACES[int(rng.choice(5, p=[0.38, 0.2, 0.16, 0.16, 0.1]))]
    road, lanes = _road(rng, place)
    crossings = _crossings(rng, place)
    ego_lane = _ego_lane(rng, lanes)
    lights = _lights(rng, road, lanes, crossings)
    red = next((c for c in crossings if c.signalled), None)
    stops = red is not None and lights[0].state_at(0.0) == "red"
    ego = Ego(
        lane=ego_lane,
        speed_m_s=float(lanes[ego_lane].speed_m_s * rng.uniform(0.7, 1.05)),
        brakes_at=red.s_m - red.half_width_m - 8.0 if red is not None and stops else None,
        height_m=float(rng.uniform(1.25, 1.75)),
        pitch_rad=float(rng.uniform(-0.01, 0.06)),
        hfov_deg=float(rng.uniform(52, 88)),
        shake=float(rng.uniform(0.2, 1.4)),
        bonnet=bool(rng.random() < 0.2),
        colour=_paint(rng),
    )
    buildings = _buildings(rng, place, road, crossings)
    plants = _plants(rng, place, road, crossings, buildings)
    furniture = _furniture(rng, place, road, crossings)
    actors = _actors(rng, place, road, lanes, crossings, ego)
    far = float(rng.uniform(420, 650))
    tall = float(rng.uniform(8, 22) if place == "rural" else rng.uniform(5, 16))
    return Scene(
        seed=seed,
        place=place,
        road=road,
        lanes=lanes,
        markings=_markings(rng, place, road, lanes, crossings),
        crossings=crossings,
        arrows=_arrows(rng, lanes, crossings),
        buildings=buildings,
        plants=plants,
        furniture=furniture,
        traffic_lights=lights,
        actors=actors,
        ego=ego,
        sky=Sky(
            sun_elevation_deg=float(rng.uniform(18, 62)),
            sun_azimuth_deg=float(rng.uniform(-180, 180)),
            clouds_okta=int(rng.choice([0, 1, 2, 3, 4, 5])),
            haze_mor_m=float(rng.uniform(9000, 35000)),
            warmth=float(rng.normal(0, 0.35)),
            contrast=float(rng.uniform(0.92, 1.08)),
        ),
        backdrop=(far, tall, int(rng.integers(1 << 30))),
    )


def _paint(rng: Rng) -> Colour:
    base = np.array(PAINTS[int(rng.choice(len(PAINTS), p=PAINT_SHARES / PAINT_SHARES.sum()))])
    varied = np.clip(base * rng.uniform(0.8, 1.2) + rng.normal(0, 0.004, 3), 0.012, 0.85)
    return (float(varied[0]), float(varied[1]), float(varied[2]))


def _vary(rng: Rng, colour: Colour, amount: float = 0.12) -> Colour:
    varied = np.clip(
        np.array(colour) * rng.uniform(1 - amount, 1 + amount) * rng.normal(1, amount / 3, 3), 0.01, 0.9
    )
    return (float(varied[0]), float(varied[1]), float(varied[2]))


def _road(rng: Rng, place: Place) -> tuple[Road, tuple[Lane, ...]]:
    width = float({"highway": 3.6, "rural": 3.2}.get(place, 3.2) + rng.uniform(-0.2, 0.2))
    ahead = int(
        {"city": rng.integers(1, 4), "highway": rng.integers(2, 5), "industrial": rng.integers(1, 3)}.get(
            place, 1
        )
    )
    against = ahead if place != "highway" else 0
    if place == "city" and rng.random() < 0.25:
        against = 0
        ahead = max(ahead, 2)
    speed = {"city": 11.0, "suburb": 9.0, "rural": 19.0, "highway": 27.0, "industrial": 11.0}[place]
    middle = (ahead - against) * width / 2 if against == 0 else 0.0
    lanes = [
        Lane(
            centre_m=middle - width * (i + 0.5), width_m=width, direction=1, speed_m_s=speed * (1 - 0.07 * i)
        )
        for i in range(ahead)
    ]
    lanes += [
        Lane(centre_m=middle + width * (i + 0.5), width_m=width, direction=-1, speed_m_s=speed)
        for i in range(against)
    ]
    parking = 2.3 if place in ("city", "suburb") and rng.random() < 0.75 else 0.0
    margin = parking + {"city": 0.3, "suburb": 0.3, "rural": 0.5, "highway": 2.4, "industrial": 0.6}[place]
    bends = {"city": 0.3, "suburb": 0.6, "rural": 0.9, "highway": 0.7, "industrial": 0.4}[place]
    curvature = (0.0, 0.0, 300.0, 0.0)
    if rng.random() < bends:
        tight = {"city": 0.0025, "suburb": 0.005, "rural": 0.005, "highway": 0.0016, "industrial": 0.003}[
            place
        ]
        curvature = (
            float(rng.uniform(-tight, tight)),
            float(rng.uniform(0, tight)),
            float(rng.uniform(120, 350)),
            float(rng.uniform(0, 6.28)),
        )
    walk = {
        "city": rng.uniform(2.5, 5),
        "suburb": rng.uniform(1.5, 2.5),
        "industrial": rng.uniform(1.5, 2.5),
    }.get(place, 0.0)
    grass = [(0.07, 0.11, 0.03), (0.1, 0.12, 0.04), (0.13, 0.12, 0.05), (0.2, 0.16, 0.09)][
        int(rng.integers(4))
    ]
    paved = (0.3, 0.29, 0.27)
    ground = _vary(rng, paved if place == "city" else grass, 0.15)
    grey = rng.uniform(0.2, 0.42)
    road = Road(
        curvature=curvature,
        left_m=middle + (against * width if against else 0.0) + margin,
        right_m=middle - ahead * width - margin,
        kerbs=place not in ("rural", "highway"),
        pavement_m=(float(walk), float(walk)),
        tone=float(rng.uniform(0.055, 0.15)),
        patches=float(rng.uniform(0, 1)),
        ground=ground,
        pavement=_vary(rng, (grey, grey * 0.98, grey * 0.94), 0.05),
        seed=int(rng.integers(1 << 30)),
    )
    return road, tuple(lanes)


def _ego_lane(rng: Rng, lanes: tuple[Lane, ...]) -> int:
    own = [i for i, lane in enumerate(lanes) if lane.direction == 1]
    return int(rng.choice(own))


def _crossings(rng: Rng, place: Place) -> tuple[Crossing, ...]:
    if place == "highway":
        return ()
    chance = {"city": 0.85, "suburb": 0.6, "rural": 0.2, "industrial": 0.6}[place]
    found = []
    s = float(rng.uniform(22, 70))
    while s < 260:
        if rng.random() < chance:
            found.append(
                Crossing(
                    s_m=s,
                    half_width_m=float(rng.uniform(3.2, 7.5) if place == "city" else rng.uniform(3, 4)),
                    zebra=place == "city" or rng.random() < 0.3,
                    signalled=bool((place == "city" and rng.random() < 0.65) or rng.random() < 0.15),
                )
            )
        s += float(rng.uniform(75, 130))
    return tuple(found)


def _lights(
    rng: Rng, road: Road, lanes: tuple[Lane, ...], crossings: tuple[Crossing, ...]
) -> tuple[TrafficLight, ...]:
    found: list[TrafficLight] = []
    for crossing in (c for c in crossings if c.signalled):
        state: LightState = (
            ("red", "green", "green", "yellow")[int(rng.integers(4))] if not found else "green"
        )  # type: ignore[assignment]
        states: tuple[tuple[float, LightState], ...] = ((0.0, state),)
        if state == "yellow":
            states = ((0.0, "yellow"), (float(rng.uniform(0.6, 1.6)), "red"))
        elif state == "red" and rng.random() < 0.3:
            states = ((0.0, "red"), (float(rng.uniform(0.8, 2.5)), "green"))
        high = rng.random() < 0.6
        near = rng.random() < 0.4
        at = crossing.s_m + (-crossing.half_width_m - 4.5 if near else crossing.half_width_m + 1.5)
        arm = float(-road.right_m - 1.2) if high else 0.0
        found.append(
            TrafficLight(
                id=FIRST_LIGHT + len(found),
                s_m=at,
                d_m=road.right_m - 0.8,
                height_m=5.6 if high else 3.4,
                arm_m=arm,
                states=states,
            )
        )
        found.append(
            TrafficLight(
                id=FIRST_LIGHT + len(found), s_m=at, d_m=road.left_m + 0.8, height_m=3.4, states=states
            )
        )
    return tuple(found)


def _markings(
    rng: Rng, place: Place, road: Road, lanes: tuple[Lane, ...], crossings: tuple[Crossing, ...]
) -> tuple[Marking, ...]:
    american = rng.random() < 0.5
    dash, gap = (
        (3.0, 9.0) if american else (float(rng.choice([3.0, 4.0, 6.0])), float(rng.choice([6.0, 8.0, 9.0])))
    )
    width = float(rng.uniform(0.11, 0.18))
    middle_colour: MarkingColour = "yellow" if american else "white"
    blocks, start = [], -60.0
    for crossing in crossings:
        blocks.append((start, crossing.s_m - crossing.half_width_m - (6.5 if crossing.zebra else 2.5)))
        start = crossing.s_m + crossing.half_width_m + (6.5 if crossing.zebra else 2.5)
    blocks.append((start, 450.0))
    own = sorted((lane for lane in lanes if lane.direction == 1), key=lambda lane: -lane.centre_m)
    other = [lane for lane in lanes if lane.direction == -1]
    split = own[0].centre_m + own[0].width_m / 2
    found: list[Marking] = []
    middle = (
        ("double" if rng.random() < 0.6 else "dashed")
        if american
        else ("dashed" if rng.random() < 0.7 else "solid")
    )
    bare = place == "suburb" and rng.random() < 0.35
    for begin, end in blocks:
        if end - begin < 3:
            continue

        def line(
            kind: str, colour: MarkingColour, offset: float, begin: float = begin, end: float = end
        ) -> None:
            found.append(
                Marking(
                    kind=kind,
                    colour=colour,
                    offset_m=offset,
                    start_m=begin,
                    end_m=end,
                    width_m=width,
                    dash_m=dash,
                    gap_m=gap,
                )  # type: ignore[arg-type]
            )

        if other and not bare:
            line(middle, middle_colour, split)
        for group in (own, sorted(other, key=lambda lane: lane.centre_m)):
            for one, two in zip(group[:-1], group[1:], strict=True):
                line("dashed", "white", (one.centre_m + two.centre_m) / 2)
        if not bare:
            outer = own[-1].centre_m - own[-1].width_m / 2
            line("solid", "white", outer)
            top = max(lane.centre_m + lane.width_m / 2 for lane in lanes)
            line("solid", "yellow" if american and not other else "white", top)
    return tuple(found)


def _arrows(rng: Rng, lanes: tuple[Lane, ...], crossings: tuple[Crossing, ...]) -> tuple[Arrow, ...]:
    found = []
    for crossing in crossings:
        if not crossing.signalled or rng.random() < 0.3:
            continue
        own = [lane for lane in lanes if lane.direction == 1]
        for i, lane in enumerate(own):
            turn = (
                "left"
                if i == 0 and len(own) > 1
                else "right"
                if i == len(own) - 1 and len(own) > 2
                else "straight"
            )
            for back in (16.0, 34.0):
                found.append(
                    Arrow(
                        s_m=crossing.s_m - crossing.half_width_m - back,
                        d_m=lane.centre_m,
                        direction=1,
                        turn=turn,
                    )
                )  # type: ignore[arg-type]
    return tuple(found)


def _clear_of(crossings: tuple[Crossing, ...], s: float, half: float, room: float) -> bool:
    return all(abs(s - c.s_m) > c.half_width_m + half + room for c in crossings)


def _buildings(rng: Rng, place: Place, road: Road, crossings: tuple[Crossing, ...]) -> tuple[Building, ...]:
    if place in ("rural", "highway"):
        count, found = int(rng.integers(0, 5)), []
        for _ in range(count):
            side = int(rng.choice([-1, 1]))
            edge = road.left_m if side > 0 else -road.right_m
            found.append(
                _building(rng, "rural", float(rng.uniform(30, 260)), side, edge + float(rng.uniform(18, 60)))
            )
        return tuple(b for b in found if _clear_of(crossings, b.s_m, b.length_m / 2, 2))
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
            clear = _clear_of(
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
        style=style,  # type: ignore[arg-type]
        colour=_vary(rng, wall),
        trim=(trim, trim * 0.97, trim * 0.92),
        bay_m=float(rng.uniform(2.2, 4.2)),
        storey_m=float(rng.uniform(2.9, 3.7)),
        seed=int(rng.integers(1 << 16)),
    )


def _plants(
    rng: Rng, place: Place, road: Road, crossings: tuple[Crossing, ...], buildings: tuple[Building, ...]
) -> tuple[Plant, ...]:
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
        if free(s, d, radius * 0.6) and _clear_of(crossings, s, radius, 1.0):
            found.append(
                Plant(
                    kind=kind,
                    s_m=s,
                    d_m=d,
                    height_m=height,
                    radius_m=radius,
                    colour=_vary(rng, base, 0.25),
                    seed=int(rng.integers(1 << 30)),
                )
            )  # type: ignore[arg-type]

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


def _furniture(rng: Rng, place: Place, road: Road, crossings: tuple[Crossing, ...]) -> tuple[Furniture, ...]:
    found: list[Furniture] = []
    signs = 0
    for side in (-1, 1):
        edge = road.left_m if side > 0 else -road.right_m
        if (
            place != "rural"
            and (place != "highway" or rng.random() < 0.5)
            and (side < 0 or rng.random() < 0.6)
        ):
            height, step = float(rng.uniform(6, 10)), float(rng.uniform(24, 38))
            for s in np.arange(-15 + rng.uniform(0, 20), 260, step):
                if _clear_of(crossings, float(s), 0.3, 0.5):
                    found.append(
                        Furniture(
                            kind="street_light",
                            s_m=float(s),
                            d_m=side * (edge + 0.55),
                            height_m=height,
                            length_m=float(rng.uniform(1.5, 2.5)),
                            facing=1 if side < 0 else -1,
                        )
                    )
        if place in ("rural", "suburb") and side == 1 and rng.random() < 0.5:
            found.extend(
                Furniture(kind="pole", s_m=float(s), d_m=edge + 2.2 + road.pavement_m[0], height_m=8.0)
                for s in np.arange(-10, 260, 32)
            )
        if place == "highway" or (place == "rural" and rng.random() < 0.25):
            found.append(
                Furniture(
                    kind="guard_rail", s_m=-30.0, d_m=side * (edge + 0.6), length_m=280.0, height_m=0.75
                )
            )
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
        if place == "city":
            for _ in range(int(rng.integers(0, 5))):
                kind = str(rng.choice(["bin", "bollard", "bollard", "shelter"]))
                s = float(rng.uniform(6, 120))
                if _clear_of(crossings, s, 2.0, 1.0):
                    found.append(
                        Furniture(
                            kind=kind,
                            s_m=s,
                            d_m=side * (edge + (0.5 if kind != "shelter" else 1.8)),
                            height_m=0.9,
                            facing=1,
                        )
                    )  # type: ignore[arg-type]
        for _ in range(int(rng.integers(1, 4))):
            s = float(rng.uniform(12, 140))
            if _clear_of(crossings, s, 0.5, 1.0):
                found.append(
                    Furniture(
                        kind="sign",
                        id=FIRST_SIGN + signs,
                        s_m=s,
                        d_m=side * (edge + 0.7 + (1.5 if place == "highway" else 0)),
                        height_m=float(rng.uniform(2.2, 2.9)),
                        facing=1 if side < 0 else -1,
                        variant=int(
                            rng.choice([0, 3, 2] if place in ("highway", "rural") else [0, 1, 2, 3, 4, 5])
                        ),
                    )
                )
                signs += 1
    if place == "highway" and rng.random() < 0.4:
        found.append(
            Furniture(
                kind="gantry",
                id=FIRST_SIGN + signs,
                s_m=float(rng.uniform(50, 150)),
                d_m=0.0,
                height_m=6.2,
                variant=int(rng.integers(3)),
            )
        )
    return tuple(found)


def _actors(
    rng: Rng, place: Place, road: Road, lanes: tuple[Lane, ...], crossings: tuple[Crossing, ...], ego: Ego
) -> tuple[Actor, ...]:
    found: list[Actor] = []

    def number() -> int:
        return FIRST_ACTOR + len(found)

    kinds: list[ActorKind] = ["car", "car", "car", "suv", "suv", "van", "truck", "bus"]
    dense = float(rng.uniform(0.4, 1.6))
    for i, lane in enumerate(lanes):
        s = float(rng.uniform(9, 26)) if lane.direction == 1 else float(rng.uniform(5, 40))
        if i != ego.lane and rng.random() < 0.5:
            s = float(rng.uniform(-4, 14))
        while s < 190:
            kind = kinds[int(rng.choice(len(kinds), p=[0.2, 0.2, 0.15, 0.15, 0.12, 0.08, 0.07, 0.03]))]
            clear = _clear_of(crossings, s, 0.0, 7.0)
            if clear:
                found.append(
                    Actor(
                        id=number(),
                        kind=kind,
                        s_m=s,
                        d_m=lane.centre_m + float(rng.normal(0, 0.12)),
                        direction=lane.direction,
                        speed_m_s=float(lane.speed_m_s * rng.uniform(0.75, 1.1)),
                        lane=i,
                        colour=_paint(rng),
                        seed=int(rng.integers(1 << 30)),
                        indicator=str(rng.choice(["", "left", "right"], p=[0.86, 0.07, 0.07])),
                    )
                )  # type: ignore[arg-type]
            s += float(11 + rng.exponential(16.0 / dense) + lane.speed_m_s * rng.uniform(0.3, 1.2))
    for side in (-1, 1):
        edge = road.left_m if side > 0 else -road.right_m
        outer = max(
            (abs(lane.centre_m) + lane.width_m / 2 for lane in lanes if lane.centre_m * side > 0),
            default=edge,
        )
        if edge - outer > 2.0 and place != "highway":
            s = float(rng.uniform(2, 9))
            while s < 130:
                kind = kinds[int(rng.integers(0, 6))]
                if _clear_of(crossings, s, 3.0, 6.0) and rng.random() < 0.8:
                    found.append(
                        Actor(
                            id=number(),
                            kind=kind,
                            s_m=s,
                            d_m=side * (edge - 1.15 + float(rng.normal(0, 0.08))),
                            direction=1 if side < 0 else -1,
                            yaw_rad=float(rng.normal(0, 0.02)),
                            colour=_paint(rng),
                            seed=int(rng.integers(1 << 30)),
                        )
                    )
                s += float(rng.choice([5.6, 6.0, 6.6, 12.0, 20.0]))
        walk = road.pavement_m[0]
        busy = {
            "city": rng.integers(2, 10),
            "suburb": rng.integers(0, 4),
            "industrial": rng.integers(0, 3),
        }.get(place, 0)
        for _ in range(int(busy)):
            direction = int(rng.choice([-1, 1]))
            found.append(
                Actor(
                    id=number(),
                    kind="pedestrian",
                    s_m=float(rng.uniform(6, 80)),
                    d_m=side * (edge + 0.6 + float(rng.uniform(0.2, 0.9)) * max(walk - 0.9, 0.4)),
                    direction=direction,  # type: ignore[arg-type]
                    speed_m_s=float(rng.uniform(0.9, 1.7)),
                    colour=CLOTHES[int(rng.integers(len(CLOTHES)))],
                    trim=CLOTHES[int(rng.integers(len(CLOTHES)))],
                    seed=int(rng.integers(1 << 30)),
                )
            )
    if crossings and crossings[0].zebra and ego.brakes_at is not None:
        for _ in range(int(rng.integers(1, 4))):
            across = float(rng.choice([-1, 1]) * rng.uniform(0.9, 1.5))
            found.append(
                Actor(
                    id=number(),
                    kind="pedestrian",
                    s_m=crossings[0].s_m - crossings[0].half_width_m - 3.2 + float(rng.uniform(-1, 1)),
                    d_m=float(rng.uniform(road.right_m, road.left_m)),
                    speed_m_s=0.0,
                    across_m_s=across,
                    colour=CLOTHES[int(rng.integers(len(CLOTHES)))],
                    trim=CLOTHES[int(rng.integers(len(CLOTHES)))],
                    seed=int(rng.integers(1 << 30)),
                )
            )
    if place != "highway":
        for _ in range(int(rng.integers(0, 3))):
            found.append(
                Actor(
                    id=number(),
                    kind="cyclist",
                    s_m=float(rng.uniform(10, 60)),
                    d_m=min(lane.centre_m - lane.width_m / 2 for lane in lanes) + 0.45,
                    direction=1,
                    speed_m_s=float(rng.uniform(3.5, 6.5)),
                    colour=CLOTHES[int(rng.integers(len(CLOTHES)))],
                    trim=CLOTHES[int(rng.integers(len(CLOTHES)))],
                    seed=int(rng.integers(1 << 30)),
                )
            )
    return tuple(found)
