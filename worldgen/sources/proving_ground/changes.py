"""How edits change a stage that is set: the traffic was simulated before, so nobody else reacts."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from worldgen.errors import SourceError
from worldgen.render.mesh import GLASS, PAINT, Mesh
from worldgen.sources.proving_ground.bodies import PLATE
from worldgen.sources.proving_ground.edits import (
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
from worldgen.sources.proving_ground.rig import Part, Rig
from worldgen.sources.proving_ground.scene import Actor, Scene
from worldgen.sources.proving_ground.stage import ACTOR_TAGS, CATEGORIES, Thing, actor_thing, rig_of
from worldgen.sources.proving_ground.traffic import walk

Floats = npt.NDArray[np.floating]
STEPS = 6
"""Stages of a drift: what drifts is drawn as so many things that take turns."""


def edited_scene(scene: Scene, edits: tuple[Edit, ...]) -> Scene:
    """Apply edits to the description: markings, and what does not move."""
    markings = list(scene.markings)
    gone: set[int] = set()
    for edit in edits:
        if isinstance(edit, MarkingChange):
            _check(0 <= edit.index < len(markings), f"no marking {edit.index}; there are {len(markings)}")
            old = markings[edit.index]
            if edit.kind == "none":
                gone.add(edit.index)
                continue
            markings[edit.index] = old.model_copy(
                update={
                    "kind": edit.kind or old.kind,
                    "colour": edit.colour or old.colour,
                    "offset_m": old.offset_m + edit.shift_m,
                }
            )
    kept = tuple(m for i, m in enumerate(markings) if i not in gone)
    added = tuple(_actor_of(e, scene) for e in edits if isinstance(e, AddActor))
    return scene.model_copy(update={"markings": kept, "actors": scene.actors + added})


def apply(things: list[Thing], edits: tuple[Edit, ...], scene: Scene, times: Floats) -> list[Thing]:
    """Apply edits to what stands and moves on the stage."""
    out = list(things)
    for edit in edits:
        if isinstance(edit, AddActor):
            out.append(_added(edit, scene, times))
        elif isinstance(edit, RemoveObject):
            out = _without(out, edit)
        elif not isinstance(edit, MarkingChange | LampChange | TrafficLightChange):
            out = _each(out, edit.id, partial(_changed, edit=edit, scene=scene))
    return out


def _changed(thing: Thing, edit: Edit, scene: Scene) -> list[Thing]:
    """Return what stands in for one thing after an edit that names it."""
    match edit:
        case RemoveActor():
            return [_hidden(thing, edit.from_frame)]
        case TeleportActor():
            return [_moved(thing, edit, scene)]
        case FreezeActor():
            return [_frozen(thing, edit.frame)]
        case RecolourActor():
            return _recoloured(thing, edit, scene)
        case ResizeActor():
            return _resized(thing, edit)
        case SwapActor():
            return _swapped(thing, edit, scene)
        case LosePart():
            return _turns(thing, replace(thing, rig=_without_part(thing.rig, edit.part)), edit.from_frame)
    return [thing]


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise SourceError(message, reason="not_found")


def _each(things: list[Thing], key: int, change: Callable[[Thing], list[Thing]]) -> list[Thing]:
    _check(
        any(t.id == key for t in things),
        f"no object {key} in this scene; there are {sorted({t.id for t in things if t.id})}",
    )
    return [new for thing in things for new in (change(thing) if thing.id == key else [thing])]


def _actor_of(edit: AddActor, scene: Scene) -> Actor:
    _check(0 <= edit.lane < len(scene.lanes), f"no lane {edit.lane}; there are {len(scene.lanes)}")
    lane = scene.lanes[edit.lane]
    return Actor(
        id=edit.id,
        kind=edit.kind,
        s_m=edit.distance_m,
        d_m=lane.centre_m + edit.offset_m,
        direction=lane.direction,
        speed_m_s=edit.speed_m_s,
        lane=edit.lane,
        colour=edit.colour,
        seed=edit.seed,
    )


def _added(edit: AddActor, scene: Scene, times: Floats) -> Thing:
    actor = _actor_of(edit, scene)
    thing = actor_thing(actor, walk(actor, times), scene.road)
    return replace(thing, visible=np.arange(len(times)) >= edit.from_frame)


def _without(things: list[Thing], edit: RemoveObject) -> list[Thing]:
    if edit.kind in ("sign", "traffic_light"):
        return _each(things, edit.key, lambda thing: [_hidden(thing, edit.from_frame)])
    same = [i for i, thing in enumerate(things) if thing.kind == edit.kind]
    _check(0 <= edit.key < len(same), f"no {edit.kind} {edit.key}; there are {len(same)}")
    out = list(things)
    out[same[edit.key]] = _hidden(out[same[edit.key]], edit.from_frame)
    return out


def _hidden(thing: Thing, from_frame: int) -> Thing:
    return replace(thing, visible=thing.visible & (np.arange(len(thing.visible)) < from_frame))


def _moved(thing: Thing, edit: TeleportActor, scene: Scene) -> Thing:
    poses = np.array(thing.poses)
    dx, dy, dz = edit.delta_m
    for t in range(edit.frame, len(poses)):
        s, d = scene.road.coordinates(poses[t, :1, 3], poses[t, 1:2, 3])
        x, y, after = scene.road.world(s + dx, d + dy)
        _, _, before = scene.road.world(s, d)
        turn = float(after[0] - before[0])
        c, k = np.cos(turn), np.sin(turn)
        poses[t, :3, :3] = np.array([[c, -k, 0], [k, c, 0], [0, 0, 1]]) @ poses[t, :3, :3]
        poses[t, :3, 3] = [x[0], y[0], poses[t, 2, 3] + dz]
    return replace(thing, poses=poses, moves=True)


def _frozen(thing: Thing, frame: int) -> Thing:
    poses, way, speed = np.array(thing.poses), thing.way.copy(), thing.speed.copy()
    poses[frame:], way[frame:], speed[frame:] = poses[frame], way[frame], 0.0
    return replace(thing, poses=poses, way=way, speed=speed)


def _turns(before: Thing, after: Thing, from_frame: int) -> list[Thing]:
    """One thing until a frame, another from there on, under one id."""
    late = np.arange(len(before.visible)) >= from_frame
    if from_frame <= 0:
        return [after]
    return [replace(before, visible=before.visible & ~late), replace(after, visible=before.visible & late)]


def _drift(thing: Thing, from_frame: int, make: Callable[[float], Thing]) -> list[Thing]:
    """A change that comes little by little, in `STEPS` steps from a frame to the last."""
    n = len(thing.visible)
    edges = np.unique(np.linspace(from_frame, n, STEPS + 1).astype(int))
    frames = np.arange(n)
    out = [replace(thing, visible=thing.visible & (frames < from_frame))] if from_frame > 0 else []
    for begin, end in pairwise(int(e) for e in edges):
        share = (end - from_frame) / max(n - from_frame, 1)
        out.append(replace(make(float(share)), visible=thing.visible & (frames >= begin) & (frames < end)))
    return out


def _recoloured(thing: Thing, edit: RecolourActor, scene: Scene) -> list[Thing]:
    old = np.array(scene.actor(edit.id).colour)

    def at(share: float) -> Thing:
        target = old * (1 - share) + np.array(edit.colour) * share
        parts = tuple(replace(p, mesh=_painted(p.mesh, old, target)) for p in thing.rig.parts)
        return replace(thing, rig=Rig(parts, thing.rig.size))

    return _drift(thing, edit.from_frame, at) if edit.drifts else _turns(thing, at(1.0), edit.from_frame)


def _painted(mesh: Mesh, old: Floats, new: Floats) -> Mesh:
    same = [np.all(np.abs(c - old) < 1e-6, axis=1, keepdims=True) for c in mesh.colour]
    return replace(mesh, colour=[np.where(s, new, c) for s, c in zip(same, mesh.colour, strict=True)])


def _resized(thing: Thing, edit: ResizeActor) -> list[Thing]:
    def at(share: float) -> Thing:
        scale = 1 + (edit.scale - 1) * share
        parts = tuple(
            replace(
                p,
                mesh=replace(p.mesh, corners=[c * scale for c in p.mesh.corners]),
                pivot=(p.pivot[0] * scale, p.pivot[1] * scale, p.pivot[2] * scale),
                radius=p.radius * scale,
            )
            for p in thing.rig.parts
        )
        length, width, height = (v * scale for v in thing.rig.size)
        return replace(thing, rig=Rig(parts, (length, width, height)))

    return _drift(thing, edit.from_frame, at) if edit.drifts else _turns(thing, at(1.0), edit.from_frame)


def _swapped(thing: Thing, edit: SwapActor, scene: Scene) -> list[Thing]:
    actor = scene.actor(edit.id).model_copy(update={"kind": edit.kind})
    after = replace(
        thing,
        rig=rig_of(actor),
        kind=edit.kind,
        category=CATEGORIES[edit.kind],
        tag=int(ACTOR_TAGS[edit.kind]),
    )
    return _turns(thing, after, edit.from_frame)


def _without_part(rig: Rig, part: str) -> Rig:
    if part == "wheels":
        return Rig(tuple(p for p in rig.parts if p.motion != "roll"), rig.size)
    body, rest = rig.parts[0], rig.parts[1:]
    return Rig((Part(_stripped(body.mesh, part)), *rest), rig.size)


def _stripped(mesh: Mesh, part: str) -> Mesh:
    """Paint a part over with the body's own colour: nothing is left of it but its place."""
    paint = next(
        (c[0] for c, m in zip(mesh.colour, mesh.material, strict=True) if m[0] == PAINT),
        np.array([0.1, 0.1, 0.1]),
    )
    colour, material, lamp = [], [], []
    for c, m, k in zip(mesh.colour, mesh.material, mesh.lamp, strict=True):
        hit = {
            "lamps": k > 0,
            "windows": m == GLASS,
            "plate": np.all(np.abs(c - np.array(PLATE)) < 1e-6, axis=1),
        }[part]
        colour.append(np.where(hit[:, None], paint, c))
        material.append(np.where(hit, PAINT, m))
        lamp.append(np.where(hit, 0, k))
    return replace(mesh, colour=colour, material=material, lamp=lamp)
