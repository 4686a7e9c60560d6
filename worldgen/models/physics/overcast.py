"""Overcast: a closed sky over the scene, and the light that comes from it."""

import numpy as np

from worldgen.models.physics.clouds import Clouds, replace_sky
from worldgen.models.physics.daylight import soften_shadows
from worldgen.models.physics.look import Look
from worldgen.models.physics.ops import recolour, saturation, tint
from worldgen.models.physics.scene import View

COOL = (0.95, 1.0, 1.055)
"""Daylight of an overcast sky against sun and sky together: about 6500 K against 5500 K (CIE D65, D55)."""


def close_sky(view: View, look: Look, clouds: Clouds, *, has_hard_shadows: bool, is_closed: bool) -> None:
    """Cover the sky in place, and take the sun out of the light.

    Args:
        view: The frame under work.
        look: What is asked.
        clouds: The cover.
        has_hard_shadows: Whether the source's sun has to be flattened.
        is_closed: Whether the source's sky is overcast already; it is then kept, only dulled.
    """
    heavy = min(1.0, (look.rain_mm_h / 20) ** 0.5 + look.snow_mm_h / 12)
    share = look.overcast
    if is_closed:
        tint(view.light, np.full(3, 1 - 0.12 * heavy * share, np.float32))
    else:
        replace_sky(view, clouds.cover(view, brightness=0.60 - 0.14 * heavy, contrast=0.16 + 0.12 * heavy))
    if has_hard_shadows:
        soften_shadows(view, 0.8 * share)
    kept = 1 - (0.18 + 0.1 * heavy) * share
    gain = 1 - (0.06 + 0.16 * heavy) * share if not is_closed else 1.0
    colour = 1 + share * (np.array(COOL, np.float32) - 1) if not is_closed else np.ones(3, np.float32)
    before_sky = view.sky
    sky = view.light[before_sky > 0.99]
    recolour(view.light, np.diag(colour * np.float32(gain)) @ saturation(kept))
    view.light[before_sky > 0.99] = sky
