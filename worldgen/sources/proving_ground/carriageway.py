"""The road itself, drawn from a seed: lanes, crossings, markings, traffic lights."""

from itertools import pairwise

from worldgen.sources.proving_ground.draw import FIRST_LIGHT, Rng, vary
from worldgen.sources.proving_ground.scene import (
    Arrow,
    Crossing,
    Lane,
    LightState,
    Marking,
    MarkingColour,
    Place,
    Road,
    TrafficLight,
)


def draw_road(rng: Rng, place: Place) -> tuple[Road, tuple[Lane, ...]]:
    """Draw the carriageway and its lanes."""
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
    ground = vary(rng, paved if place == "city" else grass, 0.15)
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
        pavement=vary(rng, (grey, grey * 0.98, grey * 0.94), 0.05),
        seed=int(rng.integers(1 << 30)),
    )
    return road, tuple(lanes)


def draw_crossings(rng: Rng, place: Place) -> tuple[Crossing, ...]:
    """Draw the roads that cross."""
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


def draw_lights(rng: Rng, road: Road, crossings: tuple[Crossing, ...]) -> tuple[TrafficLight, ...]:
    """Draw the traffic lights of the crossings that have some."""
    found: list[TrafficLight] = []
    for crossing in (c for c in crossings if c.signalled):
        state: LightState = (
            ("red", "green", "green", "yellow")[int(rng.integers(4))] if not found else "green"
        )
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


def draw_markings(
    rng: Rng, place: Place, lanes: tuple[Lane, ...], crossings: tuple[Crossing, ...]
) -> tuple[Marking, ...]:
    """Draw the lines of every block between crossings."""
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
                )
            )

        if other and not bare:
            line(middle, middle_colour, split)
        for group in (own, sorted(other, key=lambda lane: lane.centre_m)):
            for one, two in pairwise(group):
                line("dashed", "white", (one.centre_m + two.centre_m) / 2)
        if not bare:
            outer = own[-1].centre_m - own[-1].width_m / 2
            line("solid", "white", outer)
            top = max(lane.centre_m + lane.width_m / 2 for lane in lanes)
            line("solid", "yellow" if american and not other else "white", top)
    return tuple(found)


def draw_arrows(rng: Rng, lanes: tuple[Lane, ...], crossings: tuple[Crossing, ...]) -> tuple[Arrow, ...]:
    """Draw the arrows before crossings with lights."""
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
            before = crossing.s_m - crossing.half_width_m
            found += [
                Arrow(s_m=before - back, d_m=lane.centre_m, direction=1, turn=turn) for back in (16.0, 34.0)
            ]
    return tuple(found)
