"""Light on the ground: wet, snowed on, in shade, under lamps."""

import numpy as np
import numpy.typing as npt

from worldgen.render.noise import fractal, nearest
from worldgen.sources.proving_ground.ground import ground_at
from worldgen.sources.proving_ground.lamplight import lamp_light
from worldgen.sources.proving_ground.setting import SNOW, Setting
from worldgen.sources.proving_ground.shadow import read
from worldgen.sources.proving_ground.view import View

F32 = npt.NDArray[np.floating]
SAND = np.array([0.42, 0.30, 0.16], np.float32)


def light_ground(
    view: View,
    setting: Setting,
    where: npt.NDArray[np.intp],
    radiance: F32,
    tag: npt.NDArray[np.uint8],
    gloss: F32,
) -> None:
    """Light samples of the ground: radiance, tags and gloss are filled in."""
    if len(where) == 0:
        return
    scene, weather = setting.scene, setting.weather
    points = view.points(where)
    s, d = scene.road.coordinates(points[:, 0], points[:, 1])
    depth = view.depth[where]
    # Footprint of a sample on level ground: depth / f across, and stretched by the grazing angle along.
    side = depth / view.lens.fx * view.spread
    long = depth * side / abs(float(view.position[2]))
    ground = ground_at(scene, s, d, np.asarray(long, np.float32), np.asarray(side, np.float32))
    albedo = ground.albedo
    tag[where] = ground.tag
    wet = weather.wetness
    if wet > 0:
        puddle = np.clip((wet * 2.2 - 1.15) + ground.rough * 0.55, 0, 1) * np.clip(ground.road + 0.25, 0, 1)
        film = np.clip(wet * 1.6, 0, 1)
        # Water fills the pores: wet asphalt reflects a third to a half of what it does dry.
        darker = 1.0 - (0.52 * film) * (1 - 0.45 * ground.paint)
        albedo = albedo * darker[:, None]
        gloss[where] = np.clip(film * 0.35 + puddle, 0, 1) * np.where(ground.tag == 10, 0.15, 1.0)
    if weather.snow_cover > 0:
        albedo, kept = _snow_on_ground(setting, s, d, ground.rough, ground.road, albedo, long)
        gloss[where] *= 1 - kept
    if weather.sand_cover > 0:
        drift = np.clip((weather.sand_cover * 2.4 - 1.0) + 0.5 * ground.rough, 0, 1)
        albedo = albedo + (SAND * (1 + 0.06 * ground.rough[:, None]) - albedo) * drift[:, None]
    shaded = read(setting.shade_cover, setting.grid, points[:, 0], points[:, 1])
    dark = read(setting.contact, setting.grid, points[:, 0], points[:, 1])
    sun = weather.sun_rgb * np.float32(max(float(weather.sun[2]), 0.0))
    light = weather.ambient * (1 - 0.75 * dark)[:, None] + sun * ((1 - shaded) * (1 - 0.6 * dark))[:, None]
    up = np.zeros_like(points)
    up[:, 2] = 1.0
    light = light + lamp_light(setting.lights, points, up)
    radiance[where] = albedo * light


def _snow_on_ground(
    setting: Setting, s: F32, d: F32, rough: F32, road: F32, albedo: F32, long: F32
) -> tuple[F32, F32]:
    cover = setting.weather.snow_cover
    tracks = np.zeros_like(s)
    for lane in setting.scene.lanes:
        offset = np.abs(d - lane.centre_m)
        tracks = np.maximum(tracks, np.exp(-(((offset - 0.78) / 0.26) ** 2)))
    bare = road * (0.55 + 0.45 * tracks)
    amount = np.clip(
        cover * 2.6 - 0.55 - bare * (1.25 - cover * 0.45) * tracks * 1.2 - bare * 0.3 + 0.30 * rough, 0, 1
    )
    grain = nearest(fractal(5, 32, 3), s / 2.3, d / 2.3) * np.exp(-long / 0.3)
    white = SNOW * (0.93 + 0.05 * rough + 0.05 * grain)[:, None] * (1 - 0.22 * road * tracks)[:, None]
    return np.asarray(albedo + (white - albedo) * amount[:, None], np.float32), amount
