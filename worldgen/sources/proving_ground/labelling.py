"""Labels of a rendered frame: every actor, sign and traffic light that is seen, with its boxes."""

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Box2d, Box3d, Camera, FrameLabels, IgnoreRegion, ObjectLabel
from worldgen.render.raster import NEAR_M
from worldgen.sources.proving_ground.frame import Frame
from worldgen.sources.proving_ground.particles import lens_drops
from worldgen.sources.proving_ground.stage import Stage, Thing

Floats = npt.NDArray[np.floating]
REACH_M = 200.0
MIN_PIXELS = 2
"""Visible pixels below which nothing is labelled: nobody could draw a box around it."""


def seen_in(frame: Frame) -> frozenset[int]:
    """Ids of what shows enough pixels to be labelled."""
    seen = np.bincount(frame.instances.reshape(-1))
    return frozenset(int(i) for i in np.flatnonzero(seen >= MIN_PIXELS) if i > 0)


def lens_regions(amount: float, camera: Camera, seed: int) -> tuple[IgnoreRegion, ...]:
    """Regions that drops on the lens cover, the same in every frame."""
    drops = lens_drops(amount, camera, seed)
    if drops is None:
        return ()
    return tuple(
        IgnoreRegion(reason="lens_drop", box2d=Box2d(left=x0, top=y0, right=x1, bottom=y1))
        for x0, y0, x1, y1 in drops.boxes
    )


def label_frame(
    t: int,
    stage: Stage,
    frame: Frame,
    pose: Floats,
    camera: Camera,
    lit: dict[int, frozenset[str]],
    ignore: tuple[IgnoreRegion, ...] = (),
) -> FrameLabels:
    """Label one frame from what was rendered; `pose` is world_from_camera in the ground's own axes."""
    seen = np.bincount(frame.instances.reshape(-1))
    found = []
    for number, thing in enumerate(stage.things):
        if not thing.id or not thing.visible[t]:
            continue
        pixels = int(seen[thing.id]) if thing.id < len(seen) else 0
        if pixels >= MIN_PIXELS:
            label = _label(
                t, number, thing, stage, pixels, frame.amodal.get(thing.id, pixels), pose, camera, lit
            )
            if label is not None:
                found.append(label)
    return FrameLabels(frame=t, objects=tuple(sorted(found, key=lambda o: o.id)), ignore=ignore)


def _label(
    t: int,
    number: int,
    thing: Thing,
    stage: Stage,
    pixels: int,
    whole: int,
    pose: Floats,
    camera: Camera,
    lit: dict[int, frozenset[str]],
) -> ObjectLabel | None:
    faces = stage.labelled[number]
    poses = stage.poses[t][stage.part[faces]]
    world = np.einsum("nij,nkj->nki", poses[:, :3, :3], stage.corners[faces]) + poses[:, None, :3, 3]
    eye = (world.reshape(-1, 3) - pose[:3, 3]) @ pose[:3, :3]
    near = eye[:, 2] > NEAR_M
    if not near.any():
        return None
    ahead = eye[near]
    u = ahead[:, 0] / ahead[:, 2] * camera.fx + camera.cx
    v = ahead[:, 1] / ahead[:, 2] * camera.fy + camera.cy
    left, top, right, bottom = (float(x) for x in (u.min(), v.min(), u.max() + 1, v.max() + 1))
    if not near.all():
        # What reaches behind the camera fills the frame towards that side.
        left, right = (
            (min(left, -0.5), right) if eye[:, 0].mean() < 0 else (left, max(right, camera.width + 0.5))
        )
        bottom = max(bottom, camera.height + 0.5)
    area = max((right - left) * (bottom - top), 1e-6)
    inside = max(min(right, camera.width) - max(left, 0), 0) * max(
        min(bottom, camera.height) - max(top, 0), 0
    )
    range_m = float(np.linalg.norm(eye.mean(0)))
    attributes = {"kind": thing.kind, "speed_m_s": f"{float(thing.speed[t]):.2f}"}
    lamps = lit.get(thing.id)
    if lamps is not None:
        attributes["state" if thing.kind == "traffic_light" else "lamps"] = "+".join(sorted(lamps)) or "off"
    return ObjectLabel(
        id=thing.id,
        category=thing.category,
        box2d=Box2d(left=left, top=top, right=right, bottom=bottom),
        box3d=_box3d(t, thing, ahead if thing.category.startswith("traffic") else None, pose),
        origin="simulator",
        occlusion=float(np.clip(1 - pixels / max(whole, 1), 0, 1)),
        truncation=float(np.clip(1 - inside / area, 0, 1)),
        range_m=range_m,
        range_interval_m=(range_m, range_m),
        pixels_high=bottom - top,
        attributes=attributes,
    )


def _box3d(t: int, thing: Thing, points: Floats | None, pose: Floats) -> Box3d:
    """The cuboid of an actor from its pose and size; of a sign or light from its labelled faces."""
    body = thing.poses[t]
    forward = pose[:3, :3].T @ body[:3, 0]
    yaw = float(np.arctan2(-forward[2], forward[0]))
    if points is not None:
        low, high = points.min(0), points.max(0)
        middle = (low + high) / 2
        span = np.maximum(high - low, 0.05)
        return Box3d(
            center_m=(float(middle[0]), float(middle[1]), float(middle[2])),
            size_m=(float(span[2]), float(span[1]), float(span[0])),
            yaw_rad=yaw,
        )
    length, width, height = thing.rig.size
    centre = body[:3, 3] + body[:3, 2] * (height / 2)
    seen = pose[:3, :3].T @ (centre - pose[:3, 3])
    return Box3d(
        center_m=(float(seen[0]), float(seen[1]), float(seen[2])), size_m=(length, height, width), yaw_rad=yaw
    )
