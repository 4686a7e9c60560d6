"""Dusk and night: daylight goes, lamps stay."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.models.physics.clouds import add_sky, over_sky, remove_sky, sky_directions
from worldgen.models.physics.daylight import soften_shadows
from worldgen.models.physics.headlights import COLOUR, irradiance
from worldgen.models.physics.light import Linear, Plane
from worldgen.models.physics.look import Look
from worldgen.models.physics.ops import recolour, saturation, scale, tint
from worldgen.models.physics.strips import strips
from worldgen.models.physics.view import View

Colour = npt.NDArray[np.float32]

NIGHT_AMBIENT: Final = np.array([0.050, 0.055, 0.072], np.float32)
"""Ambient light of a lit town under a night exposure, relative to the source's daylight: about 4.2 stops
below it and bluish, as moon and sky glow are against lamps (Punnappurath et al. 2022 relight with several
local lamps and a weak ambient)."""
HEADLIGHT_GAIN: Final = 12.0
"""Exposure at night is set for the lit road: asphalt ten metres ahead comes out as a mid grey."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Illumination:
    """Light after sunset, relative to the source's daylight, as the camera exposes it."""

    ambient: Colour
    """RGB gain on surfaces."""
    zenith: Colour
    """Radiance of the sky far up."""
    horizon: Colour
    """Radiance of the sky just above the horizon."""
    airlight: Colour
    """Radiance of a thick layer of air near the ground, lit by the town and the sky."""
    headlights: float
    colour_kept: float
    wetness: float


def illumination_of(look: Look) -> Illumination:
    """Interpolate between sunset (0 degrees), nautical dusk (-6) and night (-12 and below)."""
    sun = look.sun_elevation_deg if look.sun_elevation_deg is not None else 0.0
    closed = look.overcast
    keys = np.array([-12.0, -8.0, -6.0, -3.0, 1.0])

    def at(table: list[tuple[float, float, float]]) -> Colour:
        columns = np.array(table)
        logs = [np.interp(sun, keys, np.log(columns[:, c])) for c in range(3)]
        return np.asarray(np.exp(np.array(logs)), np.float32)

    night = (float(NIGHT_AMBIENT[0]), float(NIGHT_AMBIENT[1]), float(NIGHT_AMBIENT[2]))
    ambient = at([night, (0.058, 0.067, 0.090), (0.07, 0.085, 0.12), (0.13, 0.15, 0.19), (0.33, 0.30, 0.28)])
    zenith = at(
        [
            (0.0048, 0.0060, 0.0100),
            (0.010, 0.015, 0.032),
            (0.02, 0.036, 0.085),
            (0.06, 0.10, 0.19),
            (0.16, 0.22, 0.34),
        ]
    )
    horizon = at(
        [
            (0.030, 0.0280, 0.0300),
            (0.075, 0.058, 0.055),
            (0.17, 0.105, 0.09),
            (0.42, 0.24, 0.16),
            (0.75, 0.50, 0.34),
        ]
    )
    if closed > 0:
        # Under cloud there is no afterglow; a town's light on the cover makes it one dull grey.
        dull = np.float32(0.45 * horizon.mean() + 0.55 * zenith.mean())
        tone = np.array([1.02, 1.0, 1.06], np.float32) * dull
        zenith = (1 - closed) * zenith + closed * tone * np.float32(0.85)
        horizon = (1 - closed) * horizon + closed * tone
    return Illumination(
        ambient=ambient * np.float32(1 + 0.2 * closed),
        zenith=np.asarray(zenith, np.float32),
        horizon=np.asarray(horizon, np.float32),
        airlight=np.asarray(0.75 * horizon + 0.25 * ambient, np.float32),
        headlights=HEADLIGHT_GAIN * look.night**2 if look.headlights else 0.0,
        colour_kept=float(np.interp(sun, keys, [0.72, 0.78, 0.82, 0.88, 0.95])),
        wetness=look.wetness,
    )


def darken(view: View, illumination: Illumination, *, has_hard_shadows: bool) -> None:
    """Replace daylight by what is left of it and by the headlights, in place.

    In linear light: the old sky is taken out, hard sun shadows are flattened as far as they can be, what
    remains stands for reflectance, and is lit by ambient light and by the beam. The sky comes last.
    """
    remove_sky(view)
    soften_shadows(view, 0.75 if has_hard_shadows else 0.25)
    beam = None
    if illumination.headlights > 0:
        beam = irradiance(view, illumination.wetness) * np.float32(illumination.headlights)
    ambient = np.asarray(np.diag(illumination.ambient) @ saturation(illumination.colour_kept), np.float32)
    for rows in strips(view.light.shape):
        light = view.light[rows]
        # Highlights of the sun on paint and glass are no reflectance: they are held below white.
        np.minimum(light, 0.85, out=light)
        tint(light, np.full(3, view.scene.reflectance_gain, np.float32))
        lit = None if beam is None else _headlit(light, view.luma[rows], beam[rows])
        recolour(light, ambient)
        if lit is not None:
            cv2.add(light, lit, dst=light)
    if view.sky_rows.stop:
        add_sky(view, night_sky(view, illumination))


def _headlit(light: Linear, luma: Plane, beam: Plane) -> Linear:
    lit = light.copy()
    # Paint and signs throw the beam back to its lamp; asphalt hardly (retroreflection, EN 1436).
    retro = 1 + 1.6 * np.clip((luma - 0.35) / 0.4, 0, 1)
    scale(lit, np.asarray(beam * retro, np.float32))
    recolour(lit, np.diag(np.array(COLOUR, np.float32)))
    return lit


def night_sky(view: View, illumination: Illumination) -> Linear:
    """Radiance of the sky: from the horizon's glow to the dark zenith."""
    _, _, up = sky_directions(view)
    fall = np.exp(-np.maximum(up, 0) / 0.24)[..., None].astype(np.float32)
    sky = illumination.zenith + (illumination.horizon - illumination.zenith) * fall
    return over_sky(view, np.asarray(sky, np.float32))
