"""Wet ground: darker, and a mirror of what stands on it."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.models.physics.ground_view import GroundView
from worldgen.models.physics.light import Linear, Plane
from worldgen.models.physics.ops import mix, reduce, smoothstep
from worldgen.models.physics.rays import Rays
from worldgen.models.physics.scene import ASPHALT
from worldgen.models.physics.strips import strips
from worldgen.models.physics.texture import Texture
from worldgen.models.physics.view import FAR_M, View

_REDUCE: Final = 2
_STRETCHED: Final = 1 / 15
"""Inverse metres: from here on mirrored rows spread by more than a row."""
_LONGEST_GAP: Final = 10
"""Rows."""
WATER_F0: Final = 0.02
"""Reflectance of water at normal incidence (refractive index 1.33)."""


class WetGround:
    """A film of water, with puddles where the ground is low; both fixed to the world.

    Args:
        wetness: 0 dry, 0.5 a film, 1 standing water.
        seed: Of the puddles.
        is_raining: Drops roughen the puddles.
    """

    def __init__(self, wetness: float, seed: int, *, is_raining: bool) -> None:
        self.wetness = wetness
        self._puddles = Texture(seed + 11, falloff=1.7, stretch=0.35, lowest=3)
        self._grain = Texture(seed + 12, falloff=0.8, lowest=8)
        self._is_raining = is_raining

    def soak(self, view: View) -> None:
        """Darken wet ground in place, before it is lit.

        Water in the pores makes scattering more forward, so more light is absorbed: asphalt keeps about half
        of its reflectance and gains colour, paint keeps most (Lekner and Dorf 1988; Twomey et al. 1986).
        """
        ground = view.ground
        if ground is None:
            return
        share = min(1.0, 1.6 * self.wetness)
        # The square deepens the colour; brought back to 40% of the reflectance at the road's usual level.
        level = 0.4 * view.scene.reflectance_gain / ASPHALT
        for rows in strips(ground.light.shape):
            light = ground.light[rows]
            porous = 1 - smoothstep(0.25, 0.7, ground.luma[rows])
            held = ground.flat[rows] * np.float32(0.28 * share) + ground.paved[rows] * np.float32(
                0.22 * share
            )
            darker = cv2.multiply(light, light, scale=level)
            cv2.min(darker, light * np.float32(0.75), dst=darker)
            mix(light, np.asarray(darker, np.float32), np.asarray(porous * held, np.float32))

    def mirror(self, view: View) -> None:
        """Add mirror images of the lit scene in place.

        Reflectance is Fresnel's in Schlick's form (1994), by the angle at which each pixel's ray meets the
        ground. A film on rough asphalt mirrors part of the light and draws it out along the view; puddles
        mirror all of it, sharply.
        """
        ground = view.ground
        if ground is None or not ground.paved.any():
            return
        image = mirror_image(view)
        tall = round(0.025 * image.shape[0])
        h, w = view.light.shape[:2]
        first = ground.rows.start // _REDUCE
        margin = min(first, 2 * tall)  # what the blur reads above the first row
        image = image[first - margin :]
        blurred = cv2.blur(cv2.blur(image, (3, 2 * tall + 1)), (1, 2 * tall + 1))
        size = (w, h - first * _REDUCE)
        part = slice(ground.rows.start - first * _REDUCE, ground.rows.stop - first * _REDUCE)
        rough, sharp = (
            np.asarray(cv2.resize(i[margin:], size, interpolation=cv2.INTER_LINEAR), np.float32)[part]
            for i in (blurred, image)
        )
        cosine = ground.grazing_cosine
        for rows in strips(ground.light.shape):
            film, pool = self._shares(ground, rows)
            shown = rough[rows]
            mix(shown, sharp[rows], np.asarray(pool / np.maximum(pool + film, np.float32(1e-3)), np.float32))
            # A rough film far away shows its troughs no more than a mirror would: it is held at half.
            fresnel = schlick(cosine[rows])
            weight = (np.minimum(film * fresnel, np.float32(0.5)) + pool * fresnel) * ground.paved[rows]
            mix(ground.light[rows], shown, np.asarray(weight, np.float32))

    def _shares(self, ground: GroundView, rows: slice) -> tuple[Plane, Plane]:
        """Reflecting share of the film and of puddles, per pixel of some rows."""
        right, ahead, foot = ground.right[rows], ground.ahead[rows], ground.footprint_m[rows]
        grain = self._grain.on_ground(right, ahead, foot, 0.02)
        # Film: from 0.1 on; the road's own grain keeps it uneven.
        film = np.float32(min(1.0, 1.25 * self.wetness) * 0.62) * (np.float32(0.5) + np.float32(0.5) * grain)
        covered = max(0.0, (self.wetness - 0.45) / 0.55) * 0.42
        if covered <= 0:
            return film, np.zeros_like(film)
        low = self._puddles.on_ground(right, ahead, foot, 0.05)
        pool = smoothstep(1 - covered - 0.06, 1 - covered + 0.03, low)
        return np.asarray(film * (1 - pool), np.float32), np.asarray(np.float32(0.92) * pool, np.float32)


def schlick(cosine: Plane) -> Plane:
    """Fresnel reflectance of water (Schlick 1994): F0 + (1 - F0) (1 - cos)^5."""
    q = 1 - np.clip(cosine, 0, 1)
    q2 = q * q
    return np.asarray(WATER_F0 + (1 - WATER_F0) * (q2 * q2 * q), np.float32)


def mirror_image(view: View) -> Linear:
    """What a flat mirror on the ground would show at every ground pixel, at half size.

    Every pixel that stands above the ground plane is reflected about its own contact line: a point at depth z
    whose foot is at row f appears at row 2 f - v, in its own column (exact for a level camera, good to a few
    pixels for the pitch of a driving camera). Nearer things hide farther ones. The sky, which has no foot,
    is reflected about the horizon and fills what nothing else covers.
    """
    light = reduce(view.light, _REDUCE)
    h, w = light.shape[:2]
    rays = view.scene.rays.thin(_REDUCE)
    rays = Rays(rays.x[:, :w], rays.y[:h])
    z = view.depth_m[::_REDUCE, ::_REDUCE][:h, :w]
    height = view.height_m[::_REDUCE, ::_REDUCE][:h, :w]
    n = view.plane.normal.astype(np.float32)
    fy = np.float32(view.scene.camera.fy / _REDUCE)
    cy = np.float32(view.scene.camera.cy / _REDUCE)
    inverse = np.asarray(1 / np.maximum(z, np.float32(0.3)), np.float32)
    inverse[z >= FAR_M] = 0
    # Slope of the foot: n . (x, y, 1) = 1/z, solved for y.
    foot = (inverse - (n[0] * rays.x + n[2])) * (1 / n[1])
    row = cy + fy * (2 * foot - rays.y)
    stands = (height > 0.05 + np.float32(0.004) * np.minimum(z, 1e4)) & (row > 0) & (row < h - 1)
    if view.ego is not None:
        stands &= ~view.ego[::_REDUCE, ::_REDUCE][:h, :w]
    source_row = _nearest_per_pixel(np.asarray(row, np.float32), inverse, stands, h, w)
    columns = np.ascontiguousarray(np.broadcast_to(np.arange(w, dtype=np.float32), (h, w)))
    return np.asarray(
        cv2.remap(light, columns, source_row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def _nearest_per_pixel(row: Plane, inverse: Plane, stands: npt.NDArray[np.bool_], h: int, w: int) -> Plane:
    """For every pixel the row that is mirrored there: the nearest of those that land on it."""
    at = np.flatnonzero(stands)
    nearness = inverse.ravel()[at]
    # Radix sort on 16 bits of nearness: the nearest is written last and stays.
    order = np.argsort((np.sqrt(nearness.clip(0, 1)) * 65535).astype(np.uint16), kind="stable")
    at, nearness = at[order], nearness[order]
    rows, columns = np.divmod(at.astype(np.int32), np.int32(w))
    target = np.round(row.ravel()[at]).astype(np.int32)
    landed = target * np.int32(w) + columns
    source = np.full((h, w), -1, np.float32)
    flat = source.reshape(-1)
    flat[landed] = rows
    # Near surfaces are stretched: each of their pixels also takes the row below, unless nearer ones have it.
    wide = (nearness > _STRETCHED) & (target < h - 1)
    holder = np.zeros(h * w, np.float32)
    holder[landed] = nearness
    rows, nearness, below = rows[wide], nearness[wide], landed[wide] + np.int32(w)
    free = holder[below] < np.float32(0.97) * nearness
    flat[below[free]] = rows[free] - 0.5
    # Where a near surface is stretched, rows are missed: the last one found above goes on for a few rows.
    here = np.arange(h, dtype=np.int16)[:, None]
    last = np.maximum.accumulate(np.where(source >= 0, here, np.int16(0)), axis=0)
    since = here - last
    carried = np.take_along_axis(source, last.astype(np.intp), axis=0) - since
    source = np.where((since <= _LONGEST_GAP) & (carried > 0), carried, source)
    # Beyond the picture's upper edge lies more of the same: the topmost row stands for it.
    return np.asarray(np.maximum(source, 0), np.float32)
