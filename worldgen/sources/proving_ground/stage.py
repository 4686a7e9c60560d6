"""The stage: every object of a scene as rigs with poses over time, flattened for the rasteriser."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgen.datatypes.tags import Tag
from worldgen.render.mesh import Mesh
from worldgen.sources.proving_ground.bodies import wheel_mesh
from worldgen.sources.proving_ground.people import cyclist, pedestrian
from worldgen.sources.proving_ground.plants import plant_mesh
from worldgen.sources.proving_ground.rig import Part, Rig, standing
from worldgen.sources.proving_ground.scene import Actor, Road, Scene
from worldgen.sources.proving_ground.structures import building_mesh, furniture_mesh, traffic_light_mesh
from worldgen.sources.proving_ground.traffic import Track
from worldgen.sources.proving_ground.vehicles import vehicle

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

ACTOR_TAGS = {
    "car": Tag.CAR,
    "suv": Tag.CAR,
    "van": Tag.CAR,
    "truck": Tag.TRUCK,
    "bus": Tag.BUS,
    "pedestrian": Tag.PEDESTRIAN,
    "cyclist": Tag.BICYCLE,
}
CATEGORIES = {
    "car": "car",
    "suv": "car",
    "van": "car",
    "truck": "truck",
    "bus": "bus",
    "pedestrian": "pedestrian",
    "cyclist": "bicycle",
}
LAMP_SLOTS = 6
"""Slots per object, number 0 of each is never lit."""
STATIC_REACH_M = 330.0


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One object on the stage."""

    id: int
    """Instance id; 0 for what is not labelled."""
    kind: str
    category: str
    tag: int
    rig: Rig
    poses: Floats
    """world_from_body over the frames, [t, 4, 4]."""
    way: Floats
    """Distance travelled, [t]."""
    speed: Floats
    visible: npt.NDArray[np.bool_]
    """Frames in which it is there at all."""
    moves: bool


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """All faces of a scene, and the parts that carry them."""

    things: tuple[Thing, ...]
    corners: Floats
    """[f, 4, 3] in the axes of each face's part."""
    part: Ints
    colour: npt.NDArray[np.float32]
    material: Ints
    lamp: Ints
    """Global lamp slot of a face: LAMP_SLOTS * thing + the body's own number."""
    param: npt.NDArray[np.float32]
    two_sided: npt.NDArray[np.bool_]
    reach: Floats
    tag: Ints
    instance: Ints
    thing_of_part: Ints
    poses: Floats
    """world_from_part, [t, p, 4, 4]."""
    centre: Floats
    """[p, 3] of a sphere around each part, in its own axes."""
    radius: Floats
    moving: npt.NDArray[np.bool_]
    """Parts that are not at the same place in every frame."""
    labelled: dict[int, Ints]
    """Faces of each thing (by its number) that carry an instance id."""


def rig_of(actor: Actor) -> Rig:
    """Build the body of an actor."""
    if actor.kind == "pedestrian":
        return pedestrian(
            actor.colour, actor.trim, actor.seed, walks=abs(actor.speed_m_s) + abs(actor.across_m_s) > 0.1
        )
    if actor.kind == "cyclist":
        return cyclist(actor.colour, actor.trim, actor.seed)
    body = vehicle(actor.kind, actor.colour, actor.seed)
    wheels = tuple(Part(wheel_mesh(w), (w.x, w.y, w.radius), "roll", radius=w.radius) for w in body.wheels)
    return Rig((Part(body.body), *wheels), body.size)


def actor_thing(actor: Actor, track: Track, road: Road) -> Thing:
    """Put an actor on the stage with its track."""
    x, y, heading = road.world(track.s, track.d)
    poses = np.stack([standing(*place) for place in zip(x, y, heading + track.yaw, strict=True)])
    return Thing(
        id=actor.id,
        kind=actor.kind,
        category=CATEGORIES[actor.kind],
        tag=int(ACTOR_TAGS[actor.kind]),
        rig=rig_of(actor),
        poses=poses,
        way=track.way,
        speed=track.speed,
        visible=np.ones(len(x), bool),
        moves=bool(track.way[-1] > 0),
    )


def static_things(scene: Scene, frames: int) -> list[Thing]:
    """Put on the stage what does not move: buildings, plants, furniture, traffic lights."""
    road = scene.road
    found: list[Thing] = []

    def place(
        mesh: Mesh,
        s: float,
        d: float,
        tag: int,
        kind: str,
        *,
        turn: float = 0.0,
        id_: int = 0,
        category: str = "",
    ) -> None:
        x, y, heading = (float(v) for v in road.world(s, d))
        points = mesh.points()
        size = (np.ptp(points[:, 0]), np.ptp(points[:, 1]), points[:, 2].max())
        pose = standing(x, y, heading + turn)
        still = np.zeros(frames)
        rig = Rig((Part(mesh),), (float(size[0]), float(size[1]), float(size[2])))
        found.append(
            Thing(
                id_,
                kind,
                category,
                tag,
                rig,
                np.broadcast_to(pose, (frames, 4, 4)),
                still,
                still,
                np.ones(frames, bool),
                False,
            )
        )

    for building in scene.buildings:
        place(building_mesh(building), building.s_m, building.d_m, int(Tag.BUILDING), "building")
    for plant in scene.plants:
        place(plant_mesh(plant), plant.s_m, plant.d_m, int(Tag.VEGETATION), "plant")
    for item in scene.furniture:
        turn = 0.0 if item.facing == 1 else np.pi
        category = "traffic_sign" if item.kind in ("sign", "gantry") else ""
        place(
            furniture_mesh(item),
            item.s_m,
            item.d_m,
            int(Tag.STATIC),
            item.kind,
            turn=turn,
            id_=item.id,
            category=category,
        )
    for light in scene.traffic_lights:
        turn = 0.0 if light.facing == 1 else np.pi
        place(
            traffic_light_mesh(light),
            light.s_m,
            light.d_m,
            int(Tag.TRAFFIC_LIGHT),
            "traffic_light",
            turn=turn,
            id_=light.id,
            category="traffic_light",
        )
    return found


def _nothing(frames: int) -> Thing:
    """Something under the ground that is never seen, so that an empty stage is a stage."""
    mesh = Mesh().add(np.zeros((4, 3)), (0.0, 0.0, 0.0))
    still = np.zeros(frames)
    poses = np.broadcast_to(np.eye(4), (frames, 4, 4))
    return Thing(
        0,
        "nothing",
        "",
        0,
        Rig((Part(mesh),), (0.0, 0.0, 0.0)),
        poses,
        still,
        still,
        np.zeros(frames, bool),
        False,
    )


def build_stage(things: list[Thing], frames: int) -> Stage:
    """Flatten things into arrays."""
    columns: dict[str, list[np.ndarray]] = {
        k: []
        for k in (
            "corners",
            "part",
            "colour",
            "material",
            "lamp",
            "param",
            "two_sided",
            "reach",
            "tag",
            "instance",
        )
    }
    poses, centres, radii = [], [], []
    owners: list[int] = []
    moving: list[bool] = []
    for number, thing in enumerate(things):
        for part in thing.rig.parts:
            mesh, index = part.mesh, len(owners)
            if not mesh.corners:
                continue
            corners = np.concatenate(mesh.corners)
            tags = np.concatenate(mesh.tag)
            tags = np.where(tags > 0, tags, thing.tag)
            lamps = np.concatenate(mesh.lamp)
            columns["corners"].append(corners)
            columns["part"].append(np.full(len(corners), index))
            columns["colour"].append(np.concatenate(mesh.colour))
            columns["material"].append(np.concatenate(mesh.material))
            columns["lamp"].append(np.where(lamps > 0, number * LAMP_SLOTS + lamps, 0))
            columns["param"].append(np.concatenate(mesh.param))
            columns["two_sided"].append(np.concatenate(mesh.two_sided))
            columns["reach"].append(np.concatenate(mesh.reach))
            columns["tag"].append(tags)
            labelled = (tags == thing.tag) | (tags == Tag.RIDER) | (tags == Tag.TRAFFIC_SIGN)
            columns["instance"].append(np.where(labelled, thing.id, 0))
            middle = (corners.min((0, 1)) + corners.max((0, 1))) / 2
            centres.append(middle)
            radii.append(float(np.linalg.norm(corners - middle, axis=2).max()))
            owners.append(number)
            fixed = part.motion == "fixed" and not thing.moves
            moving.append(not fixed)
            local = np.eye(4) if part.motion == "fixed" and part.pivot == (0, 0, 0) else part.local(thing.way)
            poses.append(np.broadcast_to(thing.poses @ local, thing.poses.shape))
    if not owners:
        return build_stage([_nothing(frames)], frames)
    flat = {k: np.concatenate(v) for k, v in columns.items()}
    owner_of_face = np.array(owners)[flat["part"]]
    labelled = {
        n: np.flatnonzero((owner_of_face == n) & (flat["instance"] > 0))
        for n, thing in enumerate(things)
        if thing.id
    }
    return Stage(
        things=tuple(things),
        corners=flat["corners"],
        part=flat["part"],
        colour=flat["colour"].astype(np.float32),
        material=flat["material"],
        lamp=flat["lamp"],
        param=flat["param"].astype(np.float32),
        two_sided=flat["two_sided"],
        reach=flat["reach"],
        tag=flat["tag"],
        instance=flat["instance"],
        thing_of_part=np.array(owners),
        poses=np.stack(poses, 1),
        centre=np.array(centres),
        radius=np.array(radii),
        moving=np.array(moving),
        labelled=labelled,
    )
