"""Labels from a simulator's actors: what the camera sees of each box, measured on depth and instances.

Each box is met by the ray of every pixel it may cover. A pixel whose depth lies before the box hides it; one
that carries the actor's instance id (or, without instances, whose depth lies within the box) shows it. The
rest is background seen through the box's empty corners: a car fills about two thirds of its cuboid.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64, Int32

from worldgen.datatypes import Box2d, Box3d, Camera, FrameLabels, ObjectLabel
from worldgen.datatypes.scene import SceneBox, array_of
from worldgen.imaging.boxes import clip_outline, corners_of, outline_of, truncation_of
from worldgen.imaging.projection import rays
from worldgen.imaging.rle import encode_part
from worldgen.sources.carla.axes import yaw_of

_MARGIN_M: Final = 0.25
_MIN_PIXELS: Final = 4
_TINY_PIXELS_HIGH: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the camera sees of one box."""

    box2d: Box2d
    mask_rle: tuple[int, ...]
    pixels: int
    occlusion: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """What is known of every pixel of a frame."""

    depth_m: Float32[npt.NDArray[np.float32], "h w"] | None
    instances: Int32[npt.NDArray[np.int32], "h w"] | None = None
    depth_error_m: Float32[npt.NDArray[np.float32], "h w"] | None = None


def labels_of_frame(
    index: int,
    boxes: tuple[SceneBox, ...],
    *,
    world_from_camera: Float64[npt.NDArray[np.float64], "4 4"],
    camera: Camera,
    depth_m: Float32[npt.NDArray[np.float32], "h w"] | None,
    instances: Int32[npt.NDArray[np.int32], "h w"] | None,
    depth_error_m: Float32[npt.NDArray[np.float32], "h w"] | None = None,
) -> FrameLabels:
    """Label one frame; actors of which no pixel can be seen have no label in it.

    Args:
        index: Of the frame.
        boxes: Actors in world axes, the recording vehicle left out.
        world_from_camera: Pose.
        camera: Which camera.
        depth_m: Without it (and without instances) occlusion stays unknown.
        instances: Pixels by actor id.
        depth_error_m: How wrong the depth may be, where it was stored coarsely.
    """
    picture = Picture(depth_m=depth_m, instances=instances, depth_error_m=depth_error_m)
    camera_from_world = np.linalg.inv(world_from_camera)
    objects = []
    for box in boxes:
        camera_from_box = camera_from_world @ array_of(box.world_from_box)
        label = _label(box, camera_from_box, camera, picture)
        if label is not None:
            objects.append(label)
    return FrameLabels(frame=index, objects=tuple(objects))


def see_box(
    size_m: tuple[float, float, float],
    camera_from_box: Float64[npt.NDArray[np.float64], "4 4"],
    outline: Float32[npt.NDArray[np.float32], "n 2"],
    camera: Camera,
    picture: Picture,
    identity: int,
) -> Seen | None:
    """Find the pixels that show a box, and the share of it that other things hide; None when none do."""
    # One pixel more on each side: a rasteriser rounds its own way.
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, (camera.width, camera.height))
    if right - left < 1 or bottom - top < 1:
        return None
    part = (slice(top, bottom), slice(left, right))
    by_id = None if picture.instances is None else picture.instances[part] == identity
    if by_id is not None and not by_id.any():
        return None
    directions = rays(camera)[part]
    enter, leave = meet_box(directions, camera_from_box, size_m)
    meets = leave > enter
    ahead = None
    margin: npt.NDArray[np.float32] | float = _MARGIN_M
    if picture.depth_m is not None:
        ahead = picture.depth_m[part] / np.maximum(directions[..., 2], 1e-6)
    if picture.depth_error_m is not None:
        margin = _MARGIN_M + 2 * picture.depth_error_m[part]
    if by_id is not None:
        shows = by_id
    elif ahead is not None:
        shows = meets & (ahead > enter - margin) & (ahead < leave + margin)
    else:
        return None
    pixels = int(shows.sum())
    if pixels < 1:
        return None
    hidden = meets & ~shows
    if ahead is not None:
        hidden &= ahead < enter - margin
        count = int((meets | shows).sum())
        occlusion = float(hidden.sum() / count) if count else 0.0
    else:
        occlusion = 0.0
    rows, columns = np.flatnonzero(shows.any(axis=1)), np.flatnonzero(shows.any(axis=0))
    box = Box2d(
        left=float(left + columns[0]),
        top=float(top + rows[0]),
        right=float(left + columns[-1] + 1),
        bottom=float(top + rows[-1] + 1),
    )
    tight = shows[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    runs = encode_part(tight, left=int(box.left), top=int(box.top), width=camera.width, height=camera.height)
    return Seen(box2d=box, mask_rle=runs, pixels=pixels, occlusion=round(occlusion, 4))


def box3d_of(
    size_m: tuple[float, float, float], camera_from_box: Float64[npt.NDArray[np.float64], "4 4"]
) -> Box3d:
    """Write a posed box as `Box3d`: middle, size and yaw; pitch and roll against the camera are left out."""
    x, y, z = (round(float(v), 4) for v in camera_from_box[:3, 3])
    return Box3d(center_m=(x, y, z), size_m=size_m, yaw_rad=round(yaw_of(camera_from_box), 6))


def _label(
    box: SceneBox,
    camera_from_box: npt.NDArray[np.float64],
    camera: Camera,
    picture: Picture,
) -> ObjectLabel | None:
    corners = corners_of(box.size_m, camera_from_box)
    outline = outline_of(corners, camera)
    if outline is None:
        return None
    projected = clip_outline(outline, camera)
    if projected is None:
        return None
    seen: Seen | None = None
    if picture.depth_m is not None or picture.instances is not None:
        seen = see_box(box.size_m, camera_from_box, outline, camera, picture, box.id)
        if seen is None:
            return None
    box2d = seen.box2d if seen else projected
    too_small = seen is not None and (seen.pixels < _MIN_PIXELS or box2d.height < _TINY_PIXELS_HIGH)
    distances = np.linalg.norm(corners, axis=1)
    nearest = _distance_to_box(camera_from_box, box.size_m)
    return ObjectLabel(
        id=box.id,
        category=box.category,
        box2d=box2d,
        box3d=box3d_of(box.size_m, camera_from_box),
        mask_rle=seen.mask_rle if seen else None,
        origin="simulator",
        occlusion=seen.occlusion if seen and picture.depth_m is not None else None,
        truncation=round(truncation_of(outline, camera), 4),
        range_m=round(float(np.linalg.norm(camera_from_box[:3, 3])), 3),
        range_interval_m=(round(nearest, 3), round(float(distances.max()), 3)),
        pixels_high=box2d.height,
        use="ignore" if too_small else "train",
        reason="too_small" if too_small else None,
        attributes=box.attributes,
    )


def meet_box(
    directions: npt.NDArray[np.float32],
    camera_from_box: npt.NDArray[np.float64],
    size_m: tuple[float, float, float],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Where rays from the camera enter and leave a box, in metres along them (slabs; Kay and Kajiya 1986)."""
    turn = camera_from_box[:3, :3].astype(np.float32)
    start = -(camera_from_box[:3, :3].T @ camera_from_box[:3, 3]).astype(np.float32)
    along = directions @ turn
    along = np.where(np.abs(along) < 1e-9, np.float32(1e-9), along)
    half = np.asarray(size_m, np.float32) / 2
    near, far = (-half - start) / along, (half - start) / along
    enter = np.minimum(near, far).max(axis=-1)
    leave = np.maximum(near, far).min(axis=-1)
    return np.maximum(enter, np.float32(0)), np.asarray(leave, np.float32)


def _distance_to_box(camera_from_box: npt.NDArray[np.float64], size_m: tuple[float, float, float]) -> float:
    start = -(camera_from_box[:3, :3].T @ camera_from_box[:3, 3])
    outside = np.maximum(np.abs(start) - np.asarray(size_m) / 2, 0.0)
    return float(np.linalg.norm(outside))
