"""A view: one frame under work, and what geometry says about its pixels."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.datatypes import Tag
from worldgen.datatypes.tags import EGO, FLAT, VEHICLES
from worldgen.models.physics.ground import GroundPlane
from worldgen.models.physics.light import Linear, Picture, Plane, decode, luminance
from worldgen.models.physics.ops import enlarge, reduce, soften
from worldgen.models.physics.rays import Rays
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
    def range_m(self) -> Plane:
        """Length of the path from the lens: depth times the ray's length, never depth alone."""
        return np.asarray(cv2.multiply(self.depth_m, self.scene.rays.length))

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
    def local_sky(self) -> Linear | None:
        """The source's own sky around each pixel of `sky_rows`; None when none is seen."""
        coarse = self._matte[1]
        if coarse is None:
            return None
        h, w = self.sky.shape
        return np.asarray(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)

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
    def ground(self) -> "GroundView | None":
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


class GroundView:
    """The part of a view that shows ground: all arrays are cut to `rows`."""

    def __init__(self, view: View, rows: slice) -> None:
        self.view = view
        self.rows = rows
        self.rays: Rays = view.scene.rays.rows(rows)
        self.luma: Plane = view.luma[rows]
        self.flat: Plane = self._soft(view.flat)
        """Share of upward ground per pixel, 0..1."""
        self.paved: Plane = self.flat if view.paved is view.flat else self._soft(view.paved)
        """Share of pavement per pixel, 0..1."""

    def _soft(self, mask: Mask) -> Plane:
        """A mask as shares: true outlines as they are; estimated, blocky ones feathered inwards."""
        part = mask[self.rows]
        if self.view.scene.has_true_depth:
            return part.astype(np.float32)
        size = 2 * max(2, self.view.frame.shape[0] // 60) + 1
        mean = cv2.blur(cv2.blur(part.astype(np.float32), (size, size)), (size, size))
        share = np.asarray(np.clip(2 * mean - 1, 0, 1), np.float32)
        if not self.view.scene.knows(*VEHICLES):
            share *= 1 - self._standing
        # Where a pixel covers metres of road, its outline means nothing any more.
        share *= np.clip((110 - self.z) * np.float32(1 / 40), 0, 1)
        if self.view.ego is not None:
            share[self.view.ego[self.rows]] = 0
        return np.asarray(share, np.float32)

    @cached_property
    def _standing(self) -> Plane:
        """Share of what is no ground though estimated tags say so.

        Depth from motion cannot see cars that drive along. Their tyres, windows and undersides are far darker
        than the ground, cones and lamps far redder; the body between window and tyre is filled in. Hard
        shadows farther than 7 m are taken for such, too: they stay bare rather than a car be covered. So are
        bushes beyond the grass, which is why the usual brightness is read off the ground nearby, not off
        rows that show hardly any. Continuous in the picture, so that nothing switches from frame to frame.
        """
        step = 4
        luma, flat = self.luma[::step, ::step], self.view.flat[self.rows][::step, ::step]
        z = self.z[::step, ::step]
        usual = np.full((len(luma), 1), float(np.median(luma[flat])) if flat.any() else 0.0, np.float32)
        known = flat[:, ::4].sum(axis=1) > 4
        usual[known, 0] = np.nanmedian(np.where(flat, luma, np.nan)[known][:, ::4], axis=1)
        nearby = flat & (z > 12) & (z < 35)
        if nearby.sum() > 50:
            usual[np.median(z, axis=1) > 35] = np.median(luma[nearby])
        usual = np.asarray(cv2.blur(usual, (1, 9)), np.float32).reshape(-1, 1)
        dark = np.clip((0.52 - luma / np.maximum(usual, 1e-4)) * np.float32(1 / 0.2), 0, 1)
        source = self.view.source[self.rows][::step, ::step]
        red = (source[..., 0] + np.float32(0.01)) / (
            np.maximum(source[..., 1], source[..., 2]) + np.float32(0.01)
        )
        seen = np.maximum(dark, np.clip(red - np.float32(1.7), 0, 1))
        seen *= np.clip((z - 6) * np.float32(1 / 3), 0, 1)
        reach = max(3, self.view.frame.shape[0] // 65) | 1
        joined = soften(np.asarray(seen, np.float32), reach / 3)
        near = np.asarray(np.clip((joined - 0.12) * np.float32(1 / 0.18), 0, 1), np.float32)
        # Half a metre of bodywork at 10 m lies between dark parts.
        tall = max(3, round(0.05 * self.view.scene.camera.fy / step)) | 1
        filled = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((tall, 5), np.uint8))
        h, w = self.luma.shape
        return np.asarray(cv2.resize(filled, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)

    @cached_property
    def grass(self) -> Plane:
        """Share of grass per pixel by how green the ground is, 0..1; continuous, so steady."""
        small = reduce(self.view.frame[self.rows].astype(np.float32), 2)
        r, g, b = cv2.split(small)
        green = np.clip((g / (cv2.max(r, b) + 2) - np.float32(1.03)) * np.float32(1 / 0.08), 0, 1)
        return enlarge(np.asarray(cv2.blur(green, (5, 5)), np.float32), self.view.light[self.rows])

    @cached_property
    def detail(self) -> Plane:
        """Fine structure of the source's ground: its luminance over the mean around, 0.5..1.6."""
        around = cv2.blur(self.luma, (11, 11))
        return np.asarray(np.clip(self.luma / np.maximum(around, np.float32(1e-3)), 0.5, 1.6), np.float32)

    @property
    def light(self) -> Linear:
        """The rows of the frame under work; writing to it changes the frame."""
        return self.view.light[self.rows]

    @cached_property
    def z(self) -> Plane:
        """Depth of the ground. True depth follows hills; estimated depth gives way to the smoothed plane."""
        if self.view.scene.has_true_depth:
            return np.asarray(np.minimum(self.view.depth_m[self.rows], 500), np.float32)
        inverse = self.view.plane.inverse_depth(self.rays)
        return np.asarray(1 / np.maximum(inverse, np.float32(1 / 500)), np.float32)

    @cached_property
    def _xy(self) -> tuple[Plane, Plane]:
        scene = self.view.scene
        pose = scene.poses[self.view.index]
        axes = scene.level[:2] @ pose[:3, :3]
        origin = (scene.level[:2] @ pose[:3, 3]).astype(np.float32)
        right = self.rays.along(axes[0]) * self.z + origin[0]
        ahead = self.rays.along(axes[1]) * self.z + origin[1]
        return np.asarray(right, np.float32), np.asarray(ahead, np.float32)

    @property
    def right(self) -> Plane:
        """World coordinate of the ground under each pixel, metres right of the first frame's camera."""
        return self._xy[0]

    @property
    def ahead(self) -> Plane:
        """World coordinate of the ground under each pixel, metres ahead of the first frame's camera."""
        return self._xy[1]

    @cached_property
    def footprint_m(self) -> Plane:
        """Ground covered by one pixel along the view: z^2 / (fy * camera height)."""
        scale = 1 / (self.view.scene.camera.fy * self.view.plane.camera_height_m)
        return np.asarray(self.z * self.z * np.float32(scale), np.float32)

    @cached_property
    def grazing_cosine(self) -> Plane:
        """Cosine between each ray and the ground's normal; 0 at the horizon."""
        down = -self.view.plane.up
        return np.asarray(self.rays.along(down) / self.rays.length, np.float32)
