"""Headlights of the recording vehicle: a low beam on whatever geometry puts before it."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.models.physics.light import Plane
from worldgen.models.physics.ops import enlarge
from worldgen.models.physics.view import View

LAMP_HEIGHT_M: Final = 0.68
LAMP_AHEAD_M: Final = 1.6
"""Lamps sit before the camera, which looks over the bonnet."""
COLOUR: Final = (1.0, 0.93, 0.80)
"""Linear RGB of a warm-white LED low beam (about 5000 K under a night white balance)."""

_SLOPES: Final = (-1.2, 1.2)
_RISES: Final = (-0.7, 0.25)
_TABLE: Final = (480, 640)
_REDUCE: Final = 2


_WALL: Final = np.float32(0.7)
"""Mean cosine at which surfaces other than the ground face the lamp."""


def _low_beam() -> Float32[npt.NDArray[np.float32], "h w"]:
    """Relative intensity by slope of the ray: rows rise/ahead, columns right/ahead.

    Shaped after UNECE Regulation 112: a cut-off 1% below the horizon, lifted by 15 degrees to the right of
    the centre, a hot spot just below it, and a wide flat foreground; above the cut-off only stray light.
    """
    rise = np.linspace(*_RISES, _TABLE[0], dtype=np.float32)[:, None]
    right = np.linspace(*_SLOPES, _TABLE[1], dtype=np.float32)[None, :]
    cut = -0.010 + np.clip(right * 0.27, 0, 0.022)
    below = cut - rise
    edge = 1 / (1 + np.exp(-below / 0.0035))
    hot = np.exp(-(((below - 0.012) / 0.022) ** 2) - (right / 0.16) ** 2)
    wide = np.exp(-((below / 0.085) ** 2) - (right / 0.42) ** 2)
    foreground = np.exp(-((below / 0.30) ** 2) - (right / 0.75) ** 2)
    stray = 0.012 * np.exp(-((right / 0.5) ** 2) - (rise / 0.15) ** 2)
    return np.asarray((1.0 * hot + 0.34 * wide + 0.055 * foreground) * edge + stray, np.float32)


_BEAM: Final = _low_beam()


def irradiance(view: View, wetness: float) -> Plane:
    """Light of the beam on every pixel's surface, relative: I(direction) cos(incidence) / distance^2.

    Scaled so that a wall 10 m ahead in the hot spot receives 1. Asphalt sends far more back to the lamp than
    a Lambertian ground at that grazing angle: 15 mcd/m2/lx for 12% albedo (EN 1436, road surfaces), as if it
    stood at cosine 0.35. A film of water mirrors the beam away from the driver instead.
    """
    across, along, above = lamp_coordinates(view)
    distance2 = across * across + along * along + above * above
    inverse = 1 / np.maximum(along, np.float32(0.3))
    columns = (across * inverse - _SLOPES[0]) * np.float32((_TABLE[1] - 1) / (_SLOPES[1] - _SLOPES[0]))
    rows = (above * inverse - _RISES[0]) * np.float32((_TABLE[0] - 1) / (_RISES[1] - _RISES[0]))
    beam = np.asarray(cv2.remap(_BEAM, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    incidence = np.full_like(beam, _WALL)
    ground = view.ground
    if ground is not None:
        first = -(-ground.rows.start // _REDUCE)
        share = ground.flat[first * _REDUCE - ground.rows.start :: _REDUCE, ::_REDUCE]
        part = slice(first, first + len(share))
        road = np.float32(0.35 * (1 - 0.5 * wetness))
        facing = np.maximum(road, LAMP_HEIGHT_M / np.sqrt(distance2[part]))
        incidence[part] += share * (facing - _WALL)
    # Nearer than 2 m the lamps are no point: the bonnet hides that ground anyway.
    light = beam * incidence * (np.float32(100) / np.maximum(distance2, np.float32(4)))
    light[along < 0.3] = 0
    if view.ego is not None:
        # The bonnet's estimated outline has steps: its shade on the road begins softly.
        size = max(3, view.frame.shape[0] // 60) | 1
        near = cv2.blur(view.ego[::_REDUCE, ::_REDUCE].astype(np.float32), (size, size))
        light *= np.clip(1 - 2 * cv2.blur(near, (size, size)), 0, 1)
    full = enlarge(np.asarray(light, np.float32), view.light)
    full[view.sky_mask] = 0
    if view.ego is not None:
        full[view.ego] = 0
    return full


def lamp_coordinates(view: View) -> tuple[Plane, Plane, Plane]:
    """Position of each point relative to the lamps: right, ahead, up in metres; at half the size."""
    rays, up = view.scene.rays.thin(_REDUCE), view.plane.up
    ahead = np.array([0.0, 0.0, 1.0]) - up[2] * up
    ahead /= np.linalg.norm(ahead)
    right = np.cross(ahead, up)
    z = np.minimum(view.depth_m[::_REDUCE, ::_REDUCE], np.float32(2000))
    along = rays.along(ahead) * z - np.float32(LAMP_AHEAD_M)
    across = rays.along(right) * z
    above = np.minimum(view.height_m[::_REDUCE, ::_REDUCE], np.float32(500)) - np.float32(LAMP_HEIGHT_M)
    return np.asarray(across, np.float32), np.asarray(along, np.float32), np.asarray(above, np.float32)
