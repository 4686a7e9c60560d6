"""Named recordings: small scenes cast by rays, so that every pixel's truth is known, written as dumps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgen.datatypes import Camera, MapElement, SceneBox, Tag
from worldgen.datatypes.scene import array_of, matrix_of
from worldgen.imaging.projection import rays
from worldgen.sources.carla.axes import yaw_matrix
from worldgen.sources.carla.manifest import DumpHead, Recorder
from worldgen.sources.carla.writer import DumpWriter, box_at, standing

TAG_OF = {"car": Tag.CAR, "truck": Tag.TRUCK, "pedestrian": Tag.PEDESTRIAN, "building": Tag.BUILDING}
CLEAR_NOON = {"cloudiness": 10.0, "precipitation": 0.0, "sun_altitude_angle": 60.0, "fog_density": 0.0}


@dataclass(frozen=True)
class Shot:
    """What a camera sees of a road with boxes on it: all arrays by ray casting, nothing approximated."""

    rgb: np.ndarray
    depth_m: np.ndarray
    tags: np.ndarray
    instances: np.ndarray


def a_camera(width: int = 256, height: int = 144, **changes: float) -> Camera:
    focal = 0.8 * width
    values = {
        "fx": focal,
        "fy": focal,
        "cx": (width - 1) / 2,
        "cy": (height - 1) / 2,
        "height_m": 1.5,
        "pitch_rad": 0.05,
        **changes,
    }
    return Camera(width=width, height=height, **values)


def a_car(
    identity: int = 7,
    ahead: float = 15.0,
    right: float = 0.0,
    *,
    yaw: float = np.pi / 2,
    size=(4.5, 1.5, 1.8),
):
    """A car standing on the ground of the world (y down; the ground is y = 0), heading away by default."""
    pose = yaw_matrix((right, -size[1] / 2, ahead), -yaw)
    return box_at(identity, "car", size_m=size, world_from_box=pose)


def cast(camera: Camera, world_from_camera: np.ndarray, boxes: list[SceneBox], *, sky: bool = True) -> Shot:
    """Cast one ray per pixel against the ground y = 0 and the boxes."""
    directions = rays(camera).astype(np.float64) @ world_from_camera[:3, :3].T
    origin = world_from_camera[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(directions[..., 1] > 1e-9, -origin[1] / directions[..., 1], np.inf)
    tags = np.where(np.isfinite(distance), Tag.ROAD, Tag.SKY if sky else Tag.UNLABELED).astype(np.uint8)
    instances = np.zeros(tags.shape, np.int32)
    where = origin + directions * np.where(np.isfinite(distance), distance, 0)[..., None]
    # A chequered road: something to see move.
    light = 90 + 40 * ((np.floor(where[..., 0]) + np.floor(where[..., 2])) % 2)
    rgb = np.where(np.isfinite(distance)[..., None], light[..., None], (140, 170, 220)).astype(np.uint8)
    for box in boxes:
        pose = array_of(box.world_from_box)
        start = pose[:3, :3].T @ (origin - pose[:3, 3])
        along = directions @ pose[:3, :3]
        along = np.where(np.abs(along) < 1e-12, 1e-12, along)
        half = np.array(box.size_m) / 2
        near, far = (-half - start) / along, (half - start) / along
        enter, leave = np.minimum(near, far).max(-1), np.maximum(near, far).min(-1)
        hit = (leave > enter) & (enter > 0) & (enter < distance)
        distance = np.where(hit, enter, distance)
        tags[hit] = TAG_OF[box.category]
        instances[hit] = box.id if box.category != "building" else 0
        rgb[hit] = (40 * box.id % 256, 60, 90)
    depth = (distance * rays(camera)[..., 2]).astype(np.float32)
    depth[depth >= 1000] = np.inf
    return Shot(rgb=rgb, depth_m=depth, tags=tags, instances=instances)


def a_drive(
    folder: Path,
    *,
    frames: int = 5,
    camera: Camera | None = None,
    boxes: list[SceneBox] | None = None,
    speed: float = 8.0,
    fps: float = 10.0,
    raw: bool = False,
    flow: bool = False,
    cameras: int = 1,
    weather: dict[str, float] | None = None,
    carla_version: str = "0.9.15",
    elements: tuple[MapElement, ...] = (),
) -> Path:
    """Drive straight ahead past standing boxes, and write it as a dump."""
    camera = camera or a_camera()
    boxes = [a_car()] if boxes is None else boxes
    names = ["front"] if cameras == 1 else [f"camera{i}" for i in range(cameras)]
    mounting = standing(camera)
    head = DumpHead(
        origin=Recorder(name="other", version="test"),
        carla_version=carla_version,
        fps=fps,
        weather=CLEAR_NOON if weather is None else weather,
        map="plane",
        license="CC0-1.0",
        elements=elements,
    )
    with DumpWriter(folder, head, cameras=dict.fromkeys(names, camera), raw=raw) as writer:
        for index in range(frames):
            ego = np.eye(4)
            ego[2, 3] = speed * index / fps
            pose = ego @ mounting
            shot = cast(camera, pose, boxes)
            for name in names:
                writer.write_frame(
                    index,
                    shot.rgb,
                    shot.depth_m,
                    shot.tags,
                    shot.instances,
                    np.full((*shot.tags.shape, 2), 1.25, np.float32) if flow else None,
                    pose=pose,
                    actors=[b for b in boxes if b.category != "building"],
                    camera=name,
                    simulator_frame=100 + 2 * index,
                )
    return folder


__all__ = ["CLEAR_NOON", "Shot", "a_camera", "a_car", "a_drive", "box_at", "cast", "matrix_of"]
