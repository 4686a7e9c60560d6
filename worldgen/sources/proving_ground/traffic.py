"""Traffic: who is where at which time. Cars follow each other and stop at red lights; people walk.

Car following is the intelligent driver model (Treiber, Hennecke and Helbing, Physical Review E 62,
2000), stepped at a fixed rate, so that a scene is the same drive at every frame rate.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgen.sources.proving_ground.scene import Actor, Scene

Floats = npt.NDArray[np.floating]

STEP_S = 0.05
LENGTHS_M = {"car": 4.5, "suv": 4.7, "van": 5.2, "truck": 8.2, "bus": 11.5, "cyclist": 1.8, "pedestrian": 0.5}
EGO = -1
"""The ego's key among the tracks."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One mover over the frames."""

    s: Floats
    d: Floats
    yaw: Floats
    """Added to the road's heading, radians, t."""
    speed: Floats
    """Along its own heading, m/s."""
    way: Floats
    """Distance travelled since time zero: what wheels and legs turn by."""
    braking: npt.NDArray[np.bool_]


def simulate(scene: Scene, times: Floats) -> dict[int, Track]:
    """Return the tracks of the ego (key `EGO`) and of every actor at the given times (seconds)."""
    drivers, others = _split(scene)
    steps = int(np.ceil(float(times[-1]) / STEP_S)) + 2 if len(times) else 2
    history = _drive(scene, drivers, steps)
    clock = np.arange(steps) * STEP_S
    tracks: dict[int, Track] = {}
    for key, (position, speed, lateral, direction, braking) in history.items():
        yaw = 0.0 if direction == 1 else np.pi
        s = np.interp(times, clock, position)
        tracks[key] = Track(
            s=s,
            d=np.full(len(times), lateral),
            yaw=np.full(len(times), yaw),
            speed=np.interp(times, clock, speed),
            way=np.abs(s - position[0]),
            braking=np.interp(times, clock, braking) > 0.5,
        )
    for actor in others:
        tracks[actor.id] = walk(actor, times)
    return tracks


def walk(actor: Actor, times: Floats) -> Track:
    """Return the track of somebody whom no traffic slows down: parked, on foot, on a bicycle, or added."""
    along = actor.speed_m_s * actor.direction
    heading = (
        np.arctan2(actor.across_m_s, along) if actor.across_m_s else (0.0 if actor.direction == 1 else np.pi)
    )
    speed = float(np.hypot(along, actor.across_m_s))
    return Track(
        s=actor.s_m + along * times,
        d=actor.d_m + actor.across_m_s * times,
        yaw=np.full(len(times), heading + actor.yaw_rad),
        speed=np.full(len(times), speed),
        way=speed * times,
        braking=np.zeros(len(times), bool),
    )


def _split(scene: Scene) -> tuple[list[Actor], list[Actor]]:
    drivers = [a for a in scene.actors if a.lane is not None]
    return drivers, [a for a in scene.actors if a.lane is None]


def _stops(scene: Scene, second: float) -> list[float]:
    """Places where a red light stops those who drive with the ego."""
    red = [
        light.s_m
        for light in scene.traffic_lights
        if light.facing == 1 and light.state_at(second) in ("red", "yellow")
    ]
    return [c.s_m - c.half_width_m - 6.0 for c in scene.crossings if any(abs(c.s_m - s) < 14 for s in red)]


def _drive(
    scene: Scene, drivers: list[Actor], steps: int
) -> dict[int, tuple[Floats, Floats, float, int, Floats]]:
    lane_of = np.array([a.lane for a in drivers] + [scene.ego.lane])
    sign = np.array([float(scene.lanes[i].direction) for i in lane_of])
    wish = np.array([a.speed_m_s for a in drivers] + [scene.ego.speed_m_s])
    length = np.array([LENGTHS_M[a.kind] for a in drivers] + [4.6])
    position = np.array([a.s_m for a in drivers] + [0.0]) * sign
    speed = _cruise(scene, wish, position, sign, lane_of, length)
    n = len(wish)
    past, speeds, brakes = np.empty((steps, n)), np.empty((steps, n)), np.empty((steps, n))
    for k in range(steps):
        past[k], speeds[k] = position * sign, speed
        gap, closing = _leaders(position, speed, lane_of, length)
        for stop in _stops(scene, k * STEP_S):
            ahead = stop - position - length / 2
            first = (sign > 0) & (ahead > -1.0) & (ahead < gap)
            gap, closing = np.where(first, ahead, gap), np.where(first, speed, closing)
        desired = 2.0 + speed * 1.2 + speed * closing / (2 * np.sqrt(1.5 * 2.5))
        push = 1.5 * (
            1 - (speed / np.maximum(wish, 0.1)) ** 4 - (np.maximum(desired, 2.0) / np.maximum(gap, 0.3)) ** 2
        )
        push = np.where(wish > 0.05, np.clip(push, -7.0, 1.5), -7.0)
        brakes[k] = (push < -0.7) | (speed < 0.1)
        speed = np.maximum(speed + push * STEP_S, 0.0)
        position = position + speed * STEP_S
    keys = [a.id for a in drivers] + [EGO]
    lateral = [a.d_m for a in drivers] + [scene.lanes[scene.ego.lane].centre_m]
    return {
        key: (past[:, i], speeds[:, i], lateral[i], int(sign[i]), brakes[:, i]) for i, key in enumerate(keys)
    }


def _leaders(position: Floats, speed: Floats, lane: Floats, length: Floats) -> tuple[Floats, Floats]:
    """Gap to the one ahead in the same lane (metres) and how fast it closes (m/s)."""
    ahead = position[None] - position[:, None]
    ahead = np.where((lane[None] == lane[:, None]) & (ahead > 1e-6), ahead, np.inf)
    leader = ahead.argmin(1)
    nearest = ahead[np.arange(len(position)), leader]
    gap = nearest - (length + length[leader]) / 2
    closing = np.where(np.isfinite(nearest), speed - speed[leader], 0.0)
    return gap, closing


def _cruise(
    scene: Scene, wish: Floats, position: Floats, sign: Floats, lane: Floats, length: Floats
) -> Floats:
    """Speeds at time zero: as wished, within what gaps and red lights allow."""
    gap, _ = _leaders(position, wish, lane, length)
    speed = np.minimum(wish, np.maximum((gap - 2.5) / 1.3, 0.0))
    for stop in _stops(scene, 0.0):
        ahead = np.where(sign > 0, stop - position - length / 2, np.inf)
        ahead = np.where(ahead < -1.0, np.inf, ahead)
        speed = np.minimum(speed, np.sqrt(np.maximum(2 * 2.0 * np.maximum(ahead - 2.0, 0.0), 0.0)))
    return np.asarray(speed)
