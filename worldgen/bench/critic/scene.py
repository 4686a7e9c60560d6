"""One test scene: the source drive, a condition that is asked of it, and candidates made honestly."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from worldgen.config.specs import find_preset
from worldgen.datatypes import Spec
from worldgen.models.physics import render_frames
from worldgen.sources.proving_ground import Drive, Edit, render_drive

Frames = npt.NDArray[np.uint8]

SIZE = (256, 144)
FRAMES = 17
FPS = 10.0


def asked_specs() -> tuple[Spec, ...]:
    """The recognisable conditions that physics and the proving ground both render."""
    return tuple(s for s in find_preset("nine").specs if s.asks_for != "clear")


@dataclass(eq=False)
class TestScene:
    """A drive of the proving ground and the spec that is asked of it; renders are made when first used."""

    __test__ = False  # a noun, not a test case

    seed: int

    @cached_property
    def spec(self) -> Spec:
        """The condition asked of this scene, taken in turn over the seeds."""
        specs = asked_specs()
        return specs[self.seed % len(specs)].model_copy(update={"seed": self.seed % 2**32})

    @cached_property
    def other_spec(self) -> Spec:
        """Another condition, far from the asked one."""
        specs = asked_specs()
        return specs[(self.seed + 3) % len(specs)].model_copy(update={"seed": self.seed % 2**32})

    @cached_property
    def drive(self) -> Drive:
        """The source, in a clear day's light."""
        return render_drive(self.seed, frames=FRAMES, size=SIZE, fps=FPS)

    @cached_property
    def painted(self) -> Frames:
        """Weather physics on the source."""
        return self.paint(self.drive, self.spec)

    @property
    def source_frames(self) -> Frames:
        """Frames of the source."""
        return np.asarray(self.drive.clip.frames)

    @property
    def painted_otherwise(self) -> Frames:
        """Another condition, painted on the source."""
        return self.paint(self.drive, self.other_spec)

    @property
    def painted_elsewhere(self) -> Frames:
        """The asked condition, painted on the next seed's drive."""
        return self.paint(TestScene(self.seed + 1).drive, self.spec)

    @cached_property
    def staged(self) -> Frames:
        """The same scene rendered under the weather: nothing is post-processed."""
        return self.stage(())

    def paint(self, drive: Drive, spec: Spec, geometry_of: Drive | None = None) -> Frames:
        """Paint a condition on a drive, with its own geometry or, wrongly, another's."""
        geometry = (geometry_of or drive).geometry
        return np.stack(list(render_frames(drive.clip, geometry, spec, drive.condition, spec.seed)))

    def stage(self, edits: tuple[Edit, ...]) -> Frames:
        """Render the scene under the asked weather, with things changed."""
        return np.asarray(
            render_drive(
                self.seed, frames=FRAMES, size=SIZE, fps=FPS, spec=self.spec, edits=edits
            ).clip.frames
        )

    def edited(self, edits: tuple[Edit, ...]) -> Drive:
        """Render the source with things changed."""
        return render_drive(self.seed, frames=FRAMES, size=SIZE, fps=FPS, edits=edits)

    def actor_ids(self, min_pixels: int = 24) -> list[int]:
        """Actors that can be seen, largest first; at least `min_pixels` in their best frame."""
        instances = self._instances
        known = {o.id for f in self.drive.labels.frames for o in f.objects}
        sizes = {i: int((instances == i).sum(axis=(1, 2)).max()) for i in known}
        return sorted((i for i, n in sizes.items() if n >= min_pixels), key=lambda i: -sizes[i])

    def mask(self, actor_id: int) -> npt.NDArray[np.bool_]:
        """Return where an actor is, [t, h, w]."""
        return np.asarray(self._instances == actor_id)

    @property
    def _instances(self) -> npt.NDArray[np.int32]:
        instances = self.drive.geometry.instances
        if instances is None:
            message = "the proving ground renders instances"
            raise RuntimeError(message)
        return instances


class Pictures(Protocol):
    """A source and what was made of it, as pictures only: all that half of the defects need."""

    @property
    def source_frames(self) -> Frames:
        """The source."""

    @property
    def painted(self) -> Frames:
        """The asked condition, painted honestly."""

    @property
    def painted_otherwise(self) -> Frames:
        """Another condition than the asked one, painted honestly."""

    @property
    def painted_elsewhere(self) -> Frames:
        """The asked condition, painted on another clip."""


PictureMaker = Callable[[Pictures, int, np.random.Generator], Frames | None]
"""As `Maker`, from pictures only."""

Maker = Callable[[TestScene, int, np.random.Generator], Frames | None]
"""Makes a defective candidate at strength 1 (weak) to 3 (strong); None when the scene has no place for it."""


def is_visible(good: Frames, bad: Frames, *, levels: int = 14, pixels: int = 14) -> bool:
    """Whether a person could see the difference: enough pixels that differ by enough, in some frame.

    A defect that a person could not see (a frozen parked scene, a plate of two pixels) does not count.
    """
    if good.shape != bad.shape:
        return True
    difference = np.abs(good.astype(np.int16) - bad).max(axis=-1)
    return bool((difference > levels).sum(axis=(1, 2)).max() >= pixels)
