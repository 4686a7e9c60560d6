"""Light on surfaces: from what is seen to radiance, sample by sample, in linear light."""

import numpy as np
import numpy.typing as npt

from worldgen.render.mesh import CLOTH, FACADE, GLASS, LEAVES, METAL, PAINT, ROOF, RUBBER, SIGN, SKIN, STONE
from worldgen.render.noise import fractal, sample
from worldgen.sources.proving_ground.facade import light_facade
from worldgen.sources.proving_ground.groundlight import light_ground
from worldgen.sources.proving_ground.heaven import light_sky, light_skyline
from worldgen.sources.proving_ground.lamplight import lamp_light
from worldgen.sources.proving_ground.light import Weather
from worldgen.sources.proving_ground.setting import SNOW, Picture, Setting
from worldgen.sources.proving_ground.shadow import read
from worldgen.sources.proving_ground.stage import Stage
from worldgen.sources.proving_ground.view import BACKDROP, GROUND, VOID, Faces, View, leaf_shade

F32 = npt.NDArray[np.floating]
SHINY = (GLASS, PAINT, METAL)


def shade(view: View, setting: Setting) -> Picture:
    """Light one view."""
    n = len(view.depth)
    radiance = np.zeros((n, 3), np.float32)
    tag = np.zeros(n, np.uint8)
    instance = np.zeros(n, np.int32)
    gloss = np.zeros(n, np.float32)
    free = view.face < 0
    sky = np.flatnonzero(free & (view.background == VOID))
    light_sky(view, setting, sky, radiance, tag)
    far = np.flatnonzero(free & (view.background == BACKDROP))
    light_skyline(view, setting, far, radiance, tag)
    ground = np.flatnonzero(free & (view.background == GROUND))
    light_ground(view, setting, ground, radiance, tag, gloss)
    hit = np.flatnonzero(~free)
    _surfaces(view, setting, hit, radiance, tag, instance)
    _air(view, setting, radiance)
    return Picture(radiance, tag, instance, gloss)


def _surfaces(
    view: View,
    setting: Setting,
    where: npt.NDArray[np.intp],
    radiance: F32,
    tag: npt.NDArray[np.uint8],
    instance: npt.NDArray[np.int32],
) -> None:
    if len(where) == 0:
        return
    weather, stage, faces = setting.weather, setting.stage, view.faces
    row = view.face[where]
    index = faces.index[row]
    points = view.points(where)
    normal = faces.normal[row]
    material = stage.material[index]
    tag[where] = stage.tag[index]
    instance[where] = stage.instance[index]
    depth = view.depth[where]
    albedo = stage.colour[index].copy()
    gloss = np.zeros(len(where), np.float32)
    emitted = setting.emission[stage.lamp[index]]
    for kind, value in (
        (PAINT, 0.9),
        (GLASS, 1.0),
        (METAL, 0.35),
        (RUBBER, 0.03),
        (SKIN, 0.03),
        (CLOTH, 0.0),
        (SIGN, 0.12),
    ):
        gloss[material == kind] = value
    at = np.flatnonzero(material == FACADE)
    if len(at):
        pane, shine, lit = light_facade(
            setting,
            faces,
            row[at],
            points[at],
            normal[at],
            depth[at] / view.lens.fx * view.spread,
            stage.param[index[at]],
            albedo[at],
        )
        albedo[at], gloss[at] = pane, shine
        emitted[at] += lit
    at = np.flatnonzero(material == LEAVES)
    if len(at):
        normal = normal.copy()
        albedo[at], normal[at] = _leaves(view, stage, row[at], index[at], points[at], depth[at], albedo[at])
    at = np.flatnonzero(material == PAINT)
    if len(at):
        normal = normal.copy()
        normal[at] = _rounded(setting, index[at], points[at], normal[at])
    at = np.flatnonzero((material == ROOF) | (material == STONE))
    if len(at):
        grain = sample(fractal(4, 16, 51), (points[at, 0] + points[at, 2]) / 7.0, points[at, 1] / 7.0)
        albedo[at] *= (1 + 0.12 * grain)[:, None]
    if weather.snow_cover > 0:
        albedo, gloss = _snow_on_things(setting, points, normal, material, albedo, gloss)
    if weather.wetness > 0.2:
        soaked = np.isin(material, (FACADE, STONE, CLOTH, ROOF))
        albedo[soaked] *= 1 - 0.25 * weather.wetness
    sun = weather.sun.astype(np.float32)
    facing = np.clip(normal @ sun, 0, 1)
    shaded = _in_shade(setting, points, facing > 0)
    light = _ambient(weather, points, normal) + weather.sun_rgb * (facing * (1 - shaded))[:, None]
    light = light + lamp_light(setting.lights, points, normal)
    colour = albedo * light
    shiny = np.flatnonzero(gloss > 0.02)
    if len(shiny):
        colour[shiny] += _mirror(view, setting, where[shiny], normal[shiny], gloss[shiny], shaded[shiny])
    radiance[where] = colour + emitted


def _ambient(weather: Weather, points: F32, normal: F32) -> F32:
    """Light from the sky and back from the ground; nooks near the ground get less."""
    nook = 1 - 0.42 * np.exp(-np.clip(points[:, 2], 0, None) / 0.55)
    rise = 0.5 + 0.5 * normal[:, 2]
    bounce = (0.16 + 0.5 * weather.snow_cover) * (1 - rise)
    return np.asarray(weather.ambient * (nook * (0.28 + 0.72 * rise + bounce))[:, None], np.float32)


def _in_shade(setting: Setting, points: F32, lit: npt.NDArray[np.bool_]) -> F32:
    """Whether points are in the shade of something, 0..1, only where `lit` says that it matters."""
    out = np.zeros(len(points), np.float32)
    at = np.flatnonzero(lit)
    if len(at) == 0 or float(setting.weather.sun_rgb.max()) < 1e-3:
        return out
    up = max(float(setting.weather.sun[2]), 0.06)
    slope = setting.weather.sun[:2] / up
    z = points[at, 2]
    x, y = points[at, 0] - slope[0] * z, points[at, 1] - slope[1] * z
    bias = 0.25 + 0.1 / up
    total = np.zeros(len(at), np.float32)
    for dx, dy in ((0.0, 0.0), (0.13, 0.07), (-0.07, 0.13), (-0.13, -0.07), (0.07, -0.13)):
        total += read(setting.shade_height, setting.grid, x + dx, y + dy) > z + bias
    out[at] = total / 5.0
    return out


def _mirror(
    view: View,
    setting: Setting,
    where: npt.NDArray[np.intp],
    normal: F32,
    gloss: F32,
    shaded: F32,
) -> F32:
    """What smooth surfaces reflect of sky, ground and sun (Schlick's Fresnel term)."""
    weather = setting.weather
    ray = view.rays[where]
    ray = ray / np.linalg.norm(ray, axis=1, keepdims=True)
    cos = np.clip(-np.einsum("ni,ni->n", ray, normal), 0, 1)
    back = ray + 2 * cos[:, None] * normal
    fresnel = 0.045 + 0.955 * (1 - cos) ** 5
    sky = weather.sky_rgb(back[:, 2]) * np.float32(0.9)
    ground = weather.ambient * np.float32(0.11) + weather.sun_rgb * np.float32(
        0.07 * max(float(weather.sun[2]), 0)
    )
    # Houses and trees stand around: the mirrored horizon is darker than the sky behind it.
    around = np.clip((back[:, 2] - 0.02) / 0.25, 0, 1)[:, None]
    world = ground * (1 - around) + sky * around
    sun = np.clip(back @ weather.sun.astype(np.float32), 0, 1)
    spark = (2.0 * sun**40 + 18.0 * sun**600) * (1 - shaded)
    return np.asarray(((fresnel * gloss)[:, None]) * (world + weather.sun_rgb * spark[:, None]), np.float32)


def _rounded(setting: Setting, index: npt.NDArray[np.integer], points: F32, normal: F32) -> F32:
    """Bulge painted panels: pressed metal is never flat, and its shading shows it."""
    stage = setting.stage
    part = stage.part[index]
    pose = stage.poses[setting.frame][part]
    local = np.einsum("nji,nj->ni", pose[:, :3, :3], points - pose[:, :3, 3]) - stage.centre[part]
    reach = stage.radius[part]
    bulge = local / np.stack((reach * 1.6, np.full_like(reach, 0.95), np.full_like(reach, 0.62)), 1)
    bulge = np.clip(bulge, -1.3, 1.3) * [0.30, 0.42, 0.45]
    bulge *= np.where(reach < 3.4, 1.0, 0.0)[:, None]
    out = normal + np.einsum("nij,nj->ni", pose[:, :3, :3], bulge)
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), np.float32)


def _snow_on_things(
    setting: Setting, points: F32, normal: F32, material: npt.NDArray[np.integer], albedo: F32, gloss: F32
) -> tuple[F32, F32]:
    cover = setting.weather.snow_cover
    grain = sample(fractal(4, 8, 61), points[:, 0] / 5.0, points[:, 1] / 5.0 + points[:, 2] / 5.0)
    upward = np.clip((normal[:, 2] - 0.35) / 0.35, 0, 1)
    upward = np.where(material == LEAVES, np.clip(normal[:, 2] * 0.9 + 0.25, 0, 0.85), upward)
    amount = np.clip(cover * 1.9 - 0.3 + 0.25 * grain, 0, 1) * upward
    # Engines and drivers keep windscreens and lamps clear.
    amount[material == GLASS] *= 0.3
    albedo = albedo + (SNOW * 0.95 - albedo) * amount[:, None]
    return np.asarray(albedo, np.float32), np.asarray(gloss * (1 - amount), np.float32)


def _leaves(
    view: View,
    stage: Stage,
    row: npt.NDArray[np.integer],
    index: npt.NDArray[np.integer],
    points: F32,
    depth: F32,
    albedo: F32,
) -> tuple[F32, F32]:
    faces: Faces = view.faces
    shade_ = leaf_shade(faces, row, points, depth, view.lens)
    part = stage.part[index]
    foot = stage.poses[0, part, :3, 3].astype(np.float32)
    heart = foot + stage.param[index][:, :3]
    out = points - heart
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-3)
    out[:, 2] = out[:, 2] * 0.8 + 0.2
    extent = stage.radius[part].astype(np.float32)
    inner = np.clip(np.linalg.norm(points - heart, axis=1) / np.maximum(extent * 0.8, 0.1), 0, 1)
    tone = np.clip(shade_, 0.35, 1.35) * (0.5 + 0.55 * inner)
    return np.asarray(albedo * tone[:, None], np.float32), np.asarray(out, np.float32)


def _air(view: View, setting: Setting, radiance: F32) -> None:
    """Extinction and airlight along the path, in linear light (Koschmieder)."""
    weather = setting.weather
    length = np.linalg.norm(view.rays, axis=1)
    sky = np.isinf(view.depth)
    # Air that scatters lies below a ceiling, so the zenith stays clearer than the horizon in thin haze.
    rise = np.maximum(view.rays[:, 2] / length, 0.012)
    path = np.where(sky, np.minimum(260.0 / rise, 30000.0), np.where(sky, 0.0, view.depth) * length)
    through = np.exp(-weather.extinction * path).astype(np.float32)
    radiance *= through[:, None]
    radiance += weather.airlight * (1 - through)[:, None]
