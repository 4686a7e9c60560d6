"""Lamps: which are lit in a frame, how bright their glass is, and what light they throw."""

import numpy as np
import numpy.typing as npt

from worldgen.sources.proving_ground.edits import Edit, LampChange, TrafficLightChange
from worldgen.sources.proving_ground.lamplight import Lights
from worldgen.sources.proving_ground.light import Weather
from worldgen.sources.proving_ground.scene import LAMPS, Scene
from worldgen.sources.proving_ground.stage import LAMP_SLOTS, Stage
from worldgen.sources.proving_ground.structures import LAMP_GREEN, LAMP_RED, LAMP_STREET, LAMP_YELLOW
from worldgen.sources.proving_ground.traffic import Track

F32 = npt.NDArray[np.floating]

HEAD, TAIL, BRAKE, BLINK = (1.0, 0.95, 0.85), (0.9, 0.03, 0.02), (1.0, 0.035, 0.025), (1.0, 0.4, 0.03)
MOST_LIGHTS = 14
SIGNALS = {
    "red": (LAMP_RED, (1.0, 0.06, 0.03)),
    "yellow": (LAMP_YELLOW, (1.0, 0.55, 0.04)),
    "green": (LAMP_GREEN, (0.08, 0.95, 0.5)),
}


def states(
    scene: Scene, tracks: dict[int, Track], weather: Weather, edits: tuple[Edit, ...], t: int, seconds: float
) -> dict[int, frozenset[str]]:
    """Return the lamps that are lit, by object id: of actors `LAMPS`, of traffic lights their state."""
    found: dict[int, frozenset[str]] = {}
    for actor in scene.actors:
        if actor.kind in ("pedestrian", "cyclist"):
            if actor.kind == "cyclist" and weather.headlights:
                found[actor.id] = frozenset({"tail"})
            continue
        lit: set[str] = set()
        driven = actor.lane is not None or actor.is_driven
        if weather.headlights and driven:
            lit |= {"head", "tail"}
        track = tracks.get(actor.id)
        if driven and track is not None and bool(track.braking[t]):
            lit.add("brake")
        if actor.indicator and (seconds * 1.5 + (actor.seed % 100) / 100.0) % 1.0 < 0.5:
            lit |= {"left", "right"} if actor.indicator == "both" else {actor.indicator}
        found[actor.id] = frozenset(lit)
    for light in scene.traffic_lights:
        found[light.id] = frozenset({light.state_at(seconds)})
    for edit in edits:
        if isinstance(edit, LampChange) and t >= edit.from_frame:
            before = found.get(edit.id, frozenset())
            found[edit.id] = before | {edit.lamp} if edit.state == "on" else before - {edit.lamp}
        elif isinstance(edit, TrafficLightChange) and t >= edit.from_frame:
            found[edit.id] = frozenset({edit.state})
    return found


def emission(stage: Stage, lit: dict[int, frozenset[str]], weather: Weather) -> F32:
    """Radiance of every lamp slot, [slots, 3]."""
    out = np.zeros((len(stage.things) * LAMP_SLOTS, 3), np.float32)
    dark = weather.night
    for number, thing in enumerate(stage.things):
        base = number * LAMP_SLOTS
        if thing.kind == "street_light" and weather.street_lights:
            out[base + LAMP_STREET] = np.array([1.0, 0.78, 0.5]) * 5.0
        on = lit.get(thing.id, frozenset()) if thing.id else frozenset()
        if thing.kind == "traffic_light":
            for state in on & SIGNALS.keys():
                slot, colour = SIGNALS[state]
                out[base + slot] = np.array(colour) * (1.7 - 0.5 * dark)
            continue
        for lamp in on:
            colour = {"head": HEAD, "tail": TAIL, "brake": BRAKE}.get(lamp, BLINK)
            level = {"head": 5.0 - 2.2 * dark, "tail": 0.45, "brake": 1.9}.get(lamp, 1.8)
            out[base + 1 + LAMPS.index(lamp)] += np.array(colour) * level
    return out


def lights(
    stage: Stage,
    lit: dict[int, frozenset[str]],
    weather: Weather,
    t: int,
    position: npt.NDArray[np.floating],
    rotation: npt.NDArray[np.floating],
) -> Lights:
    """Return the lamps whose light falls on their surroundings in frame `t`."""
    rows: list[tuple[np.ndarray, tuple[float, float, float] | np.ndarray, np.ndarray, bool]] = []
    if weather.night > 0.02:
        down = np.array([0.0, 0.0, -1.0])
        power = weather.night
        if weather.headlights:
            forward = rotation[:, 2] * [1, 1, 0]
            forward = forward / np.linalg.norm(forward)
            left = np.array([-forward[1], forward[0], 0.0])
            base = position * [1, 1, 0] + forward * 1.5
            for side in (0.65, -0.65):
                axis = forward
                rows.append(
                    (
                        base + left * side + [0, 0, 0.68],
                        np.array(HEAD) * 52 * power,
                        axis / np.linalg.norm(axis),
                        True,
                    )
                )
        for thing in stage.things:
            place = thing.poses[t][:3, 3]
            away = float(np.linalg.norm(place - position))
            ahead = float((place - position) @ rotation[:, 2])
            if away > 120 or ahead < -25 or not thing.visible[t]:
                continue
            turn = thing.poses[t][:3, :3]
            if thing.kind == "street_light" and weather.street_lights:
                height = thing.rig.size[2]
                lamp = place + turn @ np.array([0.0, min(thing.rig.size[1], 2.0), height])
                rows.append((lamp, np.array([1.0, 0.74, 0.46]) * 38.0 * power, down, False))
            on = lit.get(thing.id, frozenset()) if thing.id else frozenset()
            half = thing.rig.size[0] / 2
            if "head" in on:
                rows.append(
                    (
                        place + turn @ np.array([half, 0.0, 0.7]),
                        np.array(HEAD) * 45 * power,
                        turn @ np.array([1.0, 0, 0]),
                        True,
                    )
                )
            if ("tail" in on or "brake" in on) and ahead > 0:
                strength = 1.8 if "brake" in on else 0.45
                rows.append(
                    (
                        place + turn @ np.array([-half - 0.3, 0.0, 0.75]),
                        np.array(TAIL) * strength * power,
                        turn @ np.array([-1.0, 0, -0.1]),
                        False,
                    )
                )
    if not rows:
        empty = np.zeros((0, 3), np.float32)
        return Lights(empty, empty, empty, np.zeros(0, bool))
    # Lamps far off light little that is seen: the strongest by what they send towards the space ahead stay.
    middle = position + rotation[:, 2] * 12.0
    rows.sort(key=lambda row: -float(np.max(row[1])) / (float(np.sum((row[0] - middle) ** 2)) + 60.0))
    p, c, d, k = zip(*rows[:MOST_LIGHTS], strict=True)
    places, colours, axes = (np.array(v, np.float32) for v in (p, c, d))
    return Lights(places, colours, axes, np.array(k, bool))
