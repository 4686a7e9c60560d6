"""Who is on the road, drawn from a seed: traffic, the parked, people."""

from typing import Literal

from worldgen.sources.proving_ground.draw import FIRST_ACTOR, Rng, clear_of, draw_paint
from worldgen.sources.proving_ground.scene import Actor, ActorKind, Colour, Crossing, Ego, Lane, Place, Road

CLOTHES: tuple[Colour, ...] = (
    (0.02, 0.02, 0.03),
    (0.3, 0.3, 0.32),
    (0.03, 0.06, 0.2),
    (0.35, 0.03, 0.03),
    (0.5, 0.48, 0.42),
    (0.02, 0.15, 0.1),
    (0.5, 0.35, 0.05),
    (0.15, 0.1, 0.07),
    (0.1, 0.2, 0.4),
    (0.35, 0.1, 0.25),
    (0.6, 0.6, 0.58),
)


KINDS: tuple[ActorKind, ...] = ("car", "suv", "van", "truck", "bus")
IN_LANES = (0.55, 0.27, 0.08, 0.07, 0.03)
PARKED = (0.5, 0.33, 0.17, 0.0, 0.0)


def draw_actors(
    rng: Rng, place: Place, road: Road, lanes: tuple[Lane, ...], crossings: tuple[Crossing, ...], ego: Ego
) -> tuple[Actor, ...]:
    """Draw traffic in the lanes, the parked, people on pavements and crossings, cyclists."""
    found = _traffic(rng, lanes, crossings, ego)
    for side in (-1, 1):
        if place != "highway":
            found += _parked(rng, road, lanes, crossings, side)
        found += _walkers(rng, place, road, side)
    if crossings and crossings[0].zebra and ego.brakes_at is not None:
        found += _crossers(rng, road, crossings[0])
    for crossing in crossings[:2]:
        found += _cross_traffic(rng, road, crossing, moves=ego.brakes_at is not None)
    if place != "highway":
        found += _cyclists(rng, lanes)
    return tuple(actor.model_copy(update={"id": FIRST_ACTOR + i}) for i, actor in enumerate(found))


def _kind(rng: Rng, shares: tuple[float, ...]) -> ActorKind:
    return KINDS[int(rng.choice(len(KINDS), p=shares))]


def _seed(rng: Rng) -> int:
    return int(rng.integers(1 << 30))


def _clothes(rng: Rng) -> Colour:
    return CLOTHES[int(rng.integers(len(CLOTHES)))]


def _traffic(rng: Rng, lanes: tuple[Lane, ...], crossings: tuple[Crossing, ...], ego: Ego) -> list[Actor]:
    found: list[Actor] = []
    dense = float(rng.uniform(0.4, 1.6))
    for i, lane in enumerate(lanes):
        s = float(rng.uniform(9, 26)) if lane.direction == 1 else float(rng.uniform(5, 40))
        if i != ego.lane and rng.random() < 0.5:
            s = float(rng.uniform(-4, 14))
        while s < 190:
            kind = _kind(rng, IN_LANES)
            if clear_of(crossings, s, 0.0, 7.0):
                found.append(
                    Actor(
                        id=0,
                        kind=kind,
                        s_m=s,
                        d_m=lane.centre_m + float(rng.normal(0, 0.12)),
                        direction=lane.direction,
                        speed_m_s=float(lane.speed_m_s * rng.uniform(0.75, 1.1)),
                        lane=i,
                        colour=draw_paint(rng),
                        seed=_seed(rng),
                        indicator=str(rng.choice(["", "left", "right"], p=[0.86, 0.07, 0.07])),
                    )
                )
            long = 5.0 if kind in ("truck", "bus") else 0.0
            s += float(11 + long + rng.exponential(16.0 / dense) + lane.speed_m_s * rng.uniform(0.3, 1.2))
    return found


def _parked(
    rng: Rng, road: Road, lanes: tuple[Lane, ...], crossings: tuple[Crossing, ...], side: int
) -> list[Actor]:
    edge = road.left_m if side > 0 else -road.right_m
    outer = [abs(lane.centre_m) + lane.width_m / 2 for lane in lanes if lane.centre_m * side > 0]
    found: list[Actor] = []
    if edge - max(outer, default=edge) <= 2.0:
        return found
    s = float(rng.uniform(2, 9))
    while s < 130:
        if clear_of(crossings, s, 3.0, 6.0) and rng.random() < 0.8:
            found.append(
                Actor(
                    id=0,
                    kind=_kind(rng, PARKED),
                    s_m=s,
                    d_m=side * (edge - 1.15 + float(rng.normal(0, 0.08))),
                    direction=1 if side < 0 else -1,
                    yaw_rad=float(rng.normal(0, 0.02)),
                    colour=draw_paint(rng),
                    seed=_seed(rng),
                )
            )
        s += float(rng.choice([5.6, 6.0, 6.6, 12.0, 20.0]))
    return found


def _walkers(rng: Rng, place: Place, road: Road, side: int) -> list[Actor]:
    """Draw people on a pavement; those who meet keep to its different halves."""
    edge = road.left_m if side > 0 else -road.right_m
    most = {"city": 10, "suburb": 4, "industrial": 3}.get(place, 0)
    count = int(rng.integers(0, most)) if most else 0
    found: list[Actor] = []
    for k in range(count):
        direction: Literal[1, -1] = 1 if rng.random() < 0.5 else -1
        half = 0.22 if direction > 0 else 0.78
        room = max(road.pavement_m[0] - 0.9, 0.4)
        found.append(
            Actor(
                id=0,
                kind="pedestrian",
                s_m=6.0 + 74.0 * (k + float(rng.uniform(0.15, 0.85))) / count,
                d_m=side * (edge + 0.6 + (half + float(rng.uniform(-0.12, 0.12))) * room),
                direction=direction,
                speed_m_s=float(rng.uniform(0.9, 1.7)),
                colour=_clothes(rng),
                trim=_clothes(rng),
                seed=_seed(rng),
            )
        )
    return found


def _crossers(rng: Rng, road: Road, crossing: Crossing) -> list[Actor]:
    middle = crossing.s_m - crossing.half_width_m - 2.7
    return [
        Actor(
            id=0,
            kind="pedestrian",
            s_m=middle - 1.1 + 1.1 * k + float(rng.uniform(-0.2, 0.2)),
            d_m=float(rng.uniform(road.right_m, road.left_m)),
            across_m_s=float(rng.choice([-1, 1]) * rng.uniform(0.9, 1.5)),
            colour=_clothes(rng),
            trim=_clothes(rng),
            seed=_seed(rng),
        )
        for k in range(int(rng.integers(1, 4)))
    ]


def _cross_traffic(rng: Rng, road: Road, crossing: Crossing, *, moves: bool) -> list[Actor]:
    """Draw cars on the crossing road: they drive while the ego has red, else they wait."""
    found: list[Actor] = []
    for side in (-1, 1):
        if rng.random() < 0.45:
            continue
        edge = road.left_m if side > 0 else -road.right_m
        away = edge + float(rng.uniform(12, 30) if moves else rng.uniform(7.5, 9.0))
        # Who comes from the left drives on the near half of the crossing road, the other beyond.
        s = crossing.s_m - side * crossing.half_width_m * 0.5
        speed = float(rng.uniform(5, 9)) if moves else 0.0
        found.append(
            Actor(
                id=0,
                kind=_kind(rng, PARKED),
                s_m=s,
                d_m=side * away,
                yaw_rad=0.0 if moves else -side * 1.5708,
                across_m_s=-side * speed,
                colour=draw_paint(rng),
                seed=_seed(rng),
                is_driven=True,
            )
        )
    return found


def _cyclists(rng: Rng, lanes: tuple[Lane, ...]) -> list[Actor]:
    outer = min(lane.centre_m - lane.width_m / 2 for lane in lanes)
    return [
        Actor(
            id=0,
            kind="cyclist",
            s_m=10.0 + 20.0 * k + float(rng.uniform(0, 14)),
            d_m=outer + 0.25,
            speed_m_s=float(rng.uniform(3.5, 6.5)),
            colour=_clothes(rng),
            trim=_clothes(rng),
            seed=_seed(rng),
        )
        for k in range(int(rng.integers(0, 3)))
    ]
