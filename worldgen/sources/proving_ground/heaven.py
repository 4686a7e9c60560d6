"""The sky: gradient, sun, clouds, stars, and the skyline before it."""

import numpy as np
import numpy.typing as npt

from worldgen.render.noise import fractal, hash01, sample
from worldgen.sources.proving_ground.setting import SNOW, Setting
from worldgen.sources.proving_ground.view import View

F32 = npt.NDArray[np.floating]


def light_sky(
    view: View, setting: Setting, where: npt.NDArray[np.intp], radiance: F32, tag: npt.NDArray[np.uint8]
) -> None:
    """Light samples of the sky: radiance and tags are filled in."""
    tag[where] = 11
    rays = view.rays[where]
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    weather = setting.weather
    up = rays[:, 2]
    colour = weather.sky_rgb(up)
    cos = rays @ weather.sun.astype(np.float32)
    if weather.elevation_deg > -8:
        lit = float(np.clip((8 - weather.clouds * 8) / 4, 0, 1))
        low = float(np.clip(1 - abs(weather.elevation_deg) / 25, 0, 1))
        halo = np.clip(cos, 0, 1)
        tint = weather.sun_rgb / 2.3 + np.float32(low * 0.2) * np.array([1.0, 0.5, 0.2], np.float32) * (
            weather.elevation_deg > -6
        )
        glow = (0.25 + 0.5 * low) * halo**6 + (0.9 * halo**60 + 4.0 * halo**900) * (
            weather.elevation_deg > -0.5
        )
        colour = colour + (glow * lit)[:, None] * tint
        disc = (cos > 0.99993) & (weather.elevation_deg > -0.5)
        colour[disc] += weather.sun_rgb * np.float32(25.0 * lit)
    if weather.clouds > 0.05:
        colour = _clouds(rays, cos, setting, colour)
    if weather.night > 0.9 and weather.clouds < 0.5:
        star = hash01(np.floor(rays[:, 1] / np.maximum(rays[:, 0], 0.05) * 220), np.floor(up * 260), 5)
        colour = colour + (np.clip(star - 0.9985, 0, 1) * 30)[:, None].astype(np.float32)
    radiance[where] = colour


def _clouds(rays: F32, cos: F32, setting: Setting, colour: F32) -> F32:
    weather = setting.weather
    up = np.maximum(rays[:, 2], 0.0) + 0.09
    drift = setting.scene.seed % 97 / 97.0 + setting.seconds * 0.0006
    u, v = rays[:, 0] / up * 0.16 + drift, rays[:, 1] / up * 0.16 + setting.scene.seed % 53 / 53.0
    puff = sample(fractal(6, 4, 31), u, v) * 0.75 + 0.35 * sample(fractal(4, 4, 32), u * 0.37, v * 0.37)
    threshold = 1.5 - 3.0 * weather.clouds
    thick = np.clip((puff - threshold) * 0.75, 0, 1)
    cover = thick * thick * (3 - 2 * thick)
    cover *= np.clip(rays[:, 2] * 14, 0, 1) ** 0.5 if weather.clouds < 0.9 else 1.0
    base = weather.ambient * np.float32(0.95) + weather.sun_rgb * np.float32(0.28)
    grey = np.float32(1.0) - np.float32(0.38) * np.clip(puff - threshold - 0.6, 0, 1)
    silver = 1.0 + 0.6 * np.clip(cos, 0, 1) ** 8 * (1 - weather.clouds)
    tone = base * (grey * silver)[:, None]
    if weather.clouds > 0.85:
        # A closed deck is not flat: it brightens upwards (CIE overcast sky) and has folds.
        fold = 1.0 + 0.12 * np.clip(puff, -2, 2) * np.clip(rays[:, 2] * 6 + 0.3, 0, 1)
        tone = weather.sky_rgb(rays[:, 2]) * fold[:, None]
    if -6 < weather.elevation_deg < 10 and weather.clouds < 0.85:
        warm = np.clip(cos, 0, 1) ** 3 * np.clip(1 - abs(weather.elevation_deg) / 12, 0, 1)
        tone = tone + warm[:, None] * np.array([0.5, 0.2, 0.08], np.float32) * 0.8
    return np.asarray(colour + (tone - colour) * cover[:, None], np.float32)


def light_skyline(
    view: View, setting: Setting, where: npt.NDArray[np.intp], radiance: F32, tag: npt.NDArray[np.uint8]
) -> None:
    """Light samples of the distant silhouette: radiance and tags are filled in."""
    scene, weather = setting.scene, setting.weather
    if len(where) == 0:
        return
    points = view.points(where)
    city = scene.place in ("city", "industrial")
    tag[where] = 3 if city else 9
    grain = sample(fractal(4, 16, 41), points[:, 1] / 60.0, points[:, 2] / 40.0)
    base = np.array([0.2, 0.2, 0.2] if city else [0.045, 0.065, 0.03], np.float32)
    albedo = base * np.maximum(1 + 0.35 * grain, 0.2)[:, None]
    if weather.snow_cover > 0.05:
        albedo += (SNOW - albedo) * np.clip(weather.snow_cover * 0.6 + 0.2 * grain, 0, 0.8)[:, None]
    light = weather.ambient * 0.8 + weather.sun_rgb * np.float32(0.3 * max(float(weather.sun[2]), 0.0) + 0.1)
    radiance[where] = albedo * light
    if city and weather.night > 0.5:
        spot = hash01(np.floor(points[:, 1] / 4.0), np.floor(points[:, 2] / 3.5), 9)
        radiance[where] += (spot > 0.8)[:, None] * np.array([0.5, 0.36, 0.18], np.float32) * 0.25
