"""Clouds: a closed sky to put in place of the source's, fixed to the world and drifting slowly."""

import cv2
import numpy as np

from worldgen.models.physics.light import Linear, Plane
from worldgen.models.physics.ops import smoothstep, times
from worldgen.models.physics.strips import strips
from worldgen.models.physics.texture import Texture
from worldgen.models.physics.view import View

_REDUCE = 3
_DRIFT = 0.6
"""Texels per second: stratus at 1000 m in a wind of some 10 m/s."""


class Clouds:
    """A stratus cover.

    Luminance follows the CIE overcast sky, L(e) = Lz (1 + 2 sin e) / 3 (Moon and Spencer 1942); the layer's
    structure is fractal noise on a horizontal plane, so that it foreshortens towards the horizon and turns
    with the world when the camera turns.
    """

    def __init__(self, seed: int) -> None:
        self._broad = Texture(seed, falloff=2.1, lowest=2)
        self._fine = Texture(seed + 1, falloff=1.6, lowest=6)

    def cover(self, view: View, *, brightness: float, contrast: float) -> Linear:
        """Radiance of the cover over `view.sky_rows`.

        Args:
            view: The frame.
            brightness: Luminance at the horizon, relative to white.
            contrast: Of the layer's structure; 0.1 is a dull stratus, 0.3 a heavy rain cloud.
        """
        right, ahead, up = sky_directions(view)
        base = 1 / np.maximum(up + np.float32(0.12), np.float32(0.05))
        drift = np.float32(_DRIFT * view.seconds)
        u, v = right * base, ahead * base
        broad = self._broad.at(u * 40 + drift, v * 40) - 0.5
        fine = self._fine.at(u * 55 + np.float32(1.6) * drift, v * 55) - 0.5
        # Structure fades in the haze above the horizon.
        depth = smoothstep(0.0, 0.22, up) * np.float32(contrast)
        level = (1 + 2 * np.clip(up, 0, 1)) / (1 + 2 * 0.12) * (1 + depth * (1.5 * broad + 0.8 * fine))
        level = np.asarray(np.clip(brightness * np.minimum(level, 1.6), 0, 0.97), np.float32)
        return over_sky(view, np.asarray(cv2.merge([0.975 * level, level, 1.03 * level]), np.float32))


def sky_directions(view: View) -> tuple[Plane, Plane, Plane]:
    """Directions of the rays on level world axes (right, ahead, up) over `view.sky_rows`, reduced."""
    scene = view.scene
    turn = scene.level @ scene.poses[view.index][:3, :3]
    rays = scene.rays.rows(view.sky_rows).thin(_REDUCE)
    inverse = 1 / rays.length
    right, ahead, up = (np.asarray(rays.along(t) * inverse, np.float32) for t in turn)
    return right, ahead, up


def over_sky(view: View, small: Linear) -> Linear:
    """Scale a reduced picture of the sky up to `view.sky_rows`."""
    rows, width = view.sky_rows, view.light.shape[1]
    return np.asarray(cv2.resize(small, (width, rows.stop), interpolation=cv2.INTER_LINEAR), np.float32)


def remove_sky(view: View) -> None:
    """Leave only what stands before the sky, where it mixes with it: light - alpha * sky, never below zero.

    Pixels of nothing but sky are left to `add_sky`.
    """
    rim = view.sky_rim
    if not len(rim):
        return
    light = view.light.reshape(-1, 3)
    share = view.sky.ravel()[rim]
    left = np.take(light, rim, axis=0)
    around = view.sky_around_rim
    if around is not None:
        left -= times(around, share)
        np.maximum(left, 0, out=left)
    # What is all but sky is all sky: no ghost of its texture stays.
    light[rim] = times(left, np.clip(50 * (1 - share), 0, 1))


def add_sky(view: View, sky: Linear) -> None:
    """Put a sky behind the scene; the old one has been removed.

    Args:
        view: The frame under work.
        sky: Radiance over `view.sky_rows`.
    """
    if not view.sky_rows.stop:
        return
    light, whole = view.light[view.sky_rows], (view.sky >= 1).view(np.uint8)
    for rows in strips(light.shape):
        cv2.copyTo(sky[rows], whole[rows], light[rows])
    rim = view.sky_rim
    if len(rim):
        behind = times(np.take(sky.reshape(-1, 3), rim, axis=0), view.sky.ravel()[rim])
        view.light.reshape(-1, 3)[rim] += behind
