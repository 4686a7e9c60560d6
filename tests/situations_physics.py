"""Named situations of weather physics: small streets with true depth, painted by hand."""

from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.datatypes import Camera, Clip, Geometry, Origins, Tag
from worldgen.imaging.ground import inverse_ground_depth, pitch_for_horizon

TRUE = Origins(depth="simulator", scale="simulator", tags="simulator", camera="simulator", pose="simulator")
UNKNOWN = Origins(depth="estimated", scale="assumed")
SKY = (120, 160, 210)
ROAD = 95
SPEED_M_S = 8.0


@dataclass(frozen=True, kw_only=True)
class Box:
    """Something that stands on the road: columns as shares of the width, a height and a distance in metres."""

    left: float
    right: float
    height_m: float
    depth_m: float
    colour: tuple[int, int, int]
    tag: Tag = Tag.BUILDING


BLACK_TARGETS = tuple(
    Box(
        left=0.08 + 0.14 * i, right=0.17 + 0.14 * i, height_m=4.0, depth_m=z, colour=(0, 0, 0), tag=Tag.STATIC
    )
    for i, z in enumerate((8.0, 15.0, 25.0, 40.0, 60.0, 90.0))
)
CAR = Box(left=0.40, right=0.62, height_m=1.5, depth_m=12.0, colour=(150, 150, 160), tag=Tag.CAR)
WALKER = Box(left=0.72, right=0.77, height_m=1.8, depth_m=10.0, colour=(60, 70, 140), tag=Tag.PEDESTRIAN)
HOUSE = Box(left=0.0, right=0.30, height_m=9.0, depth_m=30.0, colour=(170, 120, 90))


def street(
    boxes: tuple[Box, ...] = (HOUSE, CAR, WALKER),
    *,
    frames: int = 3,
    size: tuple[int, int] = (192, 108),
    tagged: bool = True,
    posed: bool = True,
    has_sky: bool = True,
    moving: bool = True,
    ego: bool = False,
    origins: Origins = TRUE,
    fps: float = 10.0,
) -> tuple[Clip, Geometry]:
    """A straight road with marked grain under a blue sky; the camera drives ahead, boxes drive with it."""
    width, height = size
    camera = _camera(size)
    plane = np.maximum(inverse_ground_depth(camera), 1e-6)
    pictures, depths, tags = [], [], []
    for i in range(frames):
        travelled = SPEED_M_S * i / fps if moving else 0.0
        picture, depth, tag = _paint(camera, plane, boxes, travelled, has_sky=has_sky)
        if ego:
            picture[-height // 8 :] = (20, 20, 25)
            tag[-height // 8 :] = 255
        pictures.append(picture)
        depths.append(depth)
        tags.append(tag)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, 2, 3] = [SPEED_M_S * i / fps if moving else 0.0 for i in range(frames)]
    mask = np.zeros((height, width), np.bool_)
    mask[-height // 8 :] = ego
    clip = Clip(frames=np.stack(pictures), timestamps_seconds=np.arange(frames) / fps, fps=fps)
    geometry = Geometry(
        depth_m=np.stack(depths),
        origins=origins,
        camera=camera,
        tags=np.stack(tags) if tagged else None,
        pose=poses if posed else None,
        ego_mask=mask if ego else None,
    )
    return clip, geometry


def _camera(size: tuple[int, int]) -> Camera:
    width, height = size
    focal = 0.7 * width
    camera = Camera(
        width=width, height=height, fx=focal, fy=focal, cx=(width - 1) / 2, cy=(height - 1) / 2, height_m=1.5
    )
    return camera.model_copy(update={"pitch_rad": pitch_for_horizon(camera, 0.45 * height)})


def _paint(
    camera: Camera, plane: np.ndarray, boxes: tuple[Box, ...], travelled: float, *, has_sky: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    height, width = plane.shape
    is_ground = plane > 1 / 250
    depth = np.where(is_ground, 1 / plane, np.inf).astype(np.float32)
    tags = np.where(is_ground, Tag.ROAD, Tag.SKY).astype(np.uint8)
    if not has_sky:
        depth[~is_ground], tags[~is_ground] = 250.0, Tag.BUILDING
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = SKY if has_sky else (130, 125, 120)
    grain = cv2.resize(
        np.random.default_rng(7).integers(-28, 29, (256, 256)).astype(np.float32), (1024, 1024)
    )
    z = np.where(is_ground, 1 / plane, 1.0)
    x = (np.arange(width) - camera.cx) / camera.fx * z
    rows = (np.floor((z + travelled) * 20) % 1024).astype(int)
    columns = (np.floor(x * 20) % 1024).astype(int)
    road = np.clip(ROAD + grain[rows, columns] / (1 + z / 15), 0, 255)
    picture[is_ground] = np.repeat(road[..., None], 3, axis=2)[is_ground].astype(np.uint8)
    for box in sorted(boxes, key=lambda b: -b.depth_m):
        columns = slice(round(box.left * width), round(box.right * width))
        contact = np.argmin(np.abs(plane[:, width // 2] - 1 / box.depth_m))
        top = max(0, round(contact - camera.fy * box.height_m / box.depth_m))
        picture[top:contact, columns] = box.colour
        depth[top:contact, columns] = box.depth_m
        tags[top:contact, columns] = box.tag
    return picture, depth, tags
