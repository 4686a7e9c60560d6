"""Staged defects: the scene itself is another, while source and labels stay: hallucinations."""

from typing import Final

import numpy as np

from worldgen.bench.critic.scene import FRAMES, Frames, Maker, TestScene
from worldgen.sources.proving_ground import (
    AddActor,
    Edit,
    FreezeActor,
    LampChange,
    LosePart,
    MarkingChange,
    RecolourActor,
    RemoveActor,
    RemoveObject,
    ResizeActor,
    SwapActor,
    TeleportActor,
    TrafficLightChange,
)


def _actor(scene: TestScene, strength: int, kinds: tuple[str, ...] = ()) -> int | None:
    known = {a.id: a.kind for a in scene.drive.scene.actors}
    ids = [i for i in scene.actor_ids(50) if i in known and (not kinds or known[i] in kinds)]
    if not ids:
        return None
    return ids[{3: 0, 2: len(ids) // 2, 1: len(ids) - 1}[strength]]


def _paint(scene: TestScene, *edits: Edit) -> Frames:
    """Paint the condition on the edited scene, with the edited scene's geometry: honest, of a lie."""
    return scene.paint(scene.edited(edits), scene.spec)


VEHICLES = ("car", "suv", "van", "truck", "bus")


def removed(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor of the labels is not there."""
    del rng
    actor = _actor(scene, strength)
    return None if actor is None else _paint(scene, RemoveActor(id=actor))


def vanished(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor vanishes in the middle of the clip."""
    del rng
    actor = _actor(scene, strength)
    return None if actor is None else _paint(scene, RemoveActor(id=actor, from_frame=FRAMES // 2))


def added(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Somebody is there whom no label knows."""
    distance = (34.0, 22.0, 13.0)[strength - 1]
    lane = int(rng.integers(0, max(1, len(scene.drive.scene.lanes))))
    return _paint(scene, AddActor(kind="car", lane=lane, distance_m=distance, colour=(0.5, 0.05, 0.05)))


def added_pedestrian(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A pedestrian stands on the road whom no label knows."""
    distance = (24.0, 15.0, 9.0)[strength - 1]
    lane = int(rng.integers(0, max(1, len(scene.drive.scene.lanes))))
    return _paint(scene, AddActor(kind="pedestrian", lane=lane, distance_m=distance, offset_m=0.8))


def recoloured(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A vehicle's colour drifts along its track."""
    actor = _actor(scene, 3, VEHICLES)
    if actor is None:
        return None
    colours = ((0.9, 0.05, 0.05), (0.05, 0.2, 0.9), (0.05, 0.7, 0.1))
    pick = colours[int(rng.integers(3))]
    first = (FRAMES * 2 // 3, FRAMES // 2, FRAMES // 4)[strength - 1]
    return _paint(scene, RecolourActor(id=actor, colour=pick, from_frame=first, drifts=True))


def teleported(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor jumps ahead or aside."""
    actor = _actor(scene, 3)
    if actor is None:
        return None
    reach = (1.0, 2.0, 4.0)[strength - 1] * float(rng.choice([-1, 1]))
    return _paint(scene, TeleportActor(id=actor, frame=FRAMES // 2, delta_m=(reach, reach / 2, 0.0)))


def halted(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor that moves stands still from a frame on."""
    del rng
    actor = _actor(scene, 3)
    first = (FRAMES * 2 // 3, FRAMES // 2, 3)[strength - 1]
    return None if actor is None else _paint(scene, FreezeActor(id=actor, frame=first))


def resized(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """An actor grows frame by frame."""
    del rng
    actor = _actor(scene, 3)
    scale = (1.2, 1.4, 1.8)[strength - 1]
    return None if actor is None else _paint(scene, ResizeActor(id=actor, scale=scale, drifts=True))


def swapped(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A car becomes a van."""
    del rng
    actor = _actor(scene, strength, ("car", "suv"))
    return None if actor is None else _paint(scene, SwapActor(id=actor, kind="van"))


def lost_wheels(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A vehicle has no wheels."""
    del rng
    actor = _actor(scene, strength, VEHICLES)
    return None if actor is None else _paint(scene, LosePart(id=actor, part="wheels"))


def lost_windows(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A vehicle has no windows."""
    del rng
    actor = _actor(scene, strength, VEHICLES)
    return None if actor is None else _paint(scene, LosePart(id=actor, part="windows"))


def brake_lamps(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Brake lamps light up that were dark."""
    del rng
    actor = _actor(scene, strength, VEHICLES)
    return None if actor is None else _paint(scene, LampChange(id=actor, lamp="brake", state="on"))


def line_colour(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Lines have another colour."""
    del rng
    markings = scene.drive.scene.markings
    if not markings or scene.spec.snow_cover:
        return None
    count = (1, max(1, len(markings) // 2), len(markings))[strength - 1]
    return _paint(
        scene,
        *(
            MarkingChange(index=i, colour="yellow" if markings[i].colour == "white" else "white")
            for i in range(count)
        ),
    )


def line_kind(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Dashed lines are solid, solid ones dashed."""
    del rng
    markings = scene.drive.scene.markings
    if not markings or scene.spec.snow_cover:
        return None
    count = (1, max(1, len(markings) // 2), len(markings))[strength - 1]
    return _paint(
        scene,
        *(
            MarkingChange(index=i, kind="dashed" if markings[i].kind == "solid" else "solid")
            for i in range(count)
        ),
    )


def line_shift(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Lines lie elsewhere."""
    markings = scene.drive.scene.markings
    if not markings or scene.spec.snow_cover:
        return None
    reach = (0.3, 0.6, 1.2)[strength - 1] * float(rng.choice([-1, 1]))
    return _paint(scene, *(MarkingChange(index=i, shift_m=reach) for i in range(len(markings))))


def traffic_light(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """Traffic lights show another state."""
    del strength, rng
    lights = scene.drive.scene.traffic_lights
    if not lights:
        return None
    return _paint(
        scene,
        *(
            TrafficLightChange(id=light.id, state="green" if light.states[0][1] == "red" else "red")
            for light in lights
        ),
    )


def building_gone(scene: TestScene, strength: int, rng: np.random.Generator) -> Frames | None:
    """A building is not there."""
    del rng
    count = len(scene.drive.scene.buildings)
    if not count:
        return None
    gone = (1, max(1, count // 3), count)[strength - 1]
    return _paint(scene, *(RemoveObject(kind="building", key=i) for i in range(gone)))


STAGED: Final[dict[str, Maker]] = {
    maker.__name__: maker
    for maker in (
        removed,
        vanished,
        added,
        added_pedestrian,
        recoloured,
        teleported,
        halted,
        resized,
        swapped,
        lost_wheels,
        lost_windows,
        brake_lamps,
        line_colour,
        line_kind,
        line_shift,
        traffic_light,
        building_gone,
    )
}
