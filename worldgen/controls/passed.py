"""Control maps that the user brought: passed through, and the little geometry that they hold."""

from pathlib import Path

import numpy as np

from worldgen.controls.camera import assumed_camera
from worldgen.controls.relative import RoadFit, fit_to_road, horizon_of_relative, road_prior
from worldgen.controls.settings import GeometrySettings
from worldgen.datatypes import ControlKind, ControlRef, Geometry, Origin, Origins, Source, Tag
from worldgen.errors import SourceError
from worldgen.imaging.ground import horizon_row, pitch_for_horizon
from worldgen.media.video import read_clip, ref_of


def passed_control(kind: ControlKind, path: Path, source: Source) -> ControlRef:
    """Refer to a control video as it is.

    Raises:
        SourceError: `count_mismatch` when it has other frames than the source.
    """
    video = ref_of(path)
    if video.frames != source.frames:
        message = f"{path} has {video.frames} frames, the source has {source.frames}"
        raise SourceError(message, reason="count_mismatch")
    origin: Origin = "simulator" if source.kind == "carla_clip" else "sidecar"
    return ControlRef(
        kind=kind, video=video, origin=origin, parameters=(("made", "elsewhere, passed through"),)
    )


def geometry_of_control(path: Path, source: Source, settings: GeometrySettings) -> Geometry:
    """Read what a depth control tells: relative inverse depth, laid on an assumed road plane.

    The convention (near is bright, 1/d stretched over the clip) is undone up to an unknown scale; black
    is taken as infinity where the darkest value is common in the upper half (sky), else as `far_m`.
    """
    clip = read_clip(path, trusted=False)
    relative = clip.frames[..., 0].astype(np.float32) / 255.0
    if relative.shape[0] != source.frames:
        message = f"{path} has {relative.shape[0]} frames, the source has {source.frames}"
        raise SourceError(message, reason="count_mismatch")
    height, width = relative.shape[1:]
    given = source.calibration
    camera = given.scaled(width, height) if given else assumed_camera(width, height, settings)
    thin = relative[:: max(1, len(relative) // 8)]
    road = np.broadcast_to(road_prior(height, width), thin.shape)
    black = relative[:, : height // 2] <= 1.5 / 255
    has_sky = float(black.mean()) > 0.01
    horizon = horizon_of_relative(thin, road) if has_sky else None
    if given is None:
        row = horizon if horizon is not None and 0.2 * height < horizon < 0.8 * height else 0.5 * height
        camera = camera.model_copy(update={"pitch_rad": pitch_for_horizon(camera, row)})
    fit = fit_to_road(thin, road, camera, has_shift=not has_sky)
    notes = ["Depth was read from an 8-bit control video: relative, coarse in the distance, never metric."]
    if fit is None:
        notes.append("No road plane was found in it, so its scale is arbitrary.")
        fit = RoadFit(1.0 / settings.near_m, 1.0 / settings.far_m, 1.0)
    else:
        notes.append(
            f"Its scale was laid on a road plane {camera.height_m:g} m under the camera "
            f"(median misfit {100 * fit.residual:.0f}%)."
        )
    inverse = np.clip(fit.scale * relative + fit.shift, 1.0 / settings.far_m, 1.0 / settings.near_m)
    depth = np.asarray(1.0 / inverse, np.float32)
    tags = np.zeros(depth.shape, np.uint8)
    if has_sky:
        rows = np.arange(height)[None, :, None] < horizon_row(camera)
        sky = (relative <= 1.5 / 255) & rows
        depth[sky] = np.inf
        tags[sky] = Tag.SKY
    return Geometry(
        depth_m=depth,
        origins=Origins(depth="sidecar", scale="assumed", tags="estimated" if has_sky else "absent"),
        camera=camera,
        scale_interval=(0.4, 2.5),
        tags=tags if has_sky else None,
        notes=tuple(notes),
    )
