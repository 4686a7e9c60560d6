"""A trivial extractor: a flat road, a level horizon, and control maps made of them. It looks at nothing."""

import numpy as np

from worldgen.controls.camera import assumed_camera
from worldgen.controls.extractor import ReadClip
from worldgen.controls.make import make_control
from worldgen.controls.settings import DEFAULT_CONTROLS, DEFAULT_GEOMETRY, GeometrySettings
from worldgen.datatypes import (
    CONTROL_KINDS,
    Clip,
    Condition,
    ControlKind,
    Geometry,
    Material,
    Origins,
    Source,
    Tag,
    digest,
)
from worldgen.imaging.ground import ground_depth, inverse_ground_depth
from worldgen.media.scratch import Scratch


def flat_geometry(clip: Clip, settings: GeometrySettings = DEFAULT_GEOMETRY) -> Geometry:
    """Lay a road under the lower half of every frame and sky over the upper."""
    width, height = clip.size
    camera = assumed_camera(width, height, settings)
    plane = ground_depth(camera, near_m=settings.near_m, far_m=settings.far_m)
    is_sky = inverse_ground_depth(camera) <= 1.0 / settings.far_m
    tags = np.where(is_sky, Tag.SKY, Tag.ROAD).astype(np.uint8)
    plane = np.where(is_sky, np.float32(np.inf), plane)
    count = len(clip)
    return Geometry(
        depth_m=np.repeat(plane[None], count, axis=0),
        origins=Origins(depth="assumed", scale="assumed", tags="assumed"),
        camera=camera,
        scale_interval=(0.3, 3.0),
        tags=np.repeat(tags[None], count, axis=0),
        notes=("A flat road and a level horizon, whatever the picture shows.",),
    )


class FlatExtractor:
    """Passes the contract of every extractor without looking at the picture: for tests and timing."""

    def __init__(self, scratch: Scratch, *, read_clip: ReadClip) -> None:
        self._scratch = scratch
        self._read_clip = read_clip

    def recipe(self, source: Source, kinds: frozenset[ControlKind]) -> str:
        """Name how the material is made."""
        return digest("flat", "1", sorted(kinds), source.condition.label if source.condition else "")

    def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Make flat material."""
        clip = self._read_clip(source)
        geometry = flat_geometry(clip)
        made = [
            make_control(kind, clip, geometry, DEFAULT_CONTROLS) for kind in CONTROL_KINDS if kind in kinds
        ]
        video = source.video
        if video is not None:
            self._scratch.remember_clip(video, clip)
        else:
            video = self._scratch.put_clip(clip)
        return Material(
            video=video,
            geometry=self._scratch.put_geometry(geometry),
            controls=tuple(self._scratch.put_control(control, fps=source.fps) for control in made),
            condition=source.condition or Condition(),
            labels=source.labels,
            recipe=self.recipe(source, kinds),
        )
