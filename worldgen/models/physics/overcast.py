"""Overcast: a closed sky over the scene, and the light that comes from it."""

import numpy as np
import numpy.typing as npt

from worldgen.models.physics.clouds import Clouds, add_sky, remove_sky
from worldgen.models.physics.daylight import OVERCAST_LIFT, soften_shadows
from worldgen.models.physics.light import LUMA
from worldgen.models.physics.look import Look
from worldgen.models.physics.ops import recolour, saturation
from worldgen.models.physics.view import View

COOL = (0.95, 1.0, 1.055)
"""Daylight of an overcast sky against sun and sky together: about 6500 K against 5500 K (CIE D65, D55)."""


def horizon_light(view: View, look: Look, *, is_closed: bool) -> npt.NDArray[np.float32]:
    """Radiance of the rendered sky near the horizon."""
    heavy = heaviness(look)
    if is_closed:
        return np.asarray(view.sky_light * np.float32(closed_gain(view, look)), np.float32)
    return np.asarray(np.array([0.975, 1.0, 1.03]) * brightness(heavy), np.float32)


def heaviness(look: Look) -> float:
    """How dark the cloud is, 0..1: more rain falls from thicker cloud."""
    return float(min(1.0, (look.rain_mm_h / 25) ** 0.5 + look.snow_mm_h / 12))


def brightness(heavy: float) -> float:
    """Luminance of a closed sky near the horizon, relative to white."""
    return 0.62 - 0.14 * heavy


def closed_gain(view: View, look: Look) -> float:
    """Gain on a source that is overcast already: darker under rain, brighter in snow."""
    level = float(view.sky_light @ np.array(LUMA, np.float32))
    snowy = min(1.0, look.snow_mm_h / 2 + look.snow_cover)
    snow_gain = min(max(0.5 / max(level, 1e-3), 1.0), 1.7)
    # Under rain the camera opens up: a dull sky does not come out darker than a third of white.
    rain_gain = max(1 - 0.12 * heaviness(look) * look.overcast, min(0.36 / max(level, 1e-3), 1.2))
    return snow_gain * snowy + rain_gain * (1 - snowy)


def close_sky(view: View, look: Look, clouds: Clouds, *, has_hard_shadows: bool, is_closed: bool) -> None:
    """Cover the sky in place, and take the sun out of the light.

    Args:
        view: The frame under work.
        look: What is asked.
        clouds: The cover.
        has_hard_shadows: Whether the source's sun has to be flattened.
        is_closed: Whether the source's sky is overcast already; it is then kept, only dulled.
    """
    heavy, share = heaviness(look), look.overcast
    kept = saturation(1 - (0.18 + 0.1 * heavy) * share)
    if has_hard_shadows:
        soften_shadows(view, OVERCAST_LIFT * share)
    if is_closed:
        recolour(view.light, kept * np.float32(closed_gain(view, look)))
        return
    colour = (1 + share * (np.array(COOL) - 1)) * (1 - (0.06 + 0.16 * heavy) * share)
    remove_sky(view)
    recolour(view.light, np.asarray(np.diag(colour) @ kept, np.float32))
    if view.sky_rows.stop:
        cover = clouds.cover(view, brightness=brightness(heavy), contrast=0.16 + 0.12 * heavy)
        add_sky(view, cover)
