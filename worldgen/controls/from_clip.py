"""Geometry from the clip itself, without any weights."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, UInt8

from worldgen.controls.green import is_green
from worldgen.controls.memory import Memory, poses, small_flow
from worldgen.controls.settings import DEFAULT_GEOMETRY, GeometrySettings
from worldgen.controls.surfaces import Surfaces, SurfaceSolver, enlarged
from worldgen.controls.view import View, look, orient
from worldgen.datatypes import Camera, Clip, Geometry, Origins, Tag
from worldgen.datatypes.tags import EGO
from worldgen.imaging.flow import DenseFlow
from worldgen.imaging.spread import upsample_along

_BATCH: Final = 8
_EGO_M: Final = 2.0
_EGO_SOFTNESS_PX: Final = 2.5
"""Of the small picture; looked at on the real clips: no steps are left, and the outline stays where it is."""
"""Distance given to the recording vehicle itself."""
_MEASURED_HEIGHT: Final = (0.85, 1.2)
"""Interval of the scale when the camera's height was given: what pitch and the road's shape leave open."""


def estimate_geometry(
    clip: Clip, *, calibration: Camera | None = None, settings: GeometrySettings = DEFAULT_GEOMETRY
) -> Geometry:
    """Estimate depth, sky, ground, bonnet and pose of a clip.

    Depth comes from the camera's own travel where there is parallax, from ground contacts elsewhere, and
    from an assumed road plane when there is neither. Metres come from the camera's height alone.

    Args:
        clip: RGB frames.
        calibration: The camera, if known; its mounting height then gives the scale.
        settings: What is assumed otherwise.
    """
    view = look(clip, calibration, settings)
    pairs = orient(view, calibrated=calibration is not None)
    memory = Memory(view, pairs)
    solver = SurfaceSolver(view, memory, settings)
    width, height = clip.size
    depth = np.empty((len(clip), height, width), np.float32)
    tags = np.empty((len(clip), height, width), np.uint8)
    ego = _whole_ego(view.ego, width, height) if view.ego is not None else None
    for start in range(0, len(clip), _BATCH):
        frames = range(start, min(start + _BATCH, len(clip)))
        for frame, surfaces in zip(frames, solver.solve(frames), strict=True):
            _paint(clip.frames[frame], view, frame, surfaces, settings, depth[frame], tags[frame])
            if ego is not None:
                np.putmask(depth[frame], ego, _EGO_M)
                np.putmask(tags[frame], ego, EGO)
    moved = bool(pairs)
    return Geometry(
        depth_m=depth,
        origins=Origins(
            depth="from_motion" if moved else "assumed",
            scale="sidecar" if calibration else "assumed",
            tags="estimated",
            camera="sidecar" if calibration else "assumed",
            pose="from_motion" if moved else "absent",
            flow="from_motion" if settings.keep_flow else "absent",
        ),
        camera=view.camera.scaled(width, height),
        scale_interval=_MEASURED_HEIGHT if calibration else settings.scale_interval,
        tags=tags,
        pose=poses(pairs, memory.metres_per_frame) if moved else None,
        flow=_flow(view, width, height) if settings.keep_flow else None,
        ego_mask=ego,
        notes=_notes(view, moved=moved, calibrated=calibration is not None),
    )


def _whole_ego(
    small: Bool[npt.NDArray[np.bool_], "h w"], width: int, height: int
) -> Bool[npt.NDArray[np.bool_], "H W"]:
    """Bring the bonnet to full size without the steps of the small picture, as coachwork has none."""
    soft = cv2.GaussianBlur(
        small.astype(np.float32), (0, 0), _EGO_SOFTNESS_PX, borderType=cv2.BORDER_REPLICATE
    )
    return enlarged(np.asarray(soft, np.float32), width, height)


def _paint(
    frame: UInt8[npt.NDArray[np.uint8], "H W 3"],
    view: View,
    number: int,
    surfaces: Surfaces,
    settings: GeometrySettings,
    depth: Float32[npt.NDArray[np.float32], "H W"],
    tags: UInt8[npt.NDArray[np.uint8], "H W"],
) -> None:
    """Bring one frame to full size along the edges of its picture."""
    height, width = depth.shape
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small_luma = view.small_greys[number].astype(np.float32)
    inverse = upsample_along(surfaces.inverse, small_luma, luma)
    np.clip(inverse, 1.0 / settings.far_m, 1.0 / settings.near_m, out=inverse)
    np.divide(1.0, inverse, out=depth)
    sky = upsample_along(surfaces.sky, small_luma, luma) > 0.5
    tags[:] = _coarse_tags(view.small[number], surfaces, (width, height))
    np.putmask(depth, sky, np.inf)
    np.putmask(tags, sky, Tag.SKY)


def _coarse_tags(
    picture: UInt8[npt.NDArray[np.uint8], "h w 3"], surfaces: Surfaces, size: tuple[int, int]
) -> UInt8[npt.NDArray[np.uint8], "H W"]:
    """Tell road, other ground and green things; leave open what colour and motion cannot tell."""
    green = is_green(picture)
    small = np.full(surfaces.ground.shape, Tag.UNLABELED, np.uint8)
    small[green & ~surfaces.ground] = Tag.VEGETATION
    small[surfaces.ground] = Tag.ROAD
    small[surfaces.ground & green] = Tag.TERRAIN
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _flow(view: View, width: int, height: int) -> Float32[npt.NDArray[np.float32], "t H W 2"]:
    engine = DenseFlow("fast")
    small_h, small_w = view.small.shape[1:3]
    scale = np.array([width / small_w, height / small_h], np.float32)
    result = np.empty((len(view), height, width, 2), np.float32)
    for frame in range(len(view)):
        small = small_flow(view.small_greys, frame, engine)
        result[frame] = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    return result


def _notes(view: View, *, moved: bool, calibrated: bool) -> tuple[str, ...]:
    notes = list(view.notes)
    if moved:
        notes.append(
            "Depth was triangulated from the camera's own motion; things that move stand on their contact."
        )
    if not calibrated:
        notes.append(
            f"Metres follow from an assumed camera height of {view.camera.height_m:g} m and an assumed lens; "
            "claims in metres may not be made."
        )
    if view.ego is not None:
        notes.append("The recording vehicle was found at the bottom of the picture.")
    return tuple(notes)
