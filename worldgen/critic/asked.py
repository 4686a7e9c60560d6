"""Asked: what the asked condition may do to a picture, as far as judging has to know."""

from dataclasses import dataclass
from typing import Final

from worldgen.datatypes import Spec

_LOW_SUN_DEG: Final = 20.0
_DUSK_DEG: Final = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """The spec that a candidate was asked for; None asks for nothing."""

    spec: Spec | None

    @property
    def is_redrawn(self) -> bool:
        """Whether another sun shades things anew, or the ground mirrors or hides them."""
        sun = None if self.spec is None else self.spec.sun_elevation_deg
        return sun is not None or self.is_ground_changed

    @property
    def is_relit(self) -> bool:
        """Whether the sun or the clouds before it were asked to change."""
        return self.spec is not None and not (
            self.spec.sun_elevation_deg is None and self.spec.clouds_okta is None
        )

    @property
    def is_dark(self) -> bool:
        """Whether dusk or night was asked for: lamps and windows are lit."""
        sun = None if self.spec is None else self.spec.sun_elevation_deg
        return sun is not None and sun < _DUSK_DEG

    @property
    def has_low_light(self) -> bool:
        """Whether a low sun, dusk or night was asked for: things glow, and lamps may be on."""
        sun = None if self.spec is None else self.spec.sun_elevation_deg
        return sun is not None and sun < _LOW_SUN_DEG

    @property
    def is_ground_changed(self) -> bool:
        """Whether the ground may mirror or be covered."""
        spec = self.spec
        return spec is not None and bool(spec.wetness or spec.snow_cover or spec.sand_cover or spec.rain_mm_h)

    @property
    def is_ground_covered(self) -> bool:
        """Whether snow or sand may hide the ground."""
        return self.spec is not None and bool(self.spec.snow_cover or self.spec.sand_cover)

    @property
    def has_particles(self) -> bool:
        """Whether rain or snow was asked for."""
        return self.spec is not None and bool(self.spec.rain_mm_h or self.spec.snow_mm_h)
