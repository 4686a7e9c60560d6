"""A view of the ground: the rows of a frame that show it, and what geometry says about them."""

from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from worldgen.datatypes.tags import VEHICLES
from worldgen.models.physics.light import Linear, Plane
from worldgen.models.physics.ops import enlarge, reduce, soften
from worldgen.models.physics.rays import Rays
from worldgen.models.physics.scene import Mask

if TYPE_CHECKING:
    from worldgen.models.physics.view import View


class GroundView:
    """The part of a view that shows ground: all arrays are cut to `rows`."""

    def __init__(self, view: "View", rows: slice) -> None:
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
