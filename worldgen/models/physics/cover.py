"""Cover: snow or sand lying on the ground, fixed to the world."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from worldgen.models.physics.ground_view import GroundView
from worldgen.models.physics.light import LUMA, Linear, Plane
from worldgen.models.physics.ops import mix, mix_colour, smoothstep
from worldgen.models.physics.scene import Scene
from worldgen.models.physics.strips import strips
from worldgen.models.physics.texture import Texture
from worldgen.models.physics.view import View

SNOW_ALBEDO: Final = 0.82
"""Fresh to settled snow (Warren 1982)."""
SAND: Final = np.array([0.62, 0.47, 0.30], np.float32)
"""Linear colour of dry quartz sand relative to a white in the same light."""
_TRACKS_M: Final = 0.78
"""Half the track width of a car: wheels press and clear two stripes."""
_LANE_M: Final = 3.5
_SHADE_REDUCE: Final = 8
"""Shade is read off a picture so many times smaller."""
_WORN_M: Final = 6.4
_WORN_STEP_M: Final = 0.02
"""Half the width of the table of worn snow, and its step."""


class SnowCover:
    """Snow on the ground and on what looks up; never on car sides, people or the recording vehicle.

    Args:
        share: Of the ground that is covered, 0..1.
        seed: Of the patches.
        scene: Whose driven path leaves wheel tracks.
    """

    def __init__(self, share: float, seed: int, scene: Scene) -> None:
        self._share = share
        self._patches = Texture(seed + 21, falloff=1.25, lowest=6)
        self._relief = Texture(seed + 22, falloff=1.0, lowest=6)
        self._path = driven_path(scene)

    def lie(self, view: View) -> None:
        """Cover the ground of one frame in place, before it is lit."""
        ground = view.ground
        if ground is None:
            return
        grass, detail = ground.grass, ground.detail
        asked, film = np.float32(self._share), np.float32(0.30 * min(1.0, self._share / 0.5))
        shading, radiance = _shading(ground), SNOW_ALBEDO * level_of_white(view)
        for rows in strips(ground.light.shape):
            right, ahead, foot = ground.right[rows], ground.ahead[rows], ground.footprint_m[rows]
            patches = self._patches.on_ground(right, ahead, foot, 0.05)
            relief = self._relief.on_ground(right, ahead, foot, 0.012)
            green, fine = grass[rows], detail[rows]
            worn = self._worn(right, ahead) * ground.paved[rows] * (1 - green)
            # Grass is cold: snow settles there first, and last where wheels roll.
            share = asked + (1 - asked) * np.float32(0.95) * green - (np.float32(0.6) - 0.3 * asked) * worn
            # Texture values are equalised: the share of them above 1 - s is s. The ground's grain is in it.
            level = 0.7 * patches + 0.3 * relief + np.float32(0.22) * (fine - 1) * (0.35 + green)
            cover = smoothstep(-0.24, 0.16, np.asarray(level - (1 - share) * 1.02, np.float32))
            # Thin snow lets asphalt through; wheels leave pressed grey snow, hardly ever bare ground.
            cover = np.maximum(cover, film * (1 - 0.6 * worn)) * ground.flat[rows]
            bumps = np.asarray(0.6 * relief + 0.4 * patches, np.float32)
            white = _snow(radiance, shading[rows], fine, bumps, worn)
            mix(ground.light[rows], white, np.asarray(np.minimum(cover, 0.96), np.float32))
        self._on_plants(view)

    def _worn(self, right: Plane, ahead: Plane) -> Plane:
        """How far wheels have worn the snow: two stripes along the driven path and along lanes beside it."""
        lateral = lateral_distance(self._path, right, ahead)
        lateral += np.float32(_WORN_M)
        lateral *= np.float32(1 / _WORN_STEP_M)
        row = np.zeros_like(lateral)
        found = cv2.remap(_WORN, lateral, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)

    def _on_plants(self, view: View) -> None:
        """Powder crowns: leaves that catch the sky (brighter than their surroundings) carry snow.

        Read off the picture itself, so it moves with the tree.
        """
        plants = view.plants
        found = np.flatnonzero(plants[:, ::4].max(axis=1) > 0.02)
        if not len(found):
            return
        rows = slice(int(found[0]), int(found[-1]) + 1)
        light, luma = view.light[rows], view.luma[rows]
        # What looks up is brighter than what lies just below it (its own underside and shade).
        around = cv2.blur(luma, (13, 13))
        below = cv2.blur(luma, (5, 5), anchor=(2, 0))
        skyline = view.sky_rows.stop - rows.start
        white = 0.75 * SNOW_ALBEDO * level_of_white(view)
        for part in strips(light.shape):
            catch = luma[part] / np.maximum(0.5 * around[part] + 0.5 * below[part], np.float32(2e-3))
            weight = 0.20 + 0.52 * smoothstep(0.90, 1.7, np.asarray(catch, np.float32))
            weight *= plants[rows][part]
            weight *= np.float32(self._share)
            overlap = max(0, min(part.stop, skyline) - part.start)
            weight[:overlap] *= 1 - view.sky[rows.start + part.start : rows.start + part.start + overlap]
            mix_colour(light[part], (0.97 * white, 0.99 * white, white), weight)


def _shading(ground: GroundView) -> Plane:
    """How much light falls on this ground, against the usual.

    It is read off the source: the ground's own brightness against its median, smoothed, so that shade stays
    shade.
    """
    if min(ground.luma.shape) < _SHADE_REDUCE:
        return np.ones(ground.luma.shape, np.float32)  # too little of it is seen to tell what is usual
    small = cv2.resize(
        ground.luma, None, fx=1 / _SHADE_REDUCE, fy=1 / _SHADE_REDUCE, interpolation=cv2.INTER_AREA
    )
    flat = cv2.resize(ground.flat.astype(np.float32), small.shape[::-1], interpolation=cv2.INTER_AREA)
    shade = cv2.GaussianBlur(small * flat, (0, 0), 2.5) / np.maximum(
        cv2.GaussianBlur(flat, (0, 0), 2.5), 1e-3
    )
    usual = float(np.median(small[flat > 0.9])) if (flat > 0.9).any() else 0.1
    shading = np.clip(shade / max(usual, 1e-3), 0.5, 1.35) ** 0.45
    size = ground.luma.shape[::-1]
    return np.asarray(cv2.resize(np.asarray(shading, np.float32), size, interpolation=cv2.INTER_LINEAR))


def _snow(level: float, shading: Plane, detail: Plane, relief: Plane, worn: Plane) -> Linear:
    """Radiance of snow: low bumps catch the light; wheel tracks are pressed, grey and wet."""
    light = shading * (1 + np.float32(0.26) * (relief - 0.5)) * (1 - np.float32(0.38) * worn)
    light *= 1 + np.float32(0.30) * (detail - 1)
    light *= np.float32(level)
    return np.asarray(cv2.merge([0.965 * light, 0.985 * light, 1.015 * light]), np.float32)


def _worn_by_distance() -> npt.NDArray[np.float32]:
    away = np.arange(-_WORN_M, _WORN_M + _WORN_STEP_M, _WORN_STEP_M)
    wheels = [lane + wheel for lane in (-_LANE_M, 0.0, _LANE_M) for wheel in (-_TRACKS_M, _TRACKS_M)]
    nearest = np.abs(away[:, None] - np.array(wheels)).min(axis=1)
    return np.asarray(np.exp(-((nearest / 0.30) ** 2)), np.float32).reshape(1, -1)


_WORN: Final = _worn_by_distance()
"""How far wheels have worn the snow, by metres to the right of the driven path."""


class SandCover:
    """Drifted sand on the road: thin tongues along the wind, thicker patches where more is asked."""

    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._tongues = Texture(seed + 31, falloff=1.3, stretch=6.0, lowest=5)
        self._drifts = Texture(seed + 33, falloff=1.6, stretch=4.0, lowest=3)
        self._grain = Texture(seed + 32, falloff=0.7, lowest=10)

    def lie(self, view: View) -> None:
        """Cover the ground of one frame in place, before it is lit."""
        ground = view.ground
        if ground is None:
            return
        right, ahead, foot = ground.right, ground.ahead, ground.footprint_m
        along, across = ahead + 0.35 * right, right - 0.35 * ahead
        tongues = self._tongues.on_ground(across, along, foot, 0.03)
        drifts = self._drifts.on_ground(across, along, foot, 0.12)
        grain = self._grain.on_ground(right, ahead, foot, 0.01)
        detail = ground.detail
        level = 0.45 * tongues + 0.4 * drifts + 0.15 * grain + np.float32(0.2) * (detail - 1)
        # Blades hold sand between them: it shows through grass and hardly lies on it.
        share = np.float32(self._share) * (1 - np.float32(0.55) * ground.grass)
        cover = smoothstep(-0.20, 0.22, np.asarray(level - (1 - share), np.float32))
        cover = np.maximum(cover, np.float32(0.16 * self._share)) * ground.flat
        tone = np.float32(0.8 * level_of_white(view)) * (0.90 + 0.20 * grain)
        tone *= 1 + np.float32(0.5) * (detail - 1)
        sand = cv2.merge([tone * c for c in SAND])
        mix(ground.light, np.asarray(sand, np.float32), np.asarray(np.minimum(cover, 0.88), np.float32))


def level_of_white(view: View) -> float:
    """Radiance of a white diffuser on this ground in the source's light, held below clipping.

    Asphalt of 12% gives one estimate, the sky's own brightness (a diffuser under a closed sky is about as
    bright as the sky) the other; the geometric mean is steadier than either.
    """
    sky = float(view.sky_light @ np.array(LUMA, np.float32))
    ground = 1.0 / view.scene.reflectance_gain
    return float(np.clip(np.sqrt(sky * ground), 0.38, 0.74))


def driven_path(scene: Scene) -> Float64[npt.NDArray[np.float64], "n 2"]:
    """The camera's track over the ground (right, ahead), continued straight for 80 m both ways."""
    track = scene.poses[:, :3, 3] @ scene.level[:2].T
    heading = scene.poses[-1, :3, 2] @ scene.level[:2].T
    first = scene.poses[0, :3, 2] @ scene.level[:2].T
    ends = np.linspace(4, 80, 20)[:, None]
    before = track[0] - ends[::-1] * first / max(float(np.linalg.norm(first)), 1e-6)
    after = track[-1] + ends * heading / max(float(np.linalg.norm(heading)), 1e-6)
    return np.asarray(np.vstack([before, track, after]))


def lateral_distance(path: Float64[npt.NDArray[np.float64], "n 2"], right: Plane, ahead: Plane) -> Plane:
    """Metres to the right of the path, looked up by how far ahead a point lies.

    Good while the path heads within some 60 degrees of the first frame's heading; sharper turns lose their
    tracks rather than bend them.
    """
    order = np.argsort(path[:, 1], kind="stable")
    along, across = path[order, 1], path[order, 0]
    grid = np.arange(along[0], along[-1], 0.5)
    table = np.interp(grid, along, across).astype(np.float32).reshape(1, -1)
    index = np.asarray((ahead - np.float32(grid[0])) * np.float32(2), np.float32)
    found = cv2.remap(table, index, np.zeros_like(index), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(right - found, np.float32)
