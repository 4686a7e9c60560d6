"""The scene as a simulator would hand it over: map elements, boxes and light states in world axes."""

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import scene as packages
from worldgen.datatypes.scene import MapElement, Point3, SceneBox, matrix_of
from worldgen.sources.proving_ground.ground import CROSS_WALK_M
from worldgen.sources.proving_ground.scene import Scene
from worldgen.sources.proving_ground.stage import Stage, Thing

Floats = npt.NDArray[np.floating]
AHEAD_M = 220.0
OUT_FROM_WORLD = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
"""From our world (x ahead, y left, z up) to a scene package's (x right, y down, z ahead)."""
BODY_FROM_BOX = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""A package's box axes are x along the heading, y down, z to the left."""


def out_of(points: Floats) -> tuple[Point3, ...]:
    """Turn world points [n, 3] into a package's."""
    turned = np.asarray(points, float).reshape(-1, 3) @ OUT_FROM_WORLD[:3, :3].T
    return tuple((float(x), float(y), float(z)) for x, y, z in turned)


def elements_of(scene: Scene) -> tuple[MapElement, ...]:
    """The map: lane lines, boundaries, crosswalks, wait lines, poles, lights, signs, markings."""
    road = scene.road
    found: list[MapElement] = []

    def line(s0: float, s1: float, d: float) -> tuple[Point3, ...]:
        s = np.linspace(s0, s1, max(int((s1 - s0) / 2.0), 1) + 1)
        x, y, _ = road.world(s, np.full(len(s), d))
        return out_of(np.stack((x, y, np.zeros(len(s))), 1))

    def area(s0: float, s1: float, d0: float, d1: float) -> tuple[Point3, ...]:
        x, y, _ = road.world(np.array([s0, s1, s1, s0]), np.array([d0, d0, d1, d1]))
        return out_of(np.stack((x, y, np.zeros(4)), 1))

    patterns = {"double": "double solid"}
    for marking in scene.markings:
        end = min(marking.end_m, AHEAD_M)
        if end > marking.start_m:
            style = f"{marking.colour} {patterns.get(marking.kind, marking.kind)}"
            found.append(
                MapElement(
                    kind="lane_line", points_m=line(marking.start_m, end, marking.offset_m), style=style
                )
            )
    for begin, end in _between(scene):
        found.extend(
            MapElement(kind="road_boundary", points_m=line(begin, end, d))
            for d in (road.left_m, road.right_m)
        )
    for crossing in scene.crossings:
        w = crossing.half_width_m
        for sign in (-1, 1):
            near, far = sorted(
                (crossing.s_m + sign * (w + 1.2), crossing.s_m + sign * (w + 1.2 + CROSS_WALK_M))
            )
            if crossing.zebra:
                found.append(
                    MapElement(
                        kind="crosswalk", points_m=area(near, far, road.right_m, road.left_m), is_area=True
                    )
                )
            lanes = [lane for lane in scene.lanes if lane.direction == -sign]
            if lanes and (crossing.signalled or crossing.zebra):
                stop = crossing.s_m + sign * (w + (5.6 if crossing.zebra else 1.6))
                d = [lane.centre_m + k * lane.width_m / 2 for lane in lanes for k in (-1, 1)]
                x, y, _ = road.world(np.full(2, stop), np.array([min(d), max(d)]))
                found.append(MapElement(kind="wait_line", points_m=out_of(np.stack((x, y, np.zeros(2)), 1))))
            for side, edge in ((1, road.left_m), (-1, road.right_m)):
                x, y, _ = road.world(
                    np.full(2, crossing.s_m + sign * w), np.array([edge + side * 0.5, edge + side * 30])
                )
                found.append(
                    MapElement(kind="road_boundary", points_m=out_of(np.stack((x, y, np.zeros(2)), 1)))
                )
    found.extend(
        MapElement(
            kind="road_marking",
            points_m=area(a.s_m - 2, a.s_m + 2, a.d_m - 0.4, a.d_m + 0.4),
            is_area=True,
            attributes={"turn": a.turn},
        )
        for a in scene.arrows
    )
    return tuple(found) + _uprights(scene)


def _between(scene: Scene) -> list[tuple[float, float]]:
    """Stretches of the road between crossings."""
    blocks, start = [], -60.0
    for crossing in scene.crossings:
        blocks.append((start, crossing.s_m - crossing.half_width_m))
        start = crossing.s_m + crossing.half_width_m
    blocks.append((start, AHEAD_M))
    return [(a, b) for a, b in blocks if b - a > 1.0]


def _uprights(scene: Scene) -> tuple[MapElement, ...]:
    found: list[MapElement] = []

    def upright(s: float, d: float, z0: float, z1: float) -> tuple[Point3, ...]:
        x, y, _ = scene.road.world(s, d)
        return out_of(np.array([[float(x), float(y), z0], [float(x), float(y), z1]]))

    for item in scene.furniture:
        if item.kind in ("street_light", "pole"):
            found.append(MapElement(kind="pole", points_m=upright(item.s_m, item.d_m, 0.0, item.height_m)))
        elif item.kind == "sign":
            top = item.height_m
            found.append(MapElement(kind="pole", points_m=upright(item.s_m, item.d_m, 0.0, top)))
            plate = _plate(scene, item.s_m, item.d_m, top - 0.66, top + 0.06, 0.36)
            found.append(
                MapElement(kind="traffic_sign", points_m=plate, is_area=True, attributes={"id": str(item.id)})
            )
    for light in scene.traffic_lights:
        found.append(MapElement(kind="pole", points_m=upright(light.s_m, light.d_m, 0.0, light.height_m)))
        d = light.d_m + light.arm_m * light.facing
        plate = _plate(scene, light.s_m, d, light.height_m - 0.95, light.height_m + 0.05, 0.17)
        found.append(
            MapElement(kind="traffic_light", points_m=plate, is_area=True, attributes={"id": str(light.id)})
        )
    return tuple(found)


def _plate(scene: Scene, s: float, d: float, z0: float, z1: float, half: float) -> tuple[Point3, ...]:
    x, y, _ = scene.road.world(np.full(2, s), np.array([d - half, d + half]))
    return out_of(np.array([[x[0], y[0], z0], [x[1], y[1], z0], [x[1], y[1], z1], [x[0], y[0], z1]]))


def boxes_of(
    stage: Stage, t: int, lit: dict[int, frozenset[str]], shown: frozenset[int] | None = None
) -> tuple[SceneBox, ...]:
    """Actors of one frame as boxes in world axes; `shown` limits them to some ids."""
    return tuple(
        _box(thing, t, lit)
        for thing in stage.things
        if thing.id
        and thing.visible[t]
        and not thing.category.startswith("traffic")
        and (shown is None or thing.id in shown)
    )


def _box(thing: Thing, t: int, lit: dict[int, frozenset[str]]) -> SceneBox:
    length, width, height = thing.rig.size
    middle = np.eye(4)
    middle[2, 3] = height / 2
    pose = OUT_FROM_WORLD @ thing.poses[t] @ middle @ BODY_FROM_BOX
    lamps = lit.get(thing.id)
    attributes = {"kind": thing.kind}
    if lamps is not None:
        attributes["lamp_state"] = "+".join(sorted(lamps)) or "off"
    return SceneBox(
        id=thing.id,
        category=thing.category,
        size_m=(length, height, width),
        world_from_box=matrix_of(pose),
        attributes=attributes,
    )


def light_states_of(scene: Scene, lit: dict[int, frozenset[str]]) -> dict[str, str]:
    """Traffic lights of one frame by id."""
    return {
        str(light.id): next(iter(lit.get(light.id, frozenset())), "unknown") for light in scene.traffic_lights
    }


def package_of(scene: Scene, stage: Stage, lit: tuple[dict[int, frozenset[str]], ...]) -> packages.Scene:
    """Hand over map, boxes and light states of a whole drive."""
    return packages.Scene(
        elements=elements_of(scene),
        boxes=tuple(boxes_of(stage, t, lit[t]) for t in range(len(lit))),
        light_states=tuple(light_states_of(scene, states) for states in lit),
    )
