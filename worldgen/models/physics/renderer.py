"""The renderer: every effect in the order in which light meets it, one frame at a time.

surfaces (snow, sand, wet) -> illumination (overcast, night, sun) -> mirror images on wet ground ->
participating medium -> particles -> lens -> exposure -> sensor noise -> tone curve -> 8 bits
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Clip, Condition, Geometry, Spec
from worldgen.datatypes.tags import VEHICLES
from worldgen.models.physics.clouds import Clouds
from worldgen.models.physics.cover import SandCover, SnowCover
from worldgen.models.physics.daylight import OVERCAST_LIFT, soften_shadows
from worldgen.models.physics.lamps import glow, halo, lamps_of, lit_lamps
from worldgen.models.physics.lens import LensDrops
from worldgen.models.physics.light import Encoder, Linear, Picture
from worldgen.models.physics.look import Look, look_of
from worldgen.models.physics.medium import Medium, apply_medium, medium_of
from worldgen.models.physics.night import darken, illumination_of
from worldgen.models.physics.overcast import close_sky, horizon_light
from worldgen.models.physics.rain import Rain
from worldgen.models.physics.scene import Scene
from worldgen.models.physics.sensor import Sensor
from worldgen.models.physics.snow import Snow
from worldgen.models.physics.spray import Spray
from worldgen.models.physics.sun import LowSun
from worldgen.models.physics.view import View
from worldgen.models.physics.wet import WetGround

_HALO_EXTINCTION = 2.996 / 1000
"""1/m; in thinner air lamps have no halo to speak of."""


class FrameRenderer:
    """Renders any frame of one clip under one spec; prepared once, then pure per frame.

    Args:
        clip: Source frames.
        geometry: Of the same frames.
        spec: The asked condition.
        condition: The source's own.
        seed: Of everything random: the same seed gives the same bytes on one machine.
    """

    def __init__(self, clip: Clip, geometry: Geometry, spec: Spec, condition: Condition, seed: int) -> None:
        self.scene = Scene(clip, geometry)
        self.look: Look = look_of(spec, condition)
        self.condition = condition
        self._spec = spec
        self.seed = seed
        look, size = self.look, clip.size
        self._medium = medium_of(look)
        self._clouds = Clouds(seed) if look.overcast > 0 else None
        self._illumination = illumination_of(look) if look.night > 0 else None
        self._sun = LowSun(self.scene, look) if look.low_sun else None
        self._wet = (
            WetGround(look.wetness, seed, is_raining=look.rain_mm_h > 0) if look.wetness > 0.02 else None
        )
        self._snow_cover = SnowCover(look.snow_cover, seed, self.scene) if look.snow_cover > 0.01 else None
        self._sand = SandCover(look.sand_cover, seed) if look.sand_cover > 0.01 else None
        self._rain = Rain(look.rain_mm_h, seed, night=look.night) if look.rain_mm_h >= 0.05 else None
        self._snow = Snow(look.snow_mm_h, seed, night=look.night) if look.snow_mm_h >= 0.02 else None
        self._drops = LensDrops(look.lens_drops, size, seed) if look.lens_drops > 0.01 else None
        self._spray = Spray(look.spray, seed) if look.spray > 0.01 else None
        self._sensor = None
        if look.night > 0:
            self._sensor = Sensor(size, gain=0.0006 * look.night, read=0.0013 * look.night, seed=seed)
        has_lamps = look.night > 0 or look.low_sun
        self._gain = np.float32(2.0**look.exposure_stops)
        self._encoder = Encoder(size, knee=0.72 if has_lamps else 1.0, seed=seed)

    def render(self, index: int) -> Picture:
        """Render one frame."""
        view = View(self.scene, index)
        try:
            return self._render(view)
        finally:
            view.release()

    def _render(self, view: View) -> Picture:
        for surface in (self._snow_cover, self._sand):
            if surface is not None:
                surface.lie(view)
        if self._wet is not None:
            self._wet.soak(view)
        emitted = self._illuminate(view)
        if self._wet is not None:
            self._wet.mirror(view)
        if self._medium is not None:
            self._veil(view, self._medium, emitted)
        if self._spray is not None:
            self._spray.drift(view)
        beam = self._illumination.headlights if self._illumination is not None else 0.0
        for falling in (self._rain, self._snow):
            if falling is not None:
                falling.fall(view, headlights=beam)
        if self._drops is not None:
            self._drops.refract(view)
        if self._gain != 1:
            view.light *= self._gain
        if self._sensor is not None:
            self._sensor.expose(view.light, view.index)
        return self._encoder.encode(view.light, view.index)

    def _veil(self, view: View, medium: Medium, emitted: Linear | None) -> None:
        """Put the layer of air before the scene; lamps that are on shine through it, with a halo.

        Args:
            view: The frame under work.
            medium: The layer.
            emitted: Light of the lamps that the night has switched on, which the view holds already.
        """
        rows, columns = slice(None), slice(None)
        if medium.extinction <= _HALO_EXTINCTION:
            emitted = None
        elif self._illumination is None and (lit := lit_lamps(view)) is not None:
            rows, columns, emitted = lit
            view.light[rows, columns] += emitted
        transmission = apply_medium(view, medium, self._horizon(view))
        if emitted is not None:
            view.light[rows, columns] += halo(emitted, transmission[rows, columns], height=len(view.light))

    def _horizon(self, view: View) -> npt.NDArray[np.float32] | None:
        """Radiance of the rendered sky near the horizon; None while it is the source's."""
        if self._illumination is not None:
            return self._illumination.airlight
        if self._clouds is not None:
            return horizon_light(view, self.look, is_closed=self._is_closed)
        return None

    @property
    def _is_closed(self) -> bool:
        return self.condition.label in ("overcast", "rain", "fog", "snow")

    def _switch_on(self, view: View) -> Linear | None:
        """Light the lamps that the geometry knows, with the glow of the lens, and return their light."""
        emitted = lamps_of(view, self.seed, windows=self.look.night > 0.7)
        if emitted is not None:
            emitted *= np.float32(self.look.night)
            view.light += emitted
            view.light += glow(emitted, height=len(view.light))
        return emitted

    def _illuminate(self, view: View) -> Linear | None:
        emitted: Linear | None = None
        has_shadows = self.condition.has_hard_shadows
        if self._illumination is not None:
            darken(view, self._illumination, has_hard_shadows=has_shadows)
            emitted = self._switch_on(view)
        elif self._clouds is not None:
            close_sky(view, self.look, self._clouds, has_hard_shadows=has_shadows, is_closed=self._is_closed)
        elif self._medium is not None and self._sun is None and has_shadows:
            # The sun does not reach the ground through the layer, and casts no shadows there.
            soften_shadows(view, OVERCAST_LIFT * self._medium.dimming)
        if self._sun is not None:
            self._sun.shine(view)
        return emitted

    @property
    def rendered(self) -> dict[str, float | str]:
        """The condition as rendered, for labels and provenance."""
        values: dict[str, float | str] = {
            name: float(value) for name, value in self._spec.changes.items() if name != "sun_azimuth_deg"
        }
        if self._spray is not None and not self.scene.knows(*VEHICLES):
            values["spray"] = 0.0
        if self.look.overcast > 0:
            values["clouds_okta"] = round(4 + 4 * self.look.overcast)
        values["headlights"] = (
            "on" if self.look.headlights and self._illumination is not None else "as in the source"
        )
        if self._medium is not None:
            values["extinction_per_m"] = self._medium.extinction
        if self._sun is not None:
            values["sun_azimuth_deg"] = self._sun.azimuth_deg
            values["sun_seen_share"] = float(np.mean(self._sun.seen))
        if self._snow_cover is not None or self._wet is not None:
            values["pose_origin"] = self.scene.pose_origin
        return values


def render_frames(
    clip: Clip, geometry: Geometry, spec: Spec, condition: Condition, seed: int
) -> Iterator[Picture]:
    """Render every frame of a clip, in order."""
    renderer = FrameRenderer(clip, geometry, spec, condition, seed)
    for index in range(len(clip)):
        yield renderer.render(index)
