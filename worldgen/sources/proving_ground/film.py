"""The film: from radiance per sample to the picture, as a lens, a sensor and a tone curve would make it."""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera
from worldgen.sources.proving_ground import particles
from worldgen.sources.proving_ground.light import Weather
from worldgen.sources.proving_ground.setting import Setting

F32 = npt.NDArray[np.floating]
SHOULDER = 0.72
"""Radiance up to which the film is linear; above, it bends towards white."""


class Film:
    """Turns radiance into frames."""

    def __init__(
        self,
        weather: Weather,
        camera: Camera,
        poses: npt.NDArray[np.floating],
        times: npt.NDArray[np.floating],
        seed: int,
    ) -> None:
        """Prepare what all frames share."""
        self.weather, self.camera, self.seed, self.poses, self.times = weather, camera, seed, poses, times
        self.swarm = None
        if weather.rain_mm_h > 0:
            self.swarm = particles.rain(weather.rain_mm_h, seed)
        elif weather.snow_mm_h > 0:
            self.swarm = particles.snow(weather.snow_mm_h, seed)
        self.drops = particles.lens_drops(weather.lens_drops, camera, seed)

    def expose(self, light: F32, depth: F32, setting: Setting, t: int) -> npt.NDArray[np.uint8]:
        """Return the frame [h, w, 3], sRGB, from radiance and depth per pixel."""
        height = len(light)
        weather, pose = self.weather, self.poses[t]
        if weather.spray > 0.02 and weather.wetness > 0.2:
            light = particles.draw_spray(light, setting.stage, t, pose, self.camera, depth, weather)
        if self.swarm is not None:
            light = particles.draw_swarm(
                light,
                self.swarm,
                seconds=float(self.times[t]),
                pose=pose,
                ego_velocity=self._velocity(t),
                camera=self.camera,
                depth=depth,
                weather=weather,
                lights=setting.lights,
            )
        light = _glow(light, weather, height)
        if self.drops is not None:
            light = particles.draw_lens_drops(light, self.drops)
        light = light * np.float32(weather.exposure)
        rng = np.random.default_rng([self.seed, t, 0xF11A])
        spread = np.sqrt(np.maximum(light, 0) * weather.noise**2 + (weather.noise * 0.25) ** 2)
        return encode(light + rng.standard_normal(light.shape, dtype=np.float32) * spread)

    def _velocity(self, t: int) -> npt.NDArray[np.floating]:
        """Of the camera, m/s."""
        if len(self.poses) < 2:
            return np.zeros(3)
        k = min(t, len(self.poses) - 2)
        return np.asarray(
            (self.poses[k + 1, :3, 3] - self.poses[k, :3, 3]) / (self.times[k + 1] - self.times[k])
        )


def _glow(light: F32, weather: Weather, height: int) -> F32:
    """Light that lens and mist spread around what is bright."""
    bright = np.maximum(light - 1.1, 0)
    if float(bright.max()) <= 0:
        return light
    mist = float(np.clip(weather.extinction / 0.02, 0, 1))
    near = cv2.GaussianBlur(bright, (0, 0), height * 0.008)
    wide = cv2.GaussianBlur(
        cv2.resize(bright, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA),
        (0, 0),
        height * (0.01 + 0.012 * mist),
    )
    wide = cv2.resize(wide, (light.shape[1], light.shape[0]))
    return np.asarray(light + 0.3 * near + (0.16 + 0.5 * mist) * wide, np.float32)


def encode(light: F32) -> npt.NDArray[np.uint8]:
    """Linear light to sRGB bytes; linear up to `SHOULDER`, then a soft bend to white."""
    over = np.maximum(light - SHOULDER, 0)
    bent = np.minimum(light, SHOULDER) + (1 - SHOULDER) * (1 - np.exp(-over / (1 - SHOULDER)))
    index = np.clip(bent * 4095.0 + 0.5, 0, 4095).astype(np.uint16)
    return np.asarray(_TABLE[index], np.uint8)


def _table() -> npt.NDArray[np.uint8]:
    x = np.arange(4096) / 4095.0
    y = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(y * 255), np.uint8)


_TABLE = _table()
