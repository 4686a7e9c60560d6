"""Light on surfaces: from what is seen to radiance, sample by sample, in linear light."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgen.render.mesh import CLOTH, FACADE, GLASS, LEAVES, METAL, PAINT, ROOF, RUBBER, SIGN, SKIN, STONE
from worldgen.render.noise import fractal, hash01, nearest, sample
from worldgen.sources.proving_ground.ground import ground_at
from worldgen.sources.proving_ground.light import Weather
from worldgen.sources.proving_ground.scene import Scene
from worldgen.sources.proving_ground.shadow import Grid, read
from worldgen.sources.proving_ground.stage import Stage
from worldgen.sources.proving_ground.view import BACKDROP, GROUND, VOID, Faces, View, leaf_shade

F32 = npt.NDArray[np.float32]
SHINY = (GLASS, PAINT, METAL)
DIMMEST = 0.02
"""Irradiance over pi at which a lamp's reach ends."""
SNOW = np.array([0.86, 0.88, 0.92], np.float32)
SAND = np.array([0.42, 0.30, 0.16], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Lights:
    """Lamps that light their surroundings: positions, colours, directions and cones."""

    position: F32
    """[k, 3] world."""
    colour: F32
    """[k, 3] intensity: radiance of a white surface 1 m away that faces the lamp."""
    direction: F32
    """[k, 3] unit; the axis of its beam."""
    is_beam: npt.NDArray[np.bool_]
    """[k] a headlight; other lamps shine into the half space before them."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """All that light needs to know about one frame besides what is seen."""

    scene: Scene
    stage: Stage
    weather: Weather
    emission: F32
    """Radiance per lamp slot, [slots, 3]."""
    lights: Lights
    grid: Grid
    shade_height: F32
    shade_cover: F32
    contact: F32
    """Darkness of the ground under things, 0..1, on the same grid."""
    frame: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Per sample, flat: radiance, tags and instances, and how wet the ground is."""

    radiance: F32
    tag: npt.NDArray[np.uint8]
    instance: npt.NDArray[np.int32]
    gloss: F32
    """Mirror-like share of the ground, 0..1; 0 elsewhere."""


def shade(view: View, setting: Setting) -> Picture:
    """Light one view."""
    n = len(view.depth)
    radiance = np.zeros((n, 3), np.float32)
    tag = np.zeros(n, np.uint8)
    instance = np.zeros(n, np.int32)
    gloss = np.zeros(n, np.float32)
    free = view.face < 0
    sky = np.flatnonzero(free & (view.background == VOID))
    _sky(view, setting, sky, radiance, tag)
    far = np.flatnonzero(free & (view.background == BACKDROP))
    _skyline(view, setting, far, radiance, tag)
    ground = np.flatnonzero(free & (view.background == GROUND))
    _ground(view, setting, ground, radiance, tag, gloss)
    hit = np.flatnonzero(~free)
    _surfaces(view, setting, hit, radiance, tag, instance)
    _air(view, setting, radiance)
    return Picture(radiance, tag, instance, gloss)


def _points(view: View, where: npt.NDArray[np.intp]) -> F32:
    return view.rays[where] * view.depth[where, None] + view.position.astype(np.float32)


def _sky(
    view: View, setting: Setting, where: npt.NDArray[np.intp], radiance: F32, tag: npt.NDArray[np.uint8]
) -> None:
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


def _skyline(
    view: View, setting: Setting, where: npt.NDArray[np.intp], radiance: F32, tag: npt.NDArray[np.uint8]
) -> None:
    scene, weather = setting.scene, setting.weather
    if len(where) == 0:
        return
    points = _points(view, where)
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


def _ground(
    view: View,
    setting: Setting,
    where: npt.NDArray[np.intp],
    radiance: F32,
    tag: npt.NDArray[np.uint8],
    gloss: F32,
) -> None:
    if len(where) == 0:
        return
    scene, weather = setting.scene, setting.weather
    points = _points(view, where)
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


def lamp_light(lights: Lights, points: F32, normal: F32) -> F32:
    """Light from all lamps on surface points, as radiance of a white surface, [n, 3]."""
    total = np.zeros_like(points)
    if len(lights.position) == 0 or len(points) == 0:
        return total
    # Sorted along the road, each lamp need only look at the points within its reach.
    cell = np.clip(points[:, 0] * 0.5, -30000, 30000).astype(np.int16)
    order = np.argsort(cell, kind="stable")
    cell, points, normal = cell[order], points[order], normal[order]
    out = np.zeros_like(points)
    for position, colour, direction, is_beam in zip(
        lights.position, lights.colour, lights.direction, lights.is_beam, strict=True
    ):
        reach = float(np.sqrt(colour.max() / DIMMEST))
        begin, end = np.searchsorted(
            cell, [int((position[0] - reach) * 0.5) - 1, int((position[0] + reach) * 0.5) + 1]
        )
        if begin == end:
            continue
        away = position - points[begin:end]
        square = away[:, 0] ** 2 + away[:, 1] ** 2 + away[:, 2] ** 2
        near = np.flatnonzero(square < reach * reach)
        if len(near) == 0:
            continue
        away = away[near]
        square = square[near] + np.float32(0.3)
        toward = away / np.sqrt(square)[:, None]
        near += begin
        facing = np.clip(np.einsum("ni,ni->n", toward, normal[near]), 0, 1)
        shape = _beam(toward, direction) if is_beam else np.clip(-(toward @ direction) * 1.3 + 0.15, 0, 1)
        # The rim fades out instead of ending.
        strength = facing * shape * (1 / square - np.float32(1 / (reach * reach))).clip(0)
        out[near] += strength[:, None] * colour
    total[order] = out
    return total


def _beam(toward: F32, axis: F32) -> F32:
    """Share of a dipped headlight's greatest intensity: wide, cut off above, brightest just below the cut."""
    ahead = -(toward @ axis)
    side = -(toward @ np.array([-axis[1], axis[0], 0.0], np.float32))
    down = toward[:, 2]
    spread = np.exp(-((np.arctan2(side, np.maximum(ahead, 1e-3)) / 0.36) ** 2)) * (ahead > 0)
    cut = np.clip((down + 0.018) / 0.03, 0.03, 1.0)
    return np.asarray(spread * cut * (0.10 + 0.90 * np.exp(-np.maximum(down - 0.03, 0) / 0.075)), np.float32)


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
    points = _points(view, where)
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
        pane, shine, lit = _facade(
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
    height = np.clip(points[:, 2], 0, None)
    nook = 1 - 0.42 * np.exp(-height / 0.55)
    rise = 0.5 + 0.5 * normal[:, 2]
    bounce = 0.16 * (1 - rise) + 0.5 * weather.snow_cover * (1 - rise)
    ambient = weather.ambient * (nook * (0.28 + 0.72 * rise + bounce))[:, None]
    light = ambient + weather.sun_rgb * (facing * (1 - shaded))[:, None]
    light = light + lamp_light(setting.lights, points, normal)
    colour = albedo * light
    shiny = np.flatnonzero(gloss > 0.02)
    if len(shiny):
        colour[shiny] += _mirror(
            view, setting, where[shiny], points[shiny], normal[shiny], gloss[shiny], shaded[shiny]
        )
    radiance[where] = colour + emitted


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
    points: F32,
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


def _facade(
    setting: Setting,
    faces: Faces,
    row: npt.NDArray[np.integer],
    points: F32,
    normal: F32,
    pixel: F32,
    param: F32,
    base: F32,
) -> tuple[F32, F32, F32]:
    """Windows, storeys, doors and stone of walls: albedo, gloss and light from inside."""
    weather = setting.weather
    tangent = np.stack((-normal[:, 1], normal[:, 0]), 1)
    corner = faces.corners[row, 0]
    u = np.einsum("ni,ni->n", points[:, :2] - corner[:, :2].astype(np.float32), tangent)
    v = points[:, 2]
    style, seed, top = param[:, 0].astype(int), param[:, 1].astype(int), param[:, 2]
    span = np.linalg.norm(faces.corners[row, 1] - faces.corners[row, 0], axis=1).astype(np.float32)
    u = np.where(u < 0, u + span, u)
    wish_bay = np.array([3.1, 1.6, 2.6, 2.7, 6.0, 3.4], np.float32)[style] * (0.85 + 0.4 * hash01(seed, 3))
    wish_storey = np.array([3.0, 3.4, 3.1, 2.9, 5.0, 3.6], np.float32)[style] * (
        0.95 + 0.15 * hash01(seed, 4)
    )
    bays = np.maximum(np.round((span - 0.8) / wish_bay), 1)
    bay = (span - 0.8) / bays
    storey = top / np.maximum(np.round(top / wish_storey), 1)
    i, j = np.floor((u - 0.4) / bay), np.floor(v / storey)
    x, y = (u - 0.4) / bay - i, v / storey - j
    w = np.array([0.5, 0.94, 0.42, 0.42, 0.6, 0.62], np.float32)[style] * (0.85 + 0.3 * hash01(seed, 5))
    w = np.minimum(w, 0.96)
    h = np.array([0.5, 0.8, 0.54, 0.48, 0.22, 0.5], np.float32)[style] * (0.9 + 0.2 * hash01(seed, 6))
    sill = np.array([0.28, 0.12, 0.25, 0.32, 0.68, 0.25], np.float32)[style]
    shops = ((style == 5) | ((style == 2) & (seed % 3 == 0)) | ((style == 0) & (seed % 4 == 0))) & (j == 0)
    w, h, sill = np.where(shops, 0.9, w), np.where(shops, 0.68, h), np.where(shops, 0.1, sill)
    facing = np.abs(normal @ np.array([1.0, 0.0, 0.0], np.float32))
    px = np.asarray(pixel / bay * np.where(facing > 0.7, 1.0, 2.5), np.float32)
    py = np.asarray(pixel / storey, np.float32)

    def bar(t: F32, low: F32, high: F32, foot: F32) -> F32:
        half = np.maximum(foot, 0.004) / 2
        return np.clip((np.minimum(t + half, high) - np.maximum(t - half, low)) / (2 * half), 0, 1)

    inside = (i >= 0) & (i < bays)
    window = bar(x, 0.5 - w / 2, 0.5 + w / 2, px) * bar(y, sill, sill + h, py) * inside
    frame = (
        bar(x, 0.5 - w / 2 - 0.035, 0.5 + w / 2 + 0.035, px)
        * bar(y, sill - 0.03, sill + h + 0.03, py)
        * inside
        - window
    )
    mullion = bar(np.abs(x - 0.5), 0.0, 0.018, px) * window * (style != 1)
    fade = np.clip(px * 1.2, 0, 1)
    mean = w * h
    window = window * (1 - fade) + mean * inside * fade
    pick = hash01(i, j, seed)
    grain = sample(fractal(5, 8, 71), u / 9.0 + seed / 31.0, v / 9.0) * np.exp(-pixel / 0.6)
    wall = base * (1 + 0.08 * grain - 0.14 * np.clip(1 - v / 1.2, 0, 1))[:, None]
    brick = (style == 2) & (pixel < 0.06)
    if brick.any():
        course = np.abs((v[brick] / 0.085) % 1.0 - 0.5)
        wall[brick] *= (1 - 0.18 * (course > 0.42))[:, None]
    ribs = style == 4
    if ribs.any():
        wall[ribs] *= (1 + 0.07 * np.sign(np.sin(u[ribs] * 2 * np.pi / 0.6)) * np.exp(-pixel[ribs] / 0.15))[
            :, None
        ]
    ledge = bar(y, np.float32(0.0), np.float32(0.05), py) * ((style == 0) | (style == 5))
    wall *= (1 - 0.22 * ledge)[:, None]
    trim = np.minimum(base * 0.5 + 0.3, 0.8)
    glass = np.array([0.03, 0.035, 0.04], np.float32) * (0.6 + 0.8 * pick)[:, None]
    curtain = (pick * 7.3 % 1.0 < 0.35) & (style != 1)
    glass = np.where(curtain[:, None], np.float32(0.22) * (0.6 + 0.6 * pick)[:, None], glass)
    sign = shops & (y > 0.8) & (y < 0.97)
    wall = np.where(sign[:, None], _sign_colour(seed, i), wall)
    albedo = wall * (1 - window - frame)[:, None] + trim * frame[:, None] + glass * window[:, None]
    albedo = albedo * (1 - 0.6 * mullion)[:, None] + trim * (0.5 * mullion)[:, None]
    gloss = window * (1 - mullion) * np.where(style == 1, 1.9, 1.2) * np.where(curtain, 0.4, 1.0)
    lit = np.zeros_like(albedo)
    dim = max(weather.night, 0.0)
    if dim > 0.05:
        chosen = hash01(i, j, seed + 77)
        share = np.where(shops, 0.8, np.where(style == 1, 0.18, 0.26)) * dim
        on = np.clip((share - chosen) * 30, 0, 1)
        warm = np.stack((np.ones_like(pick), 0.62 + 0.25 * pick, 0.28 + 0.5 * pick * pick), 1)
        level = (0.03 + 0.26 * (chosen * 57.7 % 1.0) ** 1.5 + 0.08 * shops) * dim
        lit = warm * (on * level * window * (1 - mullion))[:, None]
    return np.asarray(albedo, np.float32), np.asarray(gloss, np.float32), np.asarray(lit, np.float32)


def _sign_colour(seed: npt.NDArray[np.integer], i: F32) -> F32:
    shop = np.floor(i / 3)
    return np.stack([0.04 + 0.4 * hash01(seed, shop, k) ** 2 for k in (11, 12, 13)], 1)


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
