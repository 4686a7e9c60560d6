"""Walls with windows, storeys, doors and shop fronts, as functions of metres along and up a wall."""

import numpy as np
import numpy.typing as npt

from worldgen.render.noise import fractal, hash01, sample
from worldgen.sources.proving_ground.setting import Setting
from worldgen.sources.proving_ground.view import Faces

F32 = npt.NDArray[np.floating]


def bar(t: F32, low: F32 | float, high: F32 | float, foot: F32) -> F32:
    """Share of a footprint around `t` that lies within [low, high]."""
    half = np.maximum(foot, 0.004) / 2
    return np.asarray(np.clip((np.minimum(t + half, high) - np.maximum(t - half, low)) / (2 * half), 0, 1))


def light_facade(
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
    wall = _wall(base, style, u, v, bar(y, 0.0, 0.05, py), grain, pixel)
    trim = np.minimum(base * 0.5 + 0.3, 0.8)
    glass = np.array([0.03, 0.035, 0.04], np.float32) * (0.6 + 0.8 * pick)[:, None]
    curtain = (pick * 7.3 % 1.0 < 0.35) & (style != 1)
    glass = np.where(curtain[:, None], np.float32(0.22) * (0.6 + 0.6 * pick)[:, None], glass)
    sign = shops & (y > 0.8) & (y < 0.97)
    wall = np.where(sign[:, None], _sign_colour(seed, i), wall)
    albedo = wall * (1 - window - frame)[:, None] + trim * frame[:, None] + glass * window[:, None]
    albedo = albedo * (1 - 0.6 * mullion)[:, None] + trim * (0.5 * mullion)[:, None]
    gloss = window * (1 - mullion) * np.where(style == 1, 1.9, 1.2) * np.where(curtain, 0.4, 1.0)
    lit = _lit_windows(weather.night, i, j, seed, style, shops, pick, window * (1 - mullion))
    return np.asarray(albedo, np.float32), np.asarray(gloss, np.float32), np.asarray(lit, np.float32)


def _sign_colour(seed: npt.NDArray[np.integer], i: F32) -> F32:
    shop = np.floor(i / 3)
    return np.stack([0.04 + 0.4 * hash01(seed, shop, k) ** 2 for k in (11, 12, 13)], 1)


def _wall(
    base: F32, style: npt.NDArray[np.integer], u: F32, v: F32, ledge: F32, grain: F32, pixel: F32
) -> F32:
    """Plaster, brick courses, metal ribs, ledges between storeys; dirt near the ground."""
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
    return np.asarray(wall * (1 - 0.22 * ledge * ((style == 0) | (style == 5)))[:, None])


def _lit_windows(
    night: float,
    i: F32,
    j: F32,
    seed: npt.NDArray[np.integer],
    style: npt.NDArray[np.integer],
    shops: npt.NDArray[np.bool_],
    pick: F32,
    pane: F32,
) -> F32:
    """Light from inside after dark: some windows, most shops, no two alike."""
    if night <= 0.05:
        return np.zeros((len(pick), 3), np.float32)
    chosen = hash01(i, j, seed + 77)
    share = np.where(shops, 0.8, np.where(style == 1, 0.18, 0.26)) * night
    on = np.clip((share - chosen) * 30, 0, 1)
    warm = np.stack((np.ones_like(pick), 0.62 + 0.25 * pick, 0.28 + 0.5 * pick * pick), 1)
    level = (0.03 + 0.26 * (chosen * 57.7 % 1.0) ** 1.5 + 0.08 * shops) * night
    return np.asarray(warm * (on * level * pane)[:, None], np.float32)
