"""Signs: a condition as far as labels care."""

import math
from dataclasses import dataclass

from worldgen.datatypes import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The condition as far as labels care, as rendered where the model says so, else as asked."""

    mor_m: float = math.inf
    """Shortest of fog and dust."""
    rain_mm_h: float = 0.0
    wetness: float = 0.0
    spray: float = 0.0
    lens_drops: float = 0.0
    snow_mm_h: float = 0.0
    snow_cover: float = 0.0
    sand_cover: float = 0.0
    night: bool = False
    low_sun: bool = False
    exposure_stops: float = 0.0
    painted: bool = False

    @property
    def hides(self) -> bool:
        """Whether the condition may take objects out of sight."""
        thick_air = self.mor_m <= 1000 or self.rain_mm_h >= 8.1 or self.snow_mm_h >= 1.0
        return thick_air or self.night or self.exposure_stops <= -2

    @property
    def is_mild(self) -> bool:
        """Whether nothing here touches a label."""
        touched = (
            self.rain_mm_h,
            self.wetness,
            self.lens_drops,
            self.snow_mm_h,
            self.snow_cover,
            self.sand_cover,
        )
        light = self.night or self.low_sun or abs(self.exposure_stops) >= 2
        return not (any(v >= 0.1 for v in touched) or self.mor_m <= 2000 or light or self.painted)


def signs_of(spec: Spec, rendered: dict[str, float | str], *, painted: bool) -> Signs:
    """Read the condition: what was rendered wins over what was asked."""

    def value(field: str, default: float) -> float:
        found = rendered.get(field)
        if not isinstance(found, int | float):
            found = getattr(spec, field)
        return default if found is None else float(found)

    sun = value("sun_elevation_deg", 45.0)
    return Signs(
        mor_m=min(value("fog_mor_m", math.inf), value("dust_mor_m", math.inf)),
        rain_mm_h=value("rain_mm_h", 0.0),
        wetness=value("wetness", 0.0),
        spray=value("spray", 0.0),
        lens_drops=value("lens_drops", 0.0),
        snow_mm_h=value("snow_mm_h", 0.0),
        snow_cover=value("snow_cover", 0.0),
        sand_cover=value("sand_cover", 0.0),
        night=sun < -6,
        low_sun=0 < sun <= 12 and (spec.clouds_okta or 0) <= 4,
        exposure_stops=value("exposure_stops", 0.0),
        painted=painted,
    )
