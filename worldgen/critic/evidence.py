"""Evidence: what the checks of one case share, computed once and only when a check asks for it."""

from functools import cached_property

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Int32, UInt8

from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Box2d, Condition, Geometry, Labels, Place, Spec
from worldgen.imaging.edges import gradient_gain
from worldgen.imaging.noise import noise_map
from worldgen.imaging.structure import Comparison, compare


class Evidence:
    """Source, candidate, geometry and the asked spec, at working size.

    Args:
        source: None for control videos without RGB.
        candidate: As decoded from the file that users get.
        geometry: At the source's size, frame for frame; None when there is none.
        spec: What was asked; None judges structure, time and technique only.
        condition: Of the source.
        labels: Of the source.
        thresholds: Every number that is compared with.
    """

    def __init__(
        self,
        *,
        source: View | None,
        candidate: View,
        geometry: Geometry | None,
        spec: Spec | None,
        condition: Condition,
        labels: Labels | None,
        thresholds: Thresholds,
    ) -> None:
        self.source = source
        self.candidate = candidate
        self.geometry = geometry
        self.spec = spec
        self.condition = condition
        self.labels = labels
        self.thresholds = thresholds

    @property
    def comparable(self) -> bool:
        """Whether source and candidate are frame for frame and of one size."""
        return (
            self.source is not None
            and len(self.source) == len(self.candidate)
            and self.source.size == self.candidate.size
        )

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Structure of every frame against the source's. Only for comparable cases."""
        assert self.source is not None
        limits = self.thresholds.structure
        gain = gradient_gain(self.thresholds.gradient_sigma)
        return tuple(
            compare(
                self.source.gradient(i),
                self.candidate.gradient(i),
                noise=gain * noise_map(self.candidate.luma[i]),
                tile=limits.tile_pixels,
                floor=limits.floor_levels,
            )
            for i in range(len(self.candidate))
        )

    @cached_property
    def depth_m(self) -> Float32[npt.NDArray[np.float32], "t h w"] | None:
        """Depth at working size."""
        return None if self.geometry is None else _nearest(self.geometry.depth_m, self.candidate.size)

    @cached_property
    def tags(self) -> UInt8[npt.NDArray[np.uint8], "t h w"] | None:
        """Semantic tags at working size."""
        if self.geometry is None or self.geometry.tags is None:
            return None
        return _nearest(self.geometry.tags, self.candidate.size)

    @cached_property
    def instances(self) -> Int32[npt.NDArray[np.int32], "t h w"] | None:
        """Instance ids at working size."""
        if self.geometry is None or self.geometry.instances is None:
            return None
        return _nearest(self.geometry.instances, self.candidate.size)

    def place(self, first: int, last: int, tiles: tuple[int, int, int, int] | None = None) -> Place:
        """Name a place in the file's pixels; `tiles` is (left, top, right, bottom) in tiles, half-open."""
        if tiles is None:
            return Place(first_frame=first, last_frame=last)
        step = self.thresholds.structure.tile_pixels / self.candidate.scale
        width, height = self.candidate.clip.size
        left, top, right, bottom = (v * step for v in tiles)
        box = Box2d(left=left, top=top, right=min(right, width), bottom=min(bottom, height))
        return Place(first_frame=first, last_frame=last, box2d=box)


def _nearest(stack: npt.NDArray[np.generic], size: tuple[int, int]) -> npt.NDArray[np.generic]:  # type: ignore[type-arg]
    width, height = size
    if stack.shape[1:] == (height, width):
        return stack
    rows = ((np.arange(height) + 0.5) * stack.shape[1] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * stack.shape[2] / width).astype(np.intp)
    return np.stack([plane[rows][:, columns] for plane in stack])
