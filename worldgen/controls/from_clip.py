"""Geometry from the clip itself, without any weights."""

import math

import numpy as np

from worldgen.controls.settings import DEFAULT_GEOMETRY, GeometrySettings
from worldgen.datatypes import Camera, Clip, Geometry, Origins, Tag
from worldgen.imaging.ground import ground_depth, horizon_row, pitch_for_horizon
from worldgen.imaging.sky import sky_mask


def assumed_camera(width: int, height: int, settings: GeometrySettings) -> Camera:
    """Guess a camera: principal point in the middle, the configured field of view, level."""
    focal = 0.5 * width / math.tan(math.radians(settings.hfov_deg) / 2)
    return Camera(
        width=width,
        height=height,
        fx=focal,
        fy=focal,
        cx=(width - 1) / 2,
        cy=(height - 1) / 2,
        height_m=settings.camera_height_m,
    )


def estimate_geometry(
    clip: Clip, *, calibration: Camera | None = None, settings: GeometrySettings = DEFAULT_GEOMETRY
) -> Geometry:
    """Estimate metric depth, sky and road of a clip.

    Args:
        clip: RGB frames.
        calibration: The camera, if known; its mounting height then gives the scale.
        settings: What is assumed otherwise.
    """
    width, height = clip.size
    camera = calibration.scaled(width, height) if calibration else assumed_camera(width, height, settings)
    if calibration is None:
        camera = camera.model_copy(update={"pitch_rad": pitch_for_horizon(camera, 0.5 * height)})
    plane = ground_depth(camera, near_m=settings.near_m, far_m=settings.far_m)
    depth = np.repeat(plane[None], len(clip), axis=0)
    tags = np.zeros(depth.shape, np.uint8)
    horizon = horizon_row(camera)
    for i, frame in enumerate(clip.frames):
        sky = sky_mask(frame, horizon)
        depth[i][sky] = np.inf
        tags[i][sky] = Tag.SKY
    return Geometry(
        depth_m=depth,
        origins=Origins(depth="assumed", scale="sidecar" if calibration else "assumed", tags="estimated"),
        camera=camera,
        scale_interval=(1.0, 1.0) if calibration else settings.camera_height_interval,
        tags=tags,
        notes=("Depth is a bare ground plane with a sky mask.",),
    )
