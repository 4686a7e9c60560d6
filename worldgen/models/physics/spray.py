"""Spray: water that tyres throw up behind vehicles, where the geometry knows vehicles."""

from typing import Final

import cv2
import numpy as np

from worldgen.datatypes.tags import VEHICLES
from worldgen.models.physics.light import Plane
from worldgen.models.physics.ops import enlarge, mix_colour, smoothstep
from worldgen.models.physics.rain import surroundings
from worldgen.models.physics.texture import Texture
from worldgen.models.physics.view import View

_REDUCE: Final = 4
_CLOUD_M: Final = 1.3
"""Width of the plume of one axle."""
_LANES_M: Final = 4.5
"""Vehicles farther aside of the camera's own line count as parked."""
_REACH_M: Final = 70.0


class Spray:
    """Plumes of fine drops around the wheels of vehicles on the road ahead.

    Fine drops scatter like fog: they add the light around them and hide what is behind. The plume is densest
    at tyre height and thins out with height; its billows drift with time.

    Args:
        strength: 0 none, 1 as behind a lorry on a flooded road.
        seed: Of the billows.
    """

    def __init__(self, strength: float, seed: int) -> None:
        self._strength = strength
        self._billows = Texture(seed + 41, falloff=1.7, lowest=4)

    def drift(self, view: View) -> None:
        """Draw the plumes of one frame in place; nothing where no vehicle is known."""
        if not view.scene.knows(*VEHICLES):
            return
        density = self._density(view)
        if float(density.max()) < 0.02:
            return
        weight = enlarge(np.asarray(density * np.float32(0.75 * self._strength), np.float32), view.light)
        if view.ego is not None:
            weight[view.ego] = 0
        mix_colour(view.light, surroundings(view), weight)

    def _density(self, view: View) -> Plane:
        """Plume density 0..1 at a quarter of the size."""
        vehicle = view.has_tag(*VEHICLES)[::_REDUCE, ::_REDUCE]
        z = view.depth_m[::_REDUCE, ::_REDUCE]
        height = view.height_m[::_REDUCE, ::_REDUCE]
        rays = view.scene.rays.thin(_REDUCE)
        wheels = vehicle & (height < 0.75) & (np.abs(rays.x * z) < _LANES_M) & (z < _REACH_M)
        base = wheels.astype(np.float32)
        # A plume is as wide as _CLOUD_M at its depth: between a narrow and a wide blur.
        size = np.float32(_CLOUD_M * view.scene.camera.fx / _REDUCE) / np.maximum(z, 2)
        narrow = cv2.blur(cv2.blur(base, (5, 5)), (5, 5))
        wide = cv2.blur(cv2.blur(base, (25, 25)), (15, 15))
        share = np.clip((size - 6) / 20, 0, 1)
        plume = (1 - share) * narrow * 1.5 + share * wide * 1.4
        # What is nearer than the plume's vehicle stays clear: only ground and the vehicle itself are veiled.
        plume *= np.clip((z - 4) * np.float32(1 / 6), 0, 1)
        low = 1 - smoothstep(0.5, 1.9, np.asarray(height, np.float32))
        seconds = np.float32(view.seconds)
        rows, columns = np.mgrid[0 : z.shape[0], 0 : z.shape[1]].astype(np.float32)
        scale = 40 / np.maximum(size, 4)
        billows = self._billows.at(columns * scale + 30 * seconds, rows * scale + 70 * seconds)
        return np.asarray(np.clip(plume * low * (0.55 + 0.9 * billows), 0, 1), np.float32)
