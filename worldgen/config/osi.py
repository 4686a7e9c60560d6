"""Bins of ASAM OSI 3.8.0 (osi_environment.proto): which part of an operational domain a spec is in."""

import math
from typing import Final

from worldgen.datatypes import Spec

_PRECIPITATION: Final = (
    (0.1, "PRECIPITATION_NONE"),
    (0.5, "PRECIPITATION_VERY_LIGHT"),
    (1.9, "PRECIPITATION_LIGHT"),
    (8.1, "PRECIPITATION_MODERATE"),
    (34.0, "PRECIPITATION_HEAVY"),
    (149.0, "PRECIPITATION_VERY_HEAVY"),
    (math.inf, "PRECIPITATION_EXTREME"),
)
"""Upper edges in mm/h."""
_FOG: Final = (
    (50.0, "FOG_DENSE"),
    (200.0, "FOG_THICK"),
    (1000.0, "FOG_LIGHT"),
    (2000.0, "FOG_MIST"),
    (4000.0, "FOG_POOR_VISIBILITY"),
    (10_000.0, "FOG_MODERATE_VISIBILITY"),
    (40_000.0, "FOG_GOOD_VISIBILITY"),
    (math.inf, "FOG_EXCELLENT_VISIBILITY"),
)
"""Upper edges in metres of visibility."""
_ILLUMINATION: Final = (0.01, 1.0, 3.0, 10.0, 20.0, 400.0, 1000.0, 10_000.0, math.inf)
"""Upper edges in lux of levels 1 to 9."""
_TWILIGHT_LX: Final = ((-18.0, 6e-4), (-12.0, 8e-3), (-6.0, 3.4), (0.0, 400.0))
"""Horizontal illuminance under a clear moonless sky against sun elevation: orders of magnitude."""


def odd_bins(spec: Spec) -> dict[str, str]:
    """Name the OSI bins of what a spec sets; what it leaves alone is not named."""
    bins: dict[str, str] = {}
    rates = [r for r in (spec.rain_mm_h, spec.snow_mm_h) if r is not None]
    if rates:
        bins["precipitation"] = _bin(max(rates), _PRECIPITATION)
    ranges = [r for r in (spec.fog_mor_m, spec.dust_mor_m) if r is not None]
    if ranges:
        bins["fog"] = _bin(min(ranges), _FOG)
    if spec.clouds_okta is not None:
        words = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT")
        bins["fractional_cloud_cover"] = f"FRACTIONAL_CLOUD_COVER_{words[spec.clouds_okta]}_OKTAS"
    if spec.sun_elevation_deg is not None:
        lux = illuminance_lx(spec.sun_elevation_deg, spec.clouds_okta or 0)
        level = next(i for i, edge in enumerate(_ILLUMINATION, start=1) if lux < edge)
        bins["ambient_illumination"] = f"AMBIENT_ILLUMINATION_LEVEL{level}"
    return bins


def illuminance_lx(sun_elevation_deg: float, clouds_okta: int = 0) -> float:
    """Horizontal illuminance of sun and sky in lux.

    By day the mean values of the IES (1984, J. Illum. Eng. Soc. 13, 381-392; coefficients quoted second-hand,
    good to a factor of two): direct 127.5 klx exp(-c m) with optical air mass m = 1 / sin h,
    diffuse A + B sin^C h, each for a clear (under 3 oktas), a partly cloudy and an overcast sky (6 and more).
    Below the horizon the logarithm is interpolated.
    """
    if sun_elevation_deg <= 0:
        return _twilight(sun_elevation_deg)
    sine = max(math.sin(math.radians(sun_elevation_deg)), 1e-3)
    if clouds_okta >= 6:
        direct, diffuse = 0.0, 0.3 + 21.0 * sine
    elif clouds_okta >= 3:
        direct, diffuse = 127.5 * math.exp(-0.8 / sine) * sine, 0.3 + 45.0 * sine
    else:
        direct, diffuse = 127.5 * math.exp(-0.21 / sine) * sine, 0.8 + 15.5 * math.sqrt(sine)
    return 1000 * (direct + diffuse)


def _twilight(elevation_deg: float) -> float:
    if elevation_deg <= _TWILIGHT_LX[0][0]:
        return _TWILIGHT_LX[0][1]
    upper = next(i for i, (angle, _) in enumerate(_TWILIGHT_LX) if elevation_deg <= angle)
    (x0, y0), (x1, y1) = _TWILIGHT_LX[upper - 1], _TWILIGHT_LX[upper]
    return float(y0 * (y1 / y0) ** ((elevation_deg - x0) / (x1 - x0)))


def _bin(value: float, edges: tuple[tuple[float, str], ...]) -> str:
    return next(name for edge, name in edges if value < edge or edge == math.inf)
