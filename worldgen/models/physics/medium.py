"""The participating medium: fog, dust, and the haze of rain and snow."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.models.physics.light import LUMA, Plane
from worldgen.models.physics.look import Look
from worldgen.models.physics.ops import veil
from worldgen.models.physics.strips import strips
from worldgen.models.physics.view import View

Colour = Float32[npt.NDArray[np.float32], "3"]

FOG_TOP_M = 150.0
"""Height of the fog layer: towards the zenith the path through it ends here."""
CLOUD_BASE_M = 900.0
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
    top_m: float
    """Height at which the layer ends."""
    colour: tuple[float, float, float]
    """Airlight of the part that has a colour of its own (fog white, dust brown)."""
    cloud_share: float
    """Share of the extinction by rain and snow, whose airlight is that of the cloud above them."""

    @property
    def dimming(self) -> float:
        """Share of the sun's direct light that the layer takes from straight above, 0..1; more if lower."""
        return 1 - math.exp(-self.extinction * self.top_m)

    def transmission(self, view: View) -> Plane:
        """Share of light that reaches the lens per pixel."""
        depth, length = view.depth_m, view.scene.rays.length
        t = np.empty_like(depth)
        sky_rows, sky_mask = view.sky_rows, view.sky_mask
        for rows in strips(t.shape):
            part = t[rows]
            cv2.multiply(depth[rows], length[rows], dst=part)
            if rows.start < sky_rows.stop:
                np.copyto(part, self._sky_path(view, rows), where=sky_mask[rows])
            part *= np.float32(-self.extinction)
            cv2.exp(part, dst=part)
        if view.ego is not None:
            t[view.ego] = 1.0
        return t

    def _sky_path(self, view: View, rows: slice) -> Plane:
        # sin(elevation) of a ray is its direction's share along `up`.
        rays = view.scene.rays.rows(rows)
        sine = rays.along(view.plane.up) / rays.length
        return np.asarray(self.top_m / np.maximum(sine, np.float32(self.top_m / 2.0e4)), np.float32)

    def airlight(self, sky: Colour, *, is_source_sky: bool) -> Colour:
        """Light that the layer itself sends to the lens.

        Args:
            sky: Radiance of the sky above the horizon as it is rendered.
            is_source_sky: Whether that is still the source's own sky.
        """
        grey = float(sky @ np.array(LUMA, np.float32))
        # Droplets scatter all wavelengths alike: most of the sky's blue is lost in the layer.
        neutral = (0.12 * sky + 0.88 * grey + 1e-3) / (grey + 1e-3)
        level = airlight_of(grey) if is_source_sky else grey
        layer = np.array(self.colour, np.float32) * neutral * level
        cloud = neutral * (grey * 0.97)
        return np.asarray((1 - self.cloud_share) * layer + self.cloud_share * cloud, np.float32)


def airlight_of(sky_luminance: float) -> float:
    """Airlight of a closed white layer under a sky of this luminance, both relative to white.

    A layer gathers light from all sides, the dark ground included, so under a clipped white sky it stays
    below white; under a dull sky the camera opens up for the even grey before it. Between the two a line.
    """
    return 0.25 + 0.58 * sky_luminance


def medium_of(look: Look) -> Medium | None:
    """Join all that hangs in the air into one layer; None when the air is as in the source."""
    cloud = look.rain_extinction + look.snow_extinction
    total = look.fog_extinction + look.dust_extinction + cloud
    if total <= 0:
        return None
    own = max(look.fog_extinction + look.dust_extinction, 1e-9)
    colour = (look.fog_extinction * np.ones(3) + look.dust_extinction * DUST_COLOUR) / own
    share = cloud / total
    return Medium(
        extinction=total,
        colour=(float(colour[0]), float(colour[1]), float(colour[2])),
        # Precipitation reaches up to its cloud.
        top_m=CLOUD_BASE_M if share > 0.5 else FOG_TOP_M,
        cloud_share=share,
    )


def apply_medium(view: View, medium: Medium, sky: Colour | None = None) -> Plane:
    """Veil a view in place; return the transmission.

    Args:
        view: The frame under work.
        medium: The layer.
        sky: Radiance of the rendered sky near the horizon; None when it still is the source's.
    """
    t = medium.transmission(view)
    air = medium.airlight(view.sky_light if sky is None else sky, is_source_sky=sky is None)
    veil(view.light, air, t)
    return t
