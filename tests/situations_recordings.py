"""Named recordings: small scenes cast by rays, so that every pixel's truth is known, written as dumps."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.spatial.transform import Rotation

from worldgen.datatypes import Camera, MapElement, SceneBox, Tag
from worldgen.datatypes.scene import array_of
from worldgen.imaging.projection import rays
from worldgen.media.video import write_lossless, write_video
from worldgen.sources.carla.axes import BOX_FROM_FLU, OURS_FROM_FLU, yaw_matrix
from worldgen.sources.carla.clip_manifest import ClipCamera, calibration_of, ego_from_camera
from worldgen.sources.carla.encodings import paint_cityscapes
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


def a_cosmos_clip(
    folder: Path,
    *,
    frames: int = 5,
    boxes: list[SceneBox] | None = None,
    scene: bool = True,
    width: int = 320,
    height: int = 176,
    hfov: float = 90.0,
    mount_height: float = 1.6,
    pitch_deg: float = 2.0,
    kinds: tuple[str, ...] = ("rgb", "depth", "seg", "edge"),
    seg: str = "semantic",
    fps: int = 10,
) -> Path:
    """Write a clip folder as CARLA's Cosmos client does: videos, manifest, Parquet scene package."""
    name = "camera:front:wide:120fov"
    rig_camera = {
        "name": name,
        "hfov": hfov,
        "width": width,
        "height": height,
        "lens": "pinhole",
        "t_flu": [1.7, 0.0, mount_height],
        "rpy_flu": [0.0, pitch_deg, 0.0],
        "attach_ue": {"x": 1.7, "y": 0.0, "z": mount_height, "pitch": -pitch_deg, "yaw": 0.0, "roll": 0.0},
        "shifted": False,
    }
    described = ClipCamera.model_validate(rig_camera)
    camera, mounting = calibration_of(described), ego_from_camera(described)
    boxes = [a_car(), a_car(9, 22, -2.5), a_car(11, 30, 3.5), a_car(12, 12, -4)] if boxes is None else boxes
    shots, poses = [], []
    for index in range(frames):
        ego = np.eye(4)
        ego[2, 3] = 8.0 * index / fps
        poses.append(ego)
        shots.append(cast(camera, ego @ mounting, boxes))
    folder.mkdir(parents=True)
    inverse = np.stack([1 / np.clip(np.minimum(s.depth_m, 1000), 0.1, None) for s in shots])
    grey = np.rint(255 * (inverse - inverse.min()) / np.ptp(inverse)).astype(np.uint8)
    palette = np.random.default_rng(20260826).integers(48, 256, size=(65536, 3)).astype(np.uint8)
    palette[0] = 0
    pictures = {
        "rgb": [s.rgb for s in shots],
        "depth": [np.repeat(g[..., None], 3, axis=2) for g in grey],
        "seg": [paint_cityscapes(s.tags) if seg == "semantic" else palette[s.instances] for s in shots],
        "edge": [np.repeat(cv2.Canny(s.rgb, 100, 200)[..., None], 3, axis=2) for s in shots],
    }
    videos = {}
    for kind in kinds:
        file = f"{kind}_{name.replace(':', '_')}.mp4"
        write = write_video if kind == "rgb" else write_lossless
        write(folder / file, pictures[kind], fps=fps)
        videos[f"{kind}/{name.replace(':', '_')}"] = file
    manifest = {
        "format_version": 1,
        "clip_id": "clip0",
        "carla_version": "0.10.0",
        "map": "Town10HD_Opt",
        "weather": CLEAR_NOON,
        "rig": {"name": "single", "mount": "exact", "cameras": [rig_camera]},
        "fps": fps,
        "frames": frames,
        "ego_id": 1,
        "ego_type_id": "vehicle.lincoln.mkz",
        "rear_axle_offset_ue": [-1.4, 0.0, 0.0],
        "aovs": ["rgb", "depth", "semantic", "instance"],
        "videos": videos,
        "scene_dir": "scene" if scene else None,
        "visibility": None,
        "recorder": None,
        "seed": 0,
        "created": "2026-09-01T00:00:00Z",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if scene:
        _write_scene(folder / "scene", "clip0", poses, boxes, fps)
    return folder


def _write_scene(
    folder: Path, clip_id: str, poses: list[np.ndarray], boxes: list[SceneBox], fps: int
) -> None:
    """Write the tables that matter, in the schemas of CARLA's clipgt.py."""
    folder.mkdir()
    stamps = [1_000_000 + round(1e6 * i / fps) for i in range(len(poses))]

    def flu(matrix: np.ndarray, right: np.ndarray) -> tuple[dict, dict]:
        turned = OURS_FROM_FLU.T @ matrix @ right
        quaternion = Rotation.from_matrix(turned[:3, :3]).as_quat()
        return _xyz(turned[:3, 3]), dict(zip("xyzw", map(float, quaternion), strict=True))

    def write(name: str, rows: list[dict]) -> None:
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{clip_id}.{name}.parquet")

    ego, obstacles = [], []
    for stamp, pose in zip(stamps, poses, strict=True):
        location, orientation = flu(pose, OURS_FROM_FLU)
        value = {"name": "egomotion_carla", "location": location, "orientation": orientation}
        ego.append({"key": {"clip_id": clip_id, "timestamp_micros": stamp}, "egomotion_estimate": value})
    for number, box in enumerate(boxes):
        centre, orientation = flu(array_of(box.world_from_box), BOX_FROM_FLU)
        long, tall, wide = box.size_m
        parked = number % 2 == 1
        for stamp in (stamps[0], stamps[-1]) if parked else stamps:
            value = {
                "trackline_id": f"static:car:{number}" if parked else str(box.id),
                "center": centre,
                "size": {"x": long, "y": wide, "z": tall},
                "orientation": orientation,
                "category": "automobile",
            }
            obstacles.append({"key": {"clip_id": clip_id, "timestamp_micros": stamp}, "obstacle": value})
    write("egomotion_estimate", ego)
    write("obstacle", obstacles)
    rail = [_xyz((x, 1.75, 0.0)) for x in range(0, 60, 10)]
    line = {"line_rail": rail, "styles": ["DASHED_SINGLE"] * 6, "colors": ["WHITE"] * 6}
    write("lane_line", [{"key": {"clip_id": clip_id}, "lane_line": line}])
    pole = {"category": "LIGHT", "location": [_xyz((20, -4, 5)), _xyz((20, -4, 0))]}
    write("pole", [{"key": {"clip_id": clip_id}, "pole": pole}])
    light = {
        "center": _xyz((20, -4, 5)),
        "dimensions": _xyz((0.3, 0.4, 1.0)),
        "orientation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0},
        "category": "traffic_light",
    }
    write("traffic_light", [{"key": {"clip_id": clip_id}, "traffic_light": light}])
    states = {"timestamps_micros": stamps, "states": [{"42": "Red"}] * len(stamps)}
    (folder / f"{clip_id}.traffic_light_states.json").write_text(json.dumps(states))


def _xyz(values: object) -> dict:
    x, y, z = (float(v) for v in values)
    return {"x": x, "y": y, "z": z}
