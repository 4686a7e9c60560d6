"""The participating medium: fog, dust, and the haze of rain and snow."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.models.physics.light import LUMA, Plane
from worldgen.models.physics.look import Look
from worldgen.models.physics.scene import View

Colour = Float32[npt.NDArray[np.float32], "3"]

FOG_TOP_M = 150.0
"""Height of the fog layer: towards the zenith the path through it ends here."""
DUST_COLOUR = np.array([0.80, 0.60, 0.38], np.float32)
"""Airlight of desert dust relative to droplets: absorption rises towards blue (Sokolik and Toon 1999)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """A homogeneous layer: L = L0 T + A (1 - T) with T = exp(-extinction * path) (Koschmieder 1924).

    The path is the length of the ray, not depth along the axis, and ends where the ray leaves the layer.
    Sakaridis et al. (2018), "Semantic foggy scene understanding with synthetic data", apply the same model
    to real clips; there and here it holds in linear light only.
    """

    extinction: float
    """1/m."""
    top_m: float = FOG_TOP_M
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def transmission(self, view: View) -> Plane:
        """Share of light that reaches the lens per pixel."""
        path = view.range_m
        sky = view.sky_mask
        if sky.any():
            path = np.where(sky, self._sky_path(view), path)
        t = np.asarray(cv2.exp(path * np.float32(-self.extinction)), np.float32)
        if view.ego is not None:
            t[view.ego] = 1.0
        return np.asarray(t)

    def _sky_path(self, view: View) -> Plane:
        # sin(elevation) of a ray is its direction's share along `up`.
        up = view.plane.up.astype(np.float32)
        rays = view.scene.rays
        sine = (rays[..., 0] * up[0] + rays[..., 1] * up[1] + up[2]) / view.scene.ray_length
        return np.asarray(self.top_m / np.maximum(sine, self.top_m / 2.0e4), np.float32)

    def airlight(self, view: View) -> Colour:
        """Light that the layer itself sends to the lens."""
        sky = view.sky_light
        grey = float(sky @ np.array(LUMA, np.float32))
        # Droplets scatter all wavelengths alike: most of the sky's blue is lost in the layer.
        base = (0.3 * sky + 0.7 * grey) / max(grey, 1e-3)
        return np.asarray(np.array(self.colour, np.float32) * base * airlight_of(grey), np.float32)


def airlight_of(sky_luminance: float) -> float:
    """Airlight of a closed white layer under a sky of this luminance, both relative to white.

    A layer gathers light from all sides, the dark ground included, so under a clipped white sky it stays
    below white; under a dull sky the camera opens up for the even grey before it. Between the two a line.
    """
    return 0.25 + 0.58 * sky_luminance


def medium_of(look: Look) -> Medium | None:
    """Join all that hangs in the air into one layer; None when the air is as in the source."""
    parts = (
        (look.fog_extinction, np.ones(3, np.float32)),
        (look.dust_extinction, DUST_COLOUR),
        (look.rain_extinction, np.ones(3, np.float32)),
        (look.snow_extinction, np.ones(3, np.float32)),
    )
    total = sum(extinction for extinction, _ in parts)
    if total <= 0:
        return None
    colour = np.sum([extinction * tint for extinction, tint in parts], axis=0) / total
    is_cloud = look.rain_extinction + look.snow_extinction > 0.5 * total
    return Medium(
        extinction=float(total),
        colour=(float(colour[0]), float(colour[1]), float(colour[2])),
        top_m=1500.0 if is_cloud else FOG_TOP_M,
    )


def apply_medium(view: View, medium: Medium, ambient: Colour | None = None) -> Plane:
    """Veil a view in place; return the transmission.

    Args:
        view: The frame under work.
        medium: The layer.
        ambient: Illumination now relative to the source's, per channel; None for the source's own.
    """
    t = medium.transmission(view)
    air = medium.airlight(view)
    if ambient is not None:
        air = air * ambient
    veil = np.empty_like(view.light)
    veil[:] = air
    cv2.blendLinear(view.light, veil, t, 1 - t, dst=view.light)
    return t
