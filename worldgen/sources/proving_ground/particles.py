"""What hangs in the air and on the lens: rain, snowflakes, spray behind wheels, drops on the glass.

Drops and flakes live in the world, in a box that repeats itself and follows the camera, so they stream past
a moving ego as they should. Streaks are as long as a drop falls while the shutter is open (Garg and Nayar,
International Journal of Computer Vision 75, 2007); fall speeds follow Atlas, Srivastava and Sekhon (1973).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Camera
from worldgen.sources.proving_ground.lamplight import Lights, lamp_light
from worldgen.sources.proving_ground.light import Weather
from worldgen.sources.proving_ground.stage import Stage

F32 = npt.NDArray[np.floating]
Floats = npt.NDArray[np.floating]

SHUTTER_S = 1 / 70
BOX_M = np.array([18.0, 18.0, 9.0])
MOST = 3600


@dataclass(frozen=True, slots=True, eq=False)
class Swarm:
    """Drops or flakes: places in the repeating box, sizes and velocities."""

    place: Floats
    """[n, 3] in metres."""
    diameter_m: Floats
    velocity: Floats
    """[n, 3] m/s, world."""
    opacity: float


def rain(rate_mm_h: float, seed: int) -> Swarm:
    """Drops of a rain rate, sizes after Marshall and Palmer (1948), of which the largest are drawn."""
    rng = np.random.default_rng([seed, 0xA1])
    count = int(min(MOST, 700 * rate_mm_h**0.55))
    slope = 4.1 * rate_mm_h**-0.21
    diameter_mm = np.minimum(1.0 + rng.exponential(1 / slope, count), 5.0)
    fall = 9.65 - 10.3 * np.exp(-0.6 * diameter_mm)
    wind = rng.normal(0, 0.9, 2)
    velocity = np.stack((np.full(count, wind[0]), np.full(count, wind[1]), -fall), 1)
    velocity[:, :2] += rng.normal(0, 0.25, (count, 2))
    return Swarm(rng.random((count, 3)) * BOX_M, diameter_mm / 1000, velocity, 0.8)


def snow(rate_mm_h: float, seed: int) -> Swarm:
    """Flakes of a snowfall (as water): aggregates of some millimetres that sink at about 1 m/s."""
    rng = np.random.default_rng([seed, 0xA2])
    count = int(min(MOST, 1700 * rate_mm_h**0.5))
    diameter_m = rng.gamma(3.0, 0.0032, count) + 0.004
    wind = rng.normal(0, 0.8, 2)
    velocity = np.stack(
        (
            wind[0] + rng.normal(0, 0.35, count),
            wind[1] + rng.normal(0, 0.35, count),
            -rng.uniform(0.7, 1.5, count),
        ),
        1,
    )
    return Swarm(rng.random((count, 3)) * BOX_M, diameter_m, velocity, 0.9)


def draw_swarm(
    light: F32,
    swarm: Swarm,
    *,
    seconds: float,
    pose: Floats,
    ego_velocity: Floats,
    camera: Camera,
    depth: F32,
    weather: Weather,
    lights: Lights,
) -> F32:
    """Draw a swarm into radiance [h, w, 3], behind what is nearer."""
    position, rotation = pose[:3, 3], pose[:3, :3]
    h, w = depth.shape
    moved = swarm.place + swarm.velocity * seconds - position
    near = moved - np.floor(moved / BOX_M) * BOX_M - BOX_M / 2
    begin = near @ rotation
    end = (near + (swarm.velocity - ego_velocity) * SHUTTER_S) @ rotation
    ahead = (begin[:, 2] > 0.5) & (end[:, 2] > 0.4)
    p = _project(begin, camera)
    q = _project(end, camera)
    inside = ahead & (np.maximum(p[:, 0], q[:, 0]) > 0) & (np.minimum(p[:, 0], q[:, 0]) < w)
    inside &= (np.maximum(p[:, 1], q[:, 1]) > 0) & (np.minimum(p[:, 1], q[:, 1]) < h)
    at = np.flatnonzero(inside)
    column = np.clip((p[at, 0] + q[at, 0]) / 2, 0, w - 1).astype(int)
    row = np.clip((p[at, 1] + q[at, 1]) / 2, 0, h - 1).astype(int)
    at = at[begin[at, 2] < depth[row, column]]
    wide = swarm.diameter_m[at] * camera.fx / begin[at, 2]
    length = np.linalg.norm(q[at] - p[at], axis=1)
    # A drop covers each point of its streak for diameter / length of the exposure; what is thinner than a
    # pixel is thinner in opacity. The floor keeps at least something to see: true rain is fainter still.
    pixel = h / 288.0
    stroke = np.maximum(np.round(wide), 1)
    thin = np.clip(wide / stroke, 0, 1) ** 0.6
    share = thin * np.clip(2.4 * wide / np.maximum(length + wide, 1e-3), 0, 1) ** 0.25
    alpha = np.clip(swarm.opacity * np.maximum(share, 0.0) * (1.3 if swarm.opacity > 0.85 else 1.6), 0, 0.9)
    fade = np.clip((BOX_M[0] / 2 - begin[at, 2]) / 2.0, 0, 1)
    layer = np.zeros((h, w), np.uint8)
    order = np.argsort(-begin[at, 2])
    a16, b16 = np.round(p[at] * 16).astype(int), np.round(q[at] * 16).astype(int)
    level = np.round(alpha * fade * 255).astype(int)
    for k in order:
        if level[k] > 3:
            cv2.line(
                layer,
                (int(a16[k, 0]), int(a16[k, 1])),
                (int(b16[k, 0]), int(b16[k, 1])),
                int(level[k]),
                int(stroke[k]),
                cv2.LINE_AA,
                4,
            )
    soft = cv2.GaussianBlur(layer, (0, 0), 0.45 + 0.25 * pixel) if swarm.opacity > 0.85 else layer
    cover = (soft.astype(np.float32) / 255.0)[..., None]
    glow = weather.ambient * np.float32(0.95)
    if len(lights.position) and len(at):
        some = (near[at[:: max(len(at) // 64, 1)]] + position).astype(np.float32)
        up = (position - some) / np.maximum(np.linalg.norm(position - some, axis=1, keepdims=True), 1e-6)
        glow = glow + 0.6 * lamp_light(lights, some, up.astype(np.float32)).mean(0)
    return np.asarray(light * (1 - cover) + glow * cover, np.float32)


def draw_spray(
    light: F32, stage: Stage, t: int, pose: Floats, camera: Camera, depth: F32, weather: Weather
) -> F32:
    """Draw the mist that wheels throw up behind moving vehicles."""
    h, w = depth.shape
    layer = np.zeros((h, w), np.float32)
    for thing in stage.things:
        if (
            thing.kind not in ("car", "suv", "van", "truck", "bus")
            or float(thing.speed[t]) < 5
            or not thing.visible[t]
        ):
            continue
        rng = np.random.default_rng([thing.id, t, 0x59])
        size = 1.7 if thing.kind in ("truck", "bus") else 1.0
        back = rng.uniform(0.2, 5.0 * size, 16)
        body = np.stack(
            (
                -thing.rig.size[0] / 2 - back,
                rng.normal(0, 0.55 * size, 16),
                0.15 + 0.16 * back * rng.uniform(0.3, 1.4, 16),
            ),
            1,
        )
        world = body @ thing.poses[t][:3, :3].T + thing.poses[t][:3, 3]
        eye = (world - pose[:3, 3]) @ pose[:3, :3]
        for (x, y, z), behind in zip(eye, back, strict=True):
            if z < 2.5:
                continue
            u, v = x / z * camera.fx + camera.cx, y / z * camera.fy + camera.cy
            if 0 <= u < w and 0 <= v < h and depth[int(v), int(u)] > z - 1.0:
                strength = (
                    weather.spray * min(float(thing.speed[t]) / 18, 1.2) * 0.042 * (1 - behind / (6 * size))
                )
                radius = max((0.35 + 0.13 * behind) * camera.fx / z, 1.0)
                _blot(layer, u, v, radius, strength)
    cover = np.clip(layer, 0, 0.75)[..., None]
    return np.asarray(light * (1 - cover) + weather.ambient * np.float32(0.7) * cover, np.float32)


def _blot(layer: F32, u: float, v: float, radius: float, strength: float) -> None:
    """Add a soft round spot."""
    reach = int(radius * 2) + 1
    x0, x1 = max(int(u) - reach, 0), min(int(u) + reach + 1, layer.shape[1])
    y0, y1 = max(int(v) - reach, 0), min(int(v) + reach + 1, layer.shape[0])
    dx = (np.arange(x0, x1) - u) / radius
    dy = (np.arange(y0, y1) - v) / radius
    layer[y0:y1, x0:x1] += strength * 3.0 * np.exp(-(dx[None] ** 2 + dy[:, None] ** 2)).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class LensDrops:
    """Drops that sit on the lens: each shows the scene small, upside down and out of focus."""

    cover: F32
    """[h, w], 0..1."""
    column: F32
    row: F32
    boxes: tuple[tuple[float, float, float, float], ...]


def lens_drops(amount: float, camera: Camera, seed: int) -> LensDrops | None:
    """Scatter drops over the lens; 1 is a lens never wiped."""
    if amount <= 0:
        return None
    rng = np.random.default_rng([seed, 0xD2])
    h, w = camera.height, camera.width
    rows, columns = np.meshgrid(np.arange(h, dtype=np.float32), np.arange(w, dtype=np.float32), indexing="ij")
    cover = np.zeros((h, w), np.float32)
    map_x, map_y = columns.copy(), rows.copy()
    boxes = []
    for _ in range(int(6 + 44 * amount)):
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        radius = h * float(rng.gamma(3.0, 0.006) + 0.008)
        stretch = float(rng.uniform(1.0, 1.35))
        away = np.hypot((columns - x), (rows - y) / stretch) / radius
        inside = away < 1.15
        soft = np.clip((1.15 - away) / 0.3, 0, 1)
        cover = np.where(inside, np.maximum(cover, soft), cover)
        map_x = np.where(inside, x - (columns - x) * 5.0, map_x)
        map_y = np.where(inside, y * 0.6 + h * 0.2 - (rows - y) * 5.0, map_y)
        boxes.append(
            (x - radius * 1.15, y - radius * stretch * 1.15, x + radius * 1.15, y + radius * stretch * 1.15)
        )
    return LensDrops(cover, np.clip(map_x, 0, w - 1), np.clip(map_y, 0, h - 1), tuple(boxes))


def draw_lens_drops(light: F32, drops: LensDrops) -> F32:
    """Look through the drops."""
    blurred = cv2.GaussianBlur(light, (0, 0), light.shape[0] * 0.012)
    seen = cv2.remap(blurred, drops.column, drops.row, cv2.INTER_LINEAR)
    return np.asarray(light + (seen * 0.97 - light) * drops.cover[..., None], np.float32)


def _project(points: Floats, camera: Camera) -> Floats:
    z = np.maximum(points[:, 2], 0.3)
    return np.stack((points[:, 0] / z * camera.fx + camera.cx, points[:, 1] / z * camera.fy + camera.cy), 1)
