"""A view: one frame under work, and what geometry says about its pixels."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.datatypes import Tag
from worldgen.datatypes.tags import EGO, FLAT
from worldgen.models.physics.ground import GroundPlane
from worldgen.models.physics.ground_view import GroundView
from worldgen.models.physics.light import Linear, Picture, Plane, decode, luminance
from worldgen.models.physics.scene import Mask, Scene

FAR_M: Final = 1.0e5
"""Stands for the infinite depth of the sky, so that arithmetic stays finite."""
PAVED: Final = (Tag.ROAD, Tag.ROAD_LINE, Tag.SIDEWALK)


@dataclass(eq=False)
class View:
    """One frame under work. Effects change `light` in place and read the rest, made when asked for."""

    scene: Scene
    index: int

    @cached_property
    def light(self) -> Linear:
        """Linear light of the frame as far as it is rendered."""
        return decode(self.frame)

    @property
    def frame(self) -> Picture:
        """The source's frame."""
        return np.asarray(self.scene.clip.frames[self.index])

    @cached_property
    def source(self) -> Linear:
        """The frame as the source has it, in linear light."""
        source = decode(self.frame)
        source.flags.writeable = False
        return source

    @cached_property
    def luma(self) -> Plane:
        """Luminance of the source frame."""
        return luminance(self.source)

    @property
    def plane(self) -> GroundPlane:
        """The ground of this frame."""
        return self.scene.planes[self.index]

    @property
    def seconds(self) -> float:
        """Time of this frame."""
        return float(self.scene.clip.timestamps_seconds[self.index])

    @cached_property
    def depth_m(self) -> Plane:
        """Depth along the axis; the sky is FAR_M."""
        depth = np.asarray(self.scene.map("depth_m", self.index), np.float32)
        return np.asarray(np.minimum(depth, np.float32(FAR_M)), np.float32)

    @cached_property
    def tags(self) -> npt.NDArray[np.uint8] | None:
        """`Tag` per pixel if known."""
        tags = self.scene.map("tags", self.index)
        return None if tags is None else np.asarray(tags, np.uint8)

    def has_tag(self, *tags: Tag) -> Mask:
        """Where any of these tags is; nowhere when nothing is tagged."""
        if self.tags is None:
            return np.zeros(self.frame.shape[:2], np.bool_)
        table = np.zeros(256, np.uint8)
        table[[int(t) for t in tags]] = 1
        return np.asarray(cv2.LUT(self.tags, table)).view(np.bool_)

    @cached_property
    def ego(self) -> Mask | None:
        """The recording vehicle itself."""
        mask = self.scene.map("ego_mask", self.index)
        if mask is None and self.tags is not None and bool((self.tags[-1] == EGO).any()):
            mask = self.tags == EGO
        return None if mask is None else np.asarray(mask, np.bool_)

    def without_ego(self, mask: Mask) -> Mask:
        """A mask less the recording vehicle."""
        return mask if self.ego is None else np.asarray(mask & ~self.ego)

    @cached_property
    def sky_mask(self) -> Mask:
        """Hard mask of the sky: infinite depth, or tagged so."""
        sky = self.depth_m >= FAR_M
        return np.asarray(sky if self.tags is None else sky | (self.tags == Tag.SKY))

    @cached_property
    def sky_rows(self) -> slice:
        """Rows from the top that hold all of the sky and its soft outline."""
        rows = np.flatnonzero(self.sky_mask[:, ::2].any(axis=1))
        if not len(rows):
            return slice(0, 0)
        margin = max(8, self.frame.shape[0] // 40)
        return slice(0, min(self.frame.shape[0], int(rows[-1]) + margin))

    @cached_property
    def _matte(self) -> tuple[Plane, Linear | None]:
        rows = self.sky_rows
        return self.scene.skies.matte(self.sky_mask[rows], self.frame[rows])

    @property
    def sky(self) -> Plane:
        """Share of the sky per pixel of `sky_rows`, 0..1, soft where leaves and wires mix with it."""
        return self._matte[0]

    @cached_property
    def sky_rim(self) -> npt.NDArray[np.intp]:
        """Pixels in which sky and things mix, as flat indices into the frame (and into `sky_rows`)."""
        return np.flatnonzero((self.sky > 0) & (self.sky < 1))

    @cached_property
    def sky_around_rim(self) -> Float32[npt.NDArray[np.float32], "n 3"] | None:
        """The source's own sky around each pixel of `sky_rim`; None when none is seen."""
        coarse = self._matte[1]
        if coarse is None:
            return None
        (h, w), (small_h, small_w) = self.sky.shape, coarse.shape[:2]
        row, column = np.divmod(self.sky_rim, w)
        x = ((column + 0.5) * (small_w / w) - 0.5).astype(np.float32)
        y = ((row + 0.5) * (small_h / h) - 0.5).astype(np.float32)
        # OpenCV looks up no more than 32,767 pixels in a row.
        found = [
            cv2.remap(
                coarse, x[i : i + 4096], y[i : i + 4096], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            for i in range(0, len(x), 4096)
        ]
        return np.asarray(np.concatenate(found).reshape(-1, 3), np.float32)

    @property
    def sky_light(self) -> Float32[npt.NDArray[np.float32], "3"]:
        """Colour of the source's sky near the horizon, steady over time."""
        return np.asarray(self.scene.skies.horizon[self.index], np.float32)

    @cached_property
    def height_m(self) -> Plane:
        """Height of each pixel's point above the ground plane; FAR_M for the sky."""
        height = self.plane.inverse_depth(self.scene.rays)
        height *= self.depth_m
        height *= np.float32(-self.plane.camera_height_m)
        height += np.float32(self.plane.camera_height_m)
        height[self.sky_mask] = FAR_M
        return height

    @cached_property
    def flat(self) -> Mask:
        """Upward surfaces at ground level: by tag; what has no tag by its height above the plane."""
        tagged = self.has_tag(*FLAT)
        if self.tags is None or self.scene.knows(Tag.UNLABELED):
            slack = 0.12 + np.float32(0.015) * self.depth_m
            low = (np.abs(self.height_m) < slack) & (self.depth_m < 300)
            if self.tags is not None:
                low &= self.has_tag(Tag.UNLABELED, Tag.VEGETATION)
            # Estimated tags have holes, a few pixels wide, where grass looks like bushes.
            tagged = _closed(tagged | low, max(3, self.frame.shape[0] // 60))
        return self.without_ego(tagged)

    @cached_property
    def paved(self) -> Mask:
        """Road, its markings and pavements; all of `flat` when nothing is tagged so."""
        return self.without_ego(self.has_tag(*PAVED)) if self.scene.knows(*PAVED) else self.flat

    @cached_property
    def plants(self) -> Plane:
        """Share of trees and bushes: by true tags, else by how green a pixel is: continuous, so steady."""
        if self.scene.has_true_depth and self.scene.knows(Tag.VEGETATION):
            return self.has_tag(Tag.VEGETATION).astype(np.float32)
        r, g, b = cv2.split(self.frame)
        other = cv2.max(r, b).astype(np.float32) + 2
        green = np.clip((g / other - np.float32(1.0)) * np.float32(1 / 0.12), 0, 1)
        green[self.sky_mask] = 0
        if self.ground is not None:
            green[self.ground.rows] *= 1 - self.ground.flat
        if self.ego is not None:
            green[self.ego] = 0
        return np.asarray(cv2.blur(green, (5, 5)), np.float32)

    @cached_property
    def ground(self) -> GroundView | None:
        """The rows in which ground is seen, with its world coordinates; None when there is none."""
        rows = np.flatnonzero(self.flat[:, ::2].any(axis=1))
        return GroundView(self, slice(int(rows[0]), int(rows[-1]) + 1)) if len(rows) else None

    def release(self) -> None:
        """Give all planes back at once.

        View and ground refer to each other: until the garbage collector came by, 100 MB a frame would wait
        for it, and every frame would be worked on in fresh pages, which costs more than half of its time.
        """
        vars(self).pop("ground", None)


def _closed(mask: Mask, size: int) -> Mask:
    kernel = np.ones((size, size), np.uint8)
    return np.asarray(cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, kernel)).view(np.bool_)
