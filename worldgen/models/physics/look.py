"""A look: a spec and a source condition turned into the numbers that the renderer uses."""

from dataclasses import dataclass

from worldgen.datatypes import Condition, Spec

CONTRAST_THRESHOLD_LOG = 2.996
"""-ln(0.05): meteorological optical range is where 5% of the contrast is left (WMO-No. 8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is rendered. Zero or None means: as in the source."""

    fog_extinction: float = 0.0
    """1/m."""
    dust_extinction: float = 0.0
    """1/m."""
    rain_mm_h: float = 0.0
    wetness: float = 0.0
    spray: float = 0.0
    lens_drops: float = 0.0
    snow_mm_h: float = 0.0
    snow_cover: float = 0.0
    sand_cover: float = 0.0
    overcast: float = 0.0
    """0 as in the source, 1 a closed cover of stratus."""
    sun_elevation_deg: float | None = None
    sun_azimuth_deg: float | None = None
    night: float = 0.0
    """0 day, 1 night: how far daylight is gone."""
    daylight_stops: float = 0.0
    """How much daylight is left, relative to the source's, in stops (<= 0)."""
    low_sun: bool = False
    headlights: bool = False
    exposure_stops: float = 0.0

    @property
    def rain_extinction(self) -> float:
        """Extinction of rain in 1/m: 1.076 R^0.67 dB/km (Carbonneau and Wisely 1998; ITU-R P.1814)."""
        return _per_metre(1.076 * self.rain_mm_h**0.67) if self.rain_mm_h else 0.0

    @property
    def snow_extinction(self) -> float:
        """Extinction of dry snow in 1/m: (5.42e-5 * 550 + 5.4958776) S^1.38 dB/km (ITU-R P.1814)."""
        return _per_metre((5.42e-5 * 550 + 5.4958776) * self.snow_mm_h**1.38) if self.snow_mm_h else 0.0

    @property
    def is_dark(self) -> bool:
        """Whether lamps decide the picture."""
        return self.night > 0.5

    @property
    def has_precipitation(self) -> bool:
        """Rain or snow in the air."""
        return bool(self.rain_mm_h or self.snow_mm_h)


def _per_metre(db_per_km: float) -> float:
    return db_per_km / 4.342945 / 1000


def extinction_of(mor_m: float | None) -> float:
    """Extinction in 1/m of a meteorological optical range in metres (WMO-No. 8: 2.996 / MOR)."""
    return CONTRAST_THRESHOLD_LOG / mor_m if mor_m else 0.0


def daylight_stops(elevation_deg: float) -> float:
    """Daylight left at a solar elevation, in stops relative to a high sun.

    Horizontal illuminance falls from about 1e5 lx (60 degrees) over 400 lx (sunset), 3.4 lx (end of civil
    twilight) to 0.002 lx (starlight): Seidelmann, Explanatory Supplement to the Astronomical Almanac
    (1992), twilight tables. Interpolated in the logarithm.
    """
    elevations = (-18.0, -12.0, -6.0, 0.0, 5.0, 12.0, 30.0, 60.0)
    lux = (0.002, 0.008, 3.4, 400.0, 4200.0, 1.6e4, 5.6e4, 1.0e5)
    return _interpolate_log2(elevation_deg, elevations, lux) - _LOG2_HIGH


_LOG2_HIGH = 16.609640474436812


def _interpolate_log2(x: float, xs: tuple[float, ...], ys: tuple[float, ...]) -> float:
    from math import log2

    if x <= xs[0]:
        return log2(ys[0])
    for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:], strict=False):
        if x <= x1:
            return log2(y0) + (log2(y1) - log2(y0)) * (x - x0) / (x1 - x0)
    return log2(ys[-1])


def look_of(spec: Spec, condition: Condition) -> Look:
    """Resolve a spec for a source.

    What a spec implies is resolved here and recorded with the candidate: rain and snow fall from clouds,
    so the sky closes unless the spec says otherwise. Nothing else is implied.
    """
    sun = spec.sun_elevation_deg
    night = 0.0
    if sun is not None and not condition.is_night:
        night = min(1.0, max(0.0, (1.0 - sun) / 8.0)) if sun < 1 else 0.0
    overcast = _overcast(spec)
    fog = extinction_of(spec.fog_mor_m)
    is_low = sun is not None and 0 < sun <= 12 and overcast < 0.6 and not condition.is_night
    return Look(
        fog_extinction=fog,
        dust_extinction=extinction_of(spec.dust_mor_m),
        rain_mm_h=spec.rain_mm_h or 0.0,
        wetness=0.5 * (spec.wetness or 0.0) if condition.is_wet else spec.wetness or 0.0,
        spray=spec.spray or 0.0,
        lens_drops=spec.lens_drops or 0.0,
        snow_mm_h=spec.snow_mm_h or 0.0,
        snow_cover=spec.snow_cover or 0.0,
        sand_cover=spec.sand_cover or 0.0,
        overcast=overcast,
        sun_elevation_deg=sun,
        sun_azimuth_deg=spec.sun_azimuth_deg,
        night=night,
        daylight_stops=daylight_stops(sun) if sun is not None else 0.0,
        low_sun=is_low,
        headlights=_headlights(spec, night),
        exposure_stops=spec.exposure_stops or 0.0,
    )


def _overcast(spec: Spec) -> float:
    if spec.clouds_okta is not None:
        return max(0.0, (spec.clouds_okta - 4) / 4)
    falls = (spec.rain_mm_h or 0.0) >= 0.1 or (spec.snow_mm_h or 0.0) >= 0.1
    return 1.0 if falls else 0.0


def _headlights(spec: Spec, night: float) -> bool:
    if spec.headlights != "auto":
        return spec.headlights == "on"
    in_fog = spec.fog_mor_m is not None and spec.fog_mor_m < 200
    return night >= 0.8 or in_fog or (spec.rain_mm_h or 0.0) > 8
