"""Clouds: a closed sky to put in place of the source's, fixed to the world and drifting slowly."""

import cv2
import numpy as np

from worldgen.models.physics.light import Linear, Plane
from worldgen.models.physics.ops import enlarge, scale, smoothstep
from worldgen.models.physics.scene import View
from worldgen.models.physics.texture import Texture

_REDUCE = 2
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
        """Radiance of the cover over the whole frame.

        Args:
            view: The frame.
            brightness: Luminance at the horizon, relative to white.
            contrast: Of the layer's structure; 0.1 is a dull stratus, 0.3 a heavy rain cloud.
        """
        right, ahead, up = sky_directions(view)
        base = 1 / np.maximum(up + 0.12, 0.05)
        drift = np.float32(_DRIFT * view.seconds)
        u, v = right * base, ahead * base
        broad = self._broad.at(u * 40 + drift, v * 40) - 0.5
        fine = self._fine.at(u * 55 + 1.6 * drift, v * 55) - 0.5
        # Structure fades in the haze above the horizon.
        depth = smoothstep(0.0, 0.22, up) * np.float32(contrast)
        level = (1 + 2 * np.clip(up, 0, 1)) / (1 + 2 * 0.12) * (1 + depth * (1.5 * broad + 0.8 * fine))
        level = np.asarray(np.clip(brightness * np.minimum(level, 1.6), 0, 0.97), np.float32)
        tone = np.stack([0.975 * level, level, 1.03 * level], axis=-1)
        return enlarge(np.asarray(tone, np.float32), view.light)


def sky_directions(view: View) -> tuple[Plane, Plane, Plane]:
    """Directions of the rays on level world axes (right, ahead, up), at half the size."""
    scene = view.scene
    turn = (scene.level @ scene.poses[view.index][:3, :3]).astype(np.float32)
    rays = scene.rays[::_REDUCE, ::_REDUCE]
    length = scene.ray_length[::_REDUCE, ::_REDUCE]
    x, y = rays[..., 0], rays[..., 1]
    right, ahead, up = (((x * t[0] + y * t[1]) + t[2]) / length for t in turn)
    return right, ahead, up


def replace_sky(view: View, sky: Linear) -> None:
    """Put another sky behind the scene: take the old one's share out of each pixel, put the new one in."""
    alpha = view.sky
    if not alpha.any():
        return
    remove_sky(view)
    view.light += cv2.multiply(sky, cv2.merge([alpha, alpha, alpha]))


def remove_sky(view: View) -> None:
    """Leave only what stands before the sky: light - alpha * sky, never below zero."""
    alpha = view.sky
    if not alpha.any():
        return
    share = cv2.merge([alpha, alpha, alpha])
    if view.local_sky is not None:
        old = cv2.multiply(view.local_sky, share)
        cv2.subtract(view.light, old, dst=view.light)
        cv2.max(view.light, 0.0, dst=view.light)
    view.light[alpha >= 0.999] = 0
    keep = np.minimum(1.0, 4 * (1 - alpha))
    scale(view.light, np.asarray(keep, np.float32))
