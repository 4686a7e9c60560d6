"""Low sun: warm light, the disc and its glare where geometry lets it through, and the lens's answer."""

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from worldgen.models.physics.light import HEADROOM, Plane, srgb_to_linear
from worldgen.models.physics.look import Look
from worldgen.models.physics.ops import add, enlarge, scale, smoothstep, soften
from worldgen.models.physics.scene import Scene
from worldgen.models.physics.view import FAR_M, View

_SMALL: Final = 4
WARM: Final = np.array([1.52, 0.97, 0.48], np.float32)
"""White-balanced for noon, sunlight at 5 degrees (about 2800 K) over skylight."""
COOL: Final = np.array([0.77, 0.735, 0.755], np.float32)
"""Shade: dimmer, and a little warm: half of the sky that lights it is."""
ZENITH: Final = np.array([0.15, 0.25, 0.48], np.float32)
"""Radiance of a clear sky far from a low sun and high up, relative to white under the camera's exposure."""
AWAY: Final = np.array([0.54, 0.43, 0.41], np.float32)
"""The same above the horizon, away from the sun: the pinkish belt."""
_COARSE: Final = 8
_GROUND_SHARE: Final = 0.75
_KEEP_SKY: Final = 0.10
"""Share of the source's own sky that shines through: its clouds."""
DEFAULT_AZIMUTH_DEG: Final = 8.0
"""Where the sun stands when a spec leaves it open: nearly ahead, as a driver means it by 'low sun'."""


class LowSun:
    """A sun at a given elevation and azimuth, seen or not seen by the camera.

    Args:
        scene: The clip.
        look: With sun_elevation_deg; azimuth relative to the heading at the first frame, 90 is right.
    """

    def __init__(self, scene: Scene, look: Look) -> None:
        elevation = math.radians(look.sun_elevation_deg or 5.0)
        self.azimuth_deg = DEFAULT_AZIMUTH_DEG if look.sun_azimuth_deg is None else look.sun_azimuth_deg
        azimuth = math.radians(self.azimuth_deg)
        level = np.array(
            [
                math.cos(elevation) * math.sin(azimuth),
                math.cos(elevation) * math.cos(azimuth),
                math.sin(elevation),
            ]
        )
        self._world = level @ scene.level
        self._elevation_deg = look.sun_elevation_deg or 5.0
        self._scene = scene
        self.colour = sun_colour(self._elevation_deg)
        self.seen = self._visibility(scene, 0.6)
        """Share of the disc that is not hidden, per frame."""
        self._near_seen = np.maximum(self.seen, 0.5 * self._visibility(scene, 5.0))

    def direction(self, index: int) -> npt.NDArray[np.float32]:
        """Unit vector to the sun in camera axes."""
        return np.asarray(self._world @ self._scene.poses[index][:3, :3], np.float32)

    def cosine(self, index: int) -> Plane:
        """Cosine of the angle between each ray and the sun, at a quarter of the size."""
        rays = self._scene.rays.thin(_SMALL, _SMALL // 2)
        return np.asarray(rays.along(self.direction(index)) / rays.length, np.float32)

    def _visibility(self, scene: Scene, radius_deg: float) -> npt.NDArray[np.float64]:
        """Share of a disc around the sun that is sky, per frame, smoothed over a fifth of a second.

        Outside the picture the geometry is silent: the share at the nearest border pixel stands for it.
        """
        width, height = scene.size
        shares = []
        for index in range(len(scene.clip)):
            d = self.direction(index)
            if d[2] <= 0.05:
                shares.append(0.0)
                continue
            u = scene.camera.fx * d[0] / d[2] + scene.camera.cx
            v = scene.camera.fy * d[1] / d[2] + scene.camera.cy
            radius = max(2, round(scene.camera.fx * math.tan(math.radians(radius_deg))))
            x, y = int(np.clip(u, 0, width - 1)), int(np.clip(v, 0, height - 1))
            depth = np.asarray(scene.map("depth_m", index))
            window = depth[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
            shares.append(float(np.isinf(window).mean()))
        sigma = max(0.5, 0.2 * scene.clip.fps)
        return np.asarray(gaussian_filter1d(np.array(shares), sigma, mode="nearest"))

    def shine(self, view: View) -> None:
        """Light a view by this sun, in place: surfaces, sky, road, disc."""
        index = view.index
        d = self.direction(index)
        seen = float(self.seen[index])
        ahead = float(np.clip(d[2], 0, 1))
        cosine = self.cosine(index)
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1))).astype(np.float32)
        # Against the sun the camera shows shaded sides and closes its iris; with it, lit ones.
        self._split_tone(view, d, 1.14 - 0.44 * ahead**3)
        if view.sky_rows.stop:
            self._paint_sky(view, angle)
        self._glitter(view, d, seen)
        self._glare(view, angle, seen, float(self._near_seen[index]))

    def _split_tone(self, view: View, d: npt.NDArray[np.float32], gain: float) -> None:
        """Warm what faces the sun and is bright, leave shade and what is turned away to the blue sky."""
        # By the grey code value, which one table turns into the tone of all three channels.
        bright = np.clip((srgb_to_linear(np.arange(256) / 255) - 0.01) / 0.20, 0, 1)
        share = np.asarray(bright * bright * (3 - 2 * bright), np.float32).reshape(1, 256)
        grey = cv2.cvtColor(view.frame, cv2.COLOR_RGB2GRAY)
        lit = cv2.multiply(cv2.LUT(grey, share), enlarge(self._facing(view, d), view.light))
        # gain (COOL + lit (WARM - COOL)), one matrix from the lit share to three channels.
        to_tone = np.column_stack([gain * (WARM - COOL), gain * COOL]).astype(np.float32)
        cv2.multiply(view.light, cv2.transform(lit, to_tone), dst=view.light)

    def _facing(self, view: View, d: npt.NDArray[np.float32]) -> Plane:
        """How squarely surfaces meet the sunlight, 0.12 to 1.25, at an eighth of the size.

        Inverse depth of a plane a X + b Y + c Z = 1 is a x + b y + c along the ray (x, y, 1), so its slope
        across the picture and its value give the plane's normal. What stands is taken to be upright; the
        ground meets a low sun at a grazing angle, and gets three quarters.
        """
        rays = view.scene.rays.thin(_COARSE, _COARSE // 2)
        h, w = rays.shape
        z = view.depth_m[_COARSE // 2 :: _COARSE, _COARSE // 2 :: _COARSE][:h, :w]
        sky = z >= FAR_M
        inverse = np.where(sky, 0, 1 / np.maximum(z, np.float32(0.5))).astype(np.float32)
        weight = (~sky).astype(np.float32)
        sigma = 1.5 if view.scene.has_true_depth else 4.0
        mean = soften(inverse, sigma) / (soften(weight, sigma) + np.float32(1e-3))
        slope_x = np.gradient(rays.x, axis=1)
        a = np.gradient(mean, axis=1) / slope_x
        c = mean - a * rays.x
        up = view.plane.up.astype(np.float32)
        level = d - float(d @ up) * up
        level /= max(float(np.linalg.norm(level)), 1e-6)
        cosine = -(a * level[0] + c * level[2]) / np.sqrt(a * a + c * c + np.float32(1e-8))
        # Leaves and rough walls face everywhere a little; an estimated slope is not worth a hard contrast.
        least, most = (0.12, 1.25) if view.scene.has_true_depth else (0.40, 1.10)
        facing = least + (most - least) * smoothstep(-0.45, 0.85, np.asarray(cosine, np.float32))
        ground = view.ground
        if ground is not None:
            first = -(-(ground.rows.start - _COARSE // 2) // _COARSE)
            flat = ground.flat[
                first * _COARSE + _COARSE // 2 - ground.rows.start :: _COARSE, _COARSE // 2 :: _COARSE
            ]
            part = facing[first : first + len(flat)]
            flat = flat[: len(part), : part.shape[1]]
            part += flat * (np.float32(_GROUND_SHARE) - part)
        facing[sky] = _GROUND_SHARE
        return soften(np.asarray(facing, np.float32), 1.0)

    def _paint_sky(self, view: View, angle: Plane) -> None:
        """A clear sky with a low sun: warm above the horizon and towards the sun, blue far up and away.

        The fall with height and angle is fitted by eye to photographs; the colours follow the sunlight that
        is left at this elevation (`sun_colour`).
        """
        rows = view.sky_rows
        sky, light = view.sky, view.light[rows]
        part = angle[: -(-rows.stop // _SMALL)]
        scene = view.scene
        up_axis = (scene.level @ scene.poses[view.index][:3, :3])[2]
        rays = scene.rays.thin(_SMALL, _SMALL // 2).rows(slice(0, len(part)))
        up = np.clip(rays.along(up_axis) / rays.length, 0, 1)
        near, wide = np.exp(part / np.float32(-6)), np.exp(part / np.float32(-48))
        low = np.exp(-up / (np.float32(0.26) + np.float32(0.40) * wide))[..., None]
        towards = (wide * np.float32(1.2))[..., None]
        belt = AWAY + towards * (self.colour ** np.float32(0.95) - AWAY)
        zenith = ZENITH * (0.8 + 0.9 * towards)
        painted = zenith + low * (belt - zenith) + (1.1 * near)[..., None] * self.colour
        scale(light, np.asarray(1 - (1 - _KEEP_SKY) * sky, np.float32))
        painted = enlarge(np.asarray((1 - _KEEP_SKY) * painted, np.float32), light)
        cv2.add(light, cv2.multiply(painted, cv2.merge([sky, sky, sky])), dst=light)

    def _glitter(self, view: View, d: npt.NDArray[np.float32], seen: float) -> None:
        """The sun's mirror image, drawn out over a rough road: a lobe around the reflected ray.

        Reflectance follows Schlick (1994) with 4% at normal incidence, weakened to the few percent of dry
        asphalt that faces the right way (Cox and Munk 1954 is the wet limit).
        """
        ground = view.ground
        if d[2] <= 0.1 or seen <= 0.02 or ground is None:
            return
        up = view.plane.up
        mirrored = d - 2 * float(d @ up) * up
        rays = ground.rays.thin(_SMALL)
        across = rays.x - np.float32(mirrored[0] / mirrored[2])
        along = rays.y - np.float32(mirrored[1] / mirrored[2])
        grazing = np.clip(ground.grazing_cosine[::_SMALL, ::_SMALL], 0, 1)
        fresnel = 0.04 + 0.96 * (1 - grazing) ** 5
        spread = np.float32(0.05) + np.float32(0.25) * np.clip(along, 0, None)
        lobe = np.exp(-((across / spread) ** 2) - (along / np.float32(0.30)) ** 2) * fresnel
        light = enlarge(np.asarray(lobe * np.float32(0.9 * seen), np.float32), ground.light)
        light *= ground.flat
        # Lit through the road's own texture, so that cracks and markings stay.
        light *= np.clip(ground.luma * np.float32(4), 0.3, 1.5)
        add(ground.light, self.colour, light)

    def _glare(self, view: View, angle: Plane, seen: float, near_seen: float) -> None:
        """Veil, aureole and disc. The veil follows Stiles and Holladay: it falls with 1 / angle^2.

        A hidden disc leaves half of the veil while there is sky around it: haze beside the roof still
        scatters forward.
        """
        if near_seen <= 0.01:
            return
        veil = near_seen * 3.2 / (angle**2 + 5.0**2)
        disc = seen * (HEADROOM * np.clip((1.15 - angle) / 0.5, 0, 1) + 0.9 * np.exp(-angle / 2.2))
        glare = np.asarray((veil + disc)[..., None] * self.colour, np.float32)
        cv2.add(view.light, enlarge(glare, view.light), dst=view.light)
        if seen > 0.01:
            self._ghosts(view, seen)

    def _ghosts(self, view: View, seen: float) -> None:
        """Faint reflections between lens elements, on the line through the picture's centre."""
        d = self.direction(view.index)
        if d[2] <= 0.2:
            return
        camera, (width, height) = self._scene.camera, self._scene.size
        sun = np.array([camera.fx * d[0] / d[2], camera.fy * d[1] / d[2]])
        if abs(sun[0]) > width or abs(sun[1]) > height:
            return
        for where, size, strength, colour in _GHOSTS:
            centre = (camera.cx - where * sun[0], camera.cy - where * sun[1])
            radius = size * height
            x0, x1 = int(max(0, centre[0] - 2 * radius)), int(min(width, centre[0] + 2 * radius))
            y0, y1 = int(max(0, centre[1] - 2 * radius)), int(min(height, centre[1] + 2 * radius))
            if x0 >= x1 or y0 >= y1:
                continue
            y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
            distance = np.hypot(x - centre[0], y - centre[1]) / radius
            disc = np.clip((1 - distance) * 6, 0, 1) * (0.5 + 0.5 * np.clip(distance, 0, 1) ** 3)
            patch = view.light[y0:y1, x0:x1]
            patch += (disc * np.float32(strength * seen))[..., None] * np.array(colour, np.float32)


_GHOSTS: Final = (
    (0.42, 0.022, 0.035, (1.0, 0.75, 0.35)),
    (0.75, 0.045, 0.018, (0.45, 0.9, 0.55)),
    (1.12, 0.085, 0.010, (0.55, 0.65, 1.0)),
)


def sun_colour(elevation_deg: float) -> npt.NDArray[np.float32]:
    """Colour of direct sunlight, RGB with red 1.

    Optical depth of a clear atmosphere at 620, 550 and 460 nm (Rayleigh plus a little aerosol: 0.11, 0.16,
    0.28) through the air mass of Kasten and Young (1989).
    """
    mass = 1 / (math.sin(math.radians(elevation_deg)) + 0.50572 * (elevation_deg + 6.07995) ** -1.6364)
    tau = np.array([0.11, 0.16, 0.28])
    colour = np.exp(-tau * min(mass, 14.0))
    return np.asarray(colour / colour[0], np.float32)
