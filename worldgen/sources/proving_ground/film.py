"""The film: from radiance per sample to the picture, as a lens, a sensor and a tone curve would make it."""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera
from worldgen.sources.proving_ground.light import Weather
from worldgen.sources.proving_ground.scene import Scene
from worldgen.sources.proving_ground.shade import Picture, Setting
from worldgen.sources.proving_ground.view import View

F32 = npt.NDArray[np.float32]
SHOULDER = 0.72
"""Radiance up to which the film is linear; above, it bends towards white."""


class Film:
    """Turns radiance into frames."""

    def __init__(self, scene: Scene, weather: Weather, camera: Camera, poses: npt.NDArray[np.floating], seed: int) -> None:
        """Prepare what all frames share."""
        self.scene, self.weather, self.camera, self.seed = scene, weather, camera, seed
        self.poses = poses

    def expose(self, picture: Picture, view: View, setting: Setting, t: int) -> npt.NDArray[np.uint8]:
        """Return the frame [h, w, 3], sRGB."""
        light = picture.radiance.reshape(view.lens.height, view.lens.width, 3)
        small = downsample(np.minimum(light, 6.0))
        small = _glow(small, self.weather, self.camera.height)
        small = small * np.float32(self.weather.exposure)
        rng = np.random.default_rng([self.seed, t, 0xF11A])
        spread = np.sqrt(np.maximum(small, 0) * self.weather.noise**2 + (self.weather.noise * 0.35) ** 2)
        small = small + rng.standard_normal(small.shape, dtype=np.float32) * spread
        return encode(small)


def downsample(light: F32) -> F32:
    """Average samples with a tent over three by three, centred on each pixel's centre."""
    tent = np.array([0.25, 0.5, 0.25], np.float32)
    rows = light[:-2:2] * tent[0] + light[1:-1:2] * tent[1] + light[2::2] * tent[2]
    return np.asarray(rows[:, :-2:2] * tent[0] + rows[:, 1:-1:2] * tent[1] + rows[:, 2::2] * tent[2], np.float32)


def _glow(light: F32, weather: Weather, height: int) -> F32:
    """Light that lens and mist spread around what is bright."""
    bright = np.maximum(light - 1.1, 0)
    if float(bright.max()) <= 0:
        return light
    mist = float(np.clip(weather.extinction / 0.02, 0, 1))
    near = cv2.GaussianBlur(bright, (0, 0), height * 0.008)
    wide = cv2.GaussianBlur(cv2.resize(bright, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), (0, 0), height * (0.01 + 0.012 * mist))
    wide = cv2.resize(wide, (light.shape[1], light.shape[0]))
    return np.asarray(light + 0.35 * near + (0.16 + 0.5 * mist) * wide, np.float32)


def encode(light: F32) -> npt.NDArray[np.uint8]:
    """Linear light to sRGB bytes; linear up to `SHOULDER`, then a soft bend to white."""
    over = np.maximum(light - SHOULDER, 0)
    bent = np.minimum(light, SHOULDER) + (1 - SHOULDER) * (1 - np.exp(-over / (1 - SHOULDER)))
    index = np.clip(bent * 4095.0 + 0.5, 0, 4095).astype(np.uint16)
    return _TABLE[index]


def _table() -> npt.NDArray[np.uint8]:
    x = np.arange(4096) / 4095.0
    y = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(y * 255), np.uint8)


_TABLE = _table()
