"""Light and weather of a scene: what a spec asks for, as numbers a shader can use (linear, relative)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Condition, ConditionClass, Spec
from worldgen.sources.proving_ground.scene import Sky

Rgb = npt.NDArray[np.float32]


def rgb(r: float, g: float, b: float) -> Rgb:
    """Three channels as an array."""
    return np.array([r, g, b], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Weather:
    """Everything the shader must know. Radiance 1 is a white surface under a clear noon sky, about."""

    sun: npt.NDArray[np.float64]
    """Unit vector towards the sun, world axes."""
    elevation_deg: float
    sun_rgb: Rgb
    """Irradiance on a surface that faces the sun, over pi."""
    zenith: Rgb
    horizon: Rgb
    ambient: Rgb
    """Irradiance from the sky on a level surface, over pi."""
    clouds: float
    """Share of the sky covered, 0..1."""
    extinction: float
    """1/m, the same for all channels."""
    airlight: Rgb
    rain_mm_h: float
    snow_mm_h: float
    wetness: float
    spray: float
    lens_drops: float
    snow_cover: float
    sand_cover: float
    night: float
    """0 by day, 1 when lamps are all the light there is."""
    headlights: bool
    street_lights: bool
    exposure: float
    noise: float
    """Of the sensor, standard deviation of shot noise at radiance 1."""
    is_dusty: bool
    condition: ConditionClass

    def sky_rgb(self, up: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Radiance of the cloudless sky at a sine of elevation, [..., 3]."""
        share = np.clip(up, 0.0, 1.0)[..., None] ** 0.45
        return np.asarray(self.horizon + (self.zenith - self.horizon) * share, np.float32)


def weather_of(sky: Sky, spec: Spec | None) -> Weather:
    """Join a scene's own sky with what a spec asks for."""
    asked = spec or Spec(seed=0)
    rain, snow = asked.rain_mm_h or 0.0, asked.snow_mm_h or 0.0
    mor = asked.fog_mor_m or asked.dust_mor_m or sky.haze_mor_m
    okta = asked.clouds_okta
    if okta is None:
        foggy = (asked.fog_mor_m or 1e9) < 2000
        okta = 8 if rain or snow or foggy or (asked.snow_cover or 0) > 0.4 else sky.clouds_okta
    elevation = asked.sun_elevation_deg if asked.sun_elevation_deg is not None else sky.sun_elevation_deg
    azimuth = asked.sun_azimuth_deg if asked.sun_azimuth_deg is not None else sky.sun_azimuth_deg
    if asked.sun_azimuth_deg is None and 0 < elevation <= 12 and asked.sun_elevation_deg is not None:
        azimuth = float(np.clip(sky.sun_azimuth_deg / 9.0, -20, 20))
    cover = okta / 8.0
    el, az = np.radians(elevation), np.radians(azimuth)
    sun = np.array([np.cos(az) * np.cos(el), -np.sin(az) * np.cos(el), np.sin(el)])
    day = float(np.clip((elevation + 6) / 14, 0, 1))
    day = day * day * (3 - 2 * day)
    direct = _sunlight(elevation) * float(np.clip((7.2 - okta) / 2.2, 0, 1)) * (1 - 0.1 * cover)
    grey = np.clip((cover - 0.55) / 0.4, 0, 1)
    zenith, horizon = _sky_colours(elevation, float(grey))
    extinction = 2.996 / mor
    dusty = asked.dust_mor_m is not None
    thick = float(np.clip(extinction / 0.01, 0, 1))
    # Thick fog scatters the sun away long before it arrives.
    direct = direct * (1 - np.clip(extinction / 0.012, 0, 1))
    ambient = (zenith * 0.55 + horizon * 0.45) * (1 + 0.25 * grey) * (0.72 + 0.28 * thick)
    airlight = horizon * (0.55 * zenith.mean() / max(float(horizon.mean()), 1e-6) + 0.45)
    airlight = airlight * (1 - 0.75 * thick) + 0.75 * thick * airlight.mean() * rgb(0.985, 1.0, 1.015)
    # A closed deck of cloud looks darker than what it sheds on the ground; rain darkens it more.
    deck = 1.0 - float(grey) * (0.16 + 0.18 * float(np.clip(rain / 10, 0, 1)))
    zenith, horizon, airlight = zenith * deck, horizon * deck, airlight * deck
    if dusty:
        airlight = airlight.mean() * rgb(1.12, 0.86, 0.56)
        zenith, horizon = zenith * (1 - thick) + airlight * thick, horizon * (1 - thick) + airlight * thick
        ambient = ambient * (1 - thick) + thick * ambient.mean() * rgb(1.1, 0.9, 0.66)
    dark = 1.0 - day
    lamps = asked.headlights == "on" or (
        asked.headlights == "auto"
        and (elevation < 1.0 or (asked.fog_mor_m or 1e9) < 200 or rain > 8 or (elevation < 4 and okta >= 7))
    )
    warm = sky.warmth * 0.05
    white = rgb(1 + warm, 1.0, 1 - warm)
    # Snow throws light back, and meters answer to it.
    bright = 1 + 0.45 * (asked.snow_cover or 0.0)
    level = bright * float((direct * max(np.sin(el), 0.12)).mean() + ambient.mean())
    # The camera opens up as light fails, but not without limit: that is what makes a night dark.
    gain = float(np.clip(1.4 / max(level, 1e-4), 0.62, 9.0) ** 0.6)
    # Meters keep the horizon within the film while there is daylight.
    gain = min(gain, 0.92 / max(float(horizon.max()), 1e-3)) if elevation > -4 else gain
    exposure = gain * sky.contrast * 2.0 ** (asked.exposure_stops or 0.0)
    wetness = asked.wetness if asked.wetness is not None else float(np.clip(rain / 6.0, 0, 0.8)) ** 0.6
    return Weather(
        sun=sun,
        elevation_deg=elevation,
        sun_rgb=direct * white,
        zenith=zenith * white,
        horizon=horizon * white,
        ambient=np.asarray(ambient * white, np.float32),
        clouds=cover,
        extinction=extinction + 0.0006 * rain**0.68 + 0.0025 * snow**0.8,
        airlight=np.asarray(airlight * white, np.float32),
        rain_mm_h=rain,
        snow_mm_h=snow,
        wetness=float(wetness),
        spray=asked.spray if asked.spray is not None else float(np.clip(rain / 20, 0, 1)),
        lens_drops=asked.lens_drops or 0.0,
        snow_cover=asked.snow_cover if asked.snow_cover is not None else float(np.clip(snow / 5.0, 0, 0.6)),
        sand_cover=asked.sand_cover or 0.0,
        night=float(dark),
        headlights=bool(lamps),
        street_lights=elevation < -1.0,
        exposure=exposure,
        noise=0.004 + 0.008 * float(dark) ** 2,
        is_dusty=dusty,
        condition=asked.asks_for or _own_class(okta, elevation),
    )


def _own_class(okta: int, elevation: float) -> ConditionClass:
    if elevation <= 12:
        return "low_sun" if elevation > 0 else "dusk"
    return "overcast" if okta >= 6 else "clear"


def _sunlight(elevation_deg: float) -> Rgb:
    """Direct sunlight through the air mass of its elevation (Kasten and Young, Applied Optics 28, 1989)."""
    if elevation_deg <= -0.8:
        return rgb(0, 0, 0)
    raised = max(elevation_deg, 0.0)
    mass = 1.0 / (np.sin(np.radians(raised)) + 0.50572 * (raised + 6.07995) ** -1.6364)
    through = np.exp(-np.array([0.075, 0.135, 0.25]) * mass)
    rising = np.clip((elevation_deg + 0.8) / 2.0, 0, 1)
    return np.asarray(2.3 * through * rising, np.float32)


def _sky_colours(elevation_deg: float, grey: float) -> tuple[Rgb, Rgb]:
    """Zenith and horizon radiance, blended between hours and towards a grey overcast sky."""
    hours = np.array([-18.0, -8.0, -4.0, 0.0, 5.0, 14.0, 40.0, 90.0])
    zenith = np.array(
        [[0.0016, 0.0021, 0.0038], [0.004, 0.006, 0.014], [0.03, 0.05, 0.12], [0.10, 0.15, 0.30],
         [0.17, 0.25, 0.45], [0.20, 0.33, 0.60], [0.17, 0.33, 0.68], [0.15, 0.31, 0.66]]
    )  # fmt: skip
    horizon = np.array(
        [[0.005, 0.0048, 0.0055], [0.014, 0.012, 0.018], [0.16, 0.10, 0.10], [0.52, 0.31, 0.20],
         [0.78, 0.58, 0.40], [0.72, 0.70, 0.66], [0.62, 0.72, 0.82], [0.6, 0.72, 0.84]]
    )  # fmt: skip
    overcast = np.array([0.0055, 0.012, 0.07, 0.24, 0.42, 0.62, 0.86, 0.95])

    def at(table: np.ndarray) -> np.ndarray:
        return np.array([np.interp(elevation_deg, hours, table[:, i]) for i in range(3)])

    flat = np.interp(elevation_deg, hours, overcast)
    tint = rgb(0.95, 1.0, 1.06) if elevation_deg > -3 else rgb(1.15, 0.98, 0.82)
    top = at(zenith) * (1 - grey) + grey * flat * tint * 0.95
    low = at(horizon) * (1 - grey) + grey * flat * tint * 0.88
    return np.asarray(top, np.float32), np.asarray(low, np.float32)


def condition_of(weather: Weather, spec: Spec | None) -> Condition:
    """State what was rendered."""
    mor = None if spec is None else spec.fog_mor_m
    return Condition(
        label=weather.condition,
        origin="simulator",
        confidence=1.0,
        fog_mor_m=mor,
        is_wet=weather.wetness >= 0.3,
        is_snowy=weather.snow_cover >= 0.3,
        is_night=weather.elevation_deg < -6,
        is_precipitating=weather.rain_mm_h >= 0.1 or weather.snow_mm_h >= 0.1,
        has_hard_shadows=float(weather.sun_rgb.mean()) > 0.25 * float(weather.ambient.mean()),
    )
