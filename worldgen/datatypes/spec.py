"""A spec: what shall change, what must stay, and the seed. None means: leave as in the source."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, model_validator

from worldgen.datatypes.condition import Condition, ConditionClass
from worldgen.datatypes.control import ControlKind
from worldgen.datatypes.digest import Value, digest

Share: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]


class Keep(Value):
    """What must survive; the critic checks each that is set."""

    geometry: bool = True
    actors: bool = True
    lane_markings: bool = True
    traffic_light_state: bool = True
    text: bool = True


class Spec(Value):
    """A typed condition in SI units (angles in degrees, as weather services state them)."""

    name: str = ""
    """How people call it; never part of the identity."""
    rain_mm_h: Annotated[float, Field(ge=0.0, le=150.0)] | None = None
    """Rain rate. OSI 3.8 bands: light 0.5-1.9, moderate 1.9-8.1, heavy 8.1-34, very heavy 34-149."""
    wetness: Share | None = None
    """Of the road: 0 dry, 0.5 wet film, 1 standing water."""
    spray: Share | None = None
    """Thrown up behind vehicles."""
    lens_drops: Share | None = None
    """Share of heavy lens wetting: 0 none, 1 a lens never wiped."""
    fog_mor_m: Annotated[float, Field(ge=5.0, le=40_000.0)] | None = None
    """Meteorological optical range (5% contrast, WMO-No. 8)."""
    dust_mor_m: Annotated[float, Field(ge=5.0, le=40_000.0)] | None = None
    """The same for dust: brown, forward scattering."""
    snow_mm_h: Annotated[float, Field(ge=0.0, le=20.0)] | None = None
    """Snowfall as liquid water equivalent."""
    snow_cover: Share | None = None
    """Of the ground: share of upward surfaces covered."""
    sand_cover: Share | None = None
    """Of the road: share covered by drifted sand."""
    clouds_okta: Annotated[int, Field(ge=0, le=8)] | None = None
    sun_elevation_deg: Annotated[float, Field(ge=-90.0, le=90.0)] | None = None
    """Above the horizon. Below -6 is night, -6..0 dusk, 0..12 low sun."""
    sun_azimuth_deg: Annotated[float, Field(ge=-180.0, le=360.0)] | None = None
    """Relative to the camera's heading at the first frame: 0 ahead, 90 right."""
    exposure_stops: Annotated[float, Field(ge=-10.0, le=4.0)] | None = None
    """Relative to the source, after everything else."""
    headlights: Literal["auto", "on", "off"] = "auto"
    """Auto: on at night, in fog under 200 m and in rain over 8 mm/h, else as they are."""
    keep: Keep = Keep()
    control_weights: dict[ControlKind, Annotated[float, Field(ge=0.0, le=2.0)]] = Field(default_factory=dict)
    """Of a diffusion world model; empty means the model's preset."""
    prompt: Annotated[str, Field(max_length=60_000)] = ""
    """Words for a model that reads text, in place of those made from this spec and the source's caption."""
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    @model_validator(mode="after")
    def _possible(self) -> "Spec":
        night = self.sun_elevation_deg is not None and self.sun_elevation_deg < -6
        if self.snow_mm_h and self.rain_mm_h:
            msg = "rain_mm_h and snow_mm_h exclude each other; sleet is not modelled"
            raise ValueError(msg)
        if (self.rain_mm_h or self.snow_mm_h) and self.clouds_okta is not None and self.clouds_okta < 5:
            msg = f"precipitation needs clouds_okta >= 5, got {self.clouds_okta}"
            raise ValueError(msg)
        if self.fog_mor_m and self.dust_mor_m:
            msg = "fog_mor_m and dust_mor_m exclude each other"
            raise ValueError(msg)
        if self.snow_cover and self.wetness and self.wetness > 0.9:
            msg = "snow_cover with standing water (wetness > 0.9) is not modelled"
            raise ValueError(msg)
        if night and self.headlights == "off":
            msg = "headlights off at night is not drivable; use auto or on"
            raise ValueError(msg)
        return self

    @property
    def identity(self) -> str:
        """Digest of all that decides the result: everything but the name."""
        unnamed = {"name"} if self.prompt else {"name", "prompt"}
        return digest(self.model_dump(mode="json", exclude=unnamed))

    @property
    def changes(self) -> dict[str, float | int]:
        """Return the physical fields that are set."""
        fields = (
            "rain_mm_h",
            "wetness",
            "spray",
            "lens_drops",
            "fog_mor_m",
            "dust_mor_m",
            "snow_mm_h",
            "snow_cover",
            "sand_cover",
            "clouds_okta",
            "sun_elevation_deg",
            "sun_azimuth_deg",
            "exposure_stops",
        )
        return {f: getattr(self, f) for f in fields if getattr(self, f) is not None}

    @property
    def asks_for(self) -> ConditionClass | None:
        """The class that this spec alone should be recognised as; None when it names no weather or light.

        The strongest sign wins, in the order in which people name it: night, snow, rain, fog, dusk,
        low sun, wet, overcast, clear. A dry road, sand on the road or an exposure are no class of their own.
        """
        return _class_of(self, self.clouds_okta)

    def expected_on(self, condition: Condition) -> ConditionClass:
        """The class that a result should be recognised as, given what its source already is.

        What the spec leaves alone stays: puddles at night are night, overcast on a wet road is wet.
        """
        whole = self.over(condition)
        return _class_of(whole, whole.clouds_okta) or condition.label

    def over(self, condition: Condition) -> "Spec":
        """Fill in what this spec leaves alone from a source's condition, so that it says all there is."""
        kept: dict[str, float] = {}
        if condition.label in _SUN:
            kept["sun_elevation_deg"] = _SUN[condition.label]
        if condition.is_snowy:
            kept["snow_cover"] = 0.8
        if condition.is_precipitating and not condition.is_snowy:
            kept["rain_mm_h"] = 4.0
        if condition.fog_mor_m or condition.label == "fog":
            kept["fog_mor_m"] = condition.fog_mor_m or 100.0
        if condition.is_wet:
            kept["wetness"] = 0.6
        if condition.label == "overcast":
            kept["clouds_okta"] = 8
        set_here = self.changes
        if set_here.get("sun_elevation_deg", -1) > 0 and self.asks_for == "low_sun":
            kept.pop("clouds_okta", None)  # A low sun that shines has broken through.
        if set_here.get("dust_mor_m"):
            kept.pop("fog_mor_m", None)
        if set_here.get("snow_mm_h"):
            kept.pop("rain_mm_h", None)
        return self.model_copy(update={k: v for k, v in kept.items() if k not in set_here})


_SUN: Final[dict[str, float]] = {"night": -18.0, "dusk": -3.0, "low_sun": 6.0}
"""A sun elevation inside each class of light."""


def _class_of(spec: Spec, clouds: int | None) -> ConditionClass | None:
    sun = spec.sun_elevation_deg
    tests: tuple[tuple[ConditionClass, bool], ...] = (
        ("night", sun is not None and sun < -6),
        ("snow", bool(spec.snow_mm_h) or (spec.snow_cover or 0) >= 0.3),
        ("rain", (spec.rain_mm_h or 0) >= 0.5),
        ("fog", (spec.fog_mor_m or 1e9) <= 1000 or (spec.dust_mor_m or 1e9) <= 1000),
        ("dusk", sun is not None and -6 <= sun <= 0),
        ("low_sun", sun is not None and 0 < sun <= 12 and (clouds or 0) <= 4),
        ("wet", (spec.wetness or 0) >= 0.3),
        ("overcast", clouds is not None and clouds >= 6),
        ("clear", clouds is not None or (sun is not None and sun > 12)),
    )
    return next((label for label, holds in tests if holds), None)
