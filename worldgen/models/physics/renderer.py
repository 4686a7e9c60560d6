"""The renderer: every effect in the order in which light meets it, one frame at a time."""

from collections.abc import Iterator

import numpy as np

from worldgen.datatypes import Clip, Condition, Geometry, Spec
from worldgen.models.physics.light import Encoder, Picture
from worldgen.models.physics.look import Look, look_of
from worldgen.models.physics.medium import apply_medium, medium_of
from worldgen.models.physics.scene import Scene


class FrameRenderer:
    """Renders any frame of one clip under one spec; prepared once, then pure per frame.

    Args:
        clip: Source frames.
        geometry: Of the same frames.
        spec: The asked condition.
        condition: The source's own.
        seed: Of everything random: the same seed gives the same bytes on one machine.
    """

    def __init__(self, clip: Clip, geometry: Geometry, spec: Spec, condition: Condition, seed: int) -> None:
        self.scene = Scene(clip, geometry)
        self.look: Look = look_of(spec, condition)
        self.seed = seed
        self._medium = medium_of(self.look)
        self._gain = np.float32(2.0**self.look.exposure_stops)
        self._encoder = Encoder(clip.size, knee=1.0, seed=seed)

    def render(self, index: int) -> Picture:
        """Render one frame."""
        view = self.scene.view(index)
        if self._medium is not None:
            apply_medium(view, self._medium)
        if self._gain != 1:
            view.light *= self._gain
        return self._encoder.encode(view.light, index)

    @property
    def rendered(self) -> dict[str, float | str]:
        """The condition as rendered, for labels and provenance."""
        look = self.look
        values: dict[str, float | str] = {"pose_origin": self.scene.pose_origin} if look.snow_cover else {}
        if self._medium is not None:
            values["extinction_per_m"] = self._medium.extinction
        return values


def render_frames(
    clip: Clip, geometry: Geometry, spec: Spec, condition: Condition, seed: int
) -> Iterator[Picture]:
    """Render every frame of a clip, in order."""
    renderer = FrameRenderer(clip, geometry, spec, condition, seed)
    for index in range(len(clip)):
        yield renderer.render(index)
