"""The scene: what every effect reads of one clip, prepared once, and of one frame, as it is rendered."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, Float64

from worldgen.datatypes import Camera, Clip, Geometry, Tag
from worldgen.datatypes.tags import EGO, FLAT
from worldgen.errors import GenerationError
from worldgen.models.physics.ego import poses_of
from worldgen.models.physics.ground import GroundPlane, planes_of
from worldgen.models.physics.light import LUMA, Linear, Plane, decode, srgb_to_linear
from worldgen.models.physics.rays import Rays, ray_length, rays_of
from worldgen.models.physics.sky import Skies, skies_of

FAR_M = 1.0e5
"""Stands for the infinite depth of the sky, so that arithmetic stays finite."""
PAVED = frozenset({Tag.ROAD, Tag.ROAD_LINE, Tag.SIDEWALK})
SOFT = FLAT - PAVED

Mask: TypeAlias = Bool[npt.NDArray[np.bool_], "h w"]


class Scene:
    """A clip and its geometry, with everything that does not depend on the asked condition.

    Args:
        clip: The source's frames.
        geometry: Frame for frame with the clip; smaller maps are scaled up.

    Raises:
        GenerationError: Geometry of another length than the clip.
    """

    def __init__(self, clip: Clip, geometry: Geometry) -> None:
        if len(geometry) != len(clip):
            message = f"the clip has {len(clip)} frames, its geometry {len(geometry)}"
            raise GenerationError(message)
        self.clip = clip
        self.geometry = geometry
        width, height = clip.size
        self.size = (width, height)
        self.camera: Camera = geometry.camera.scaled(width, height)
        self.rays: Rays = rays_of(self.camera)
        self.ray_length: Plane = ray_length(self.rays)
        self.planes: tuple[GroundPlane, ...] = self._planes()
        self.skies: Skies = skies_of(clip, geometry)

    def _planes(self) -> tuple[GroundPlane, ...]:
        gh, gw = self.geometry.depth_m.shape[1:]
        rays = self.rays if (gw, gh) == self.size else rays_of(self.geometry.camera.scaled(gw, gh))
        return planes_of(self.geometry, rays, self.clip.fps)

    @cached_property
    def _posed(self) -> tuple[Float64[npt.NDArray[np.float64], "t 4 4"], str]:
        return poses_of(self.geometry, self.clip, self.rays, self.planes)

    @property
    def poses(self) -> Float64[npt.NDArray[np.float64], "t 4 4"]:
        """world_from_camera per frame; estimated from the road when the geometry has none."""
        return self._posed[0]

    @property
    def pose_origin(self) -> str:
        """Where `poses` came from."""
        return self._posed[1]

    @cached_property
    def velocities(self) -> Float64[npt.NDArray[np.float64], "t 3"]:
        """Velocity of the camera in world axes per frame, m/s."""
        if len(self.clip) < 2:
            return np.zeros((len(self.clip), 3))
        return np.asarray(np.gradient(self.poses[:, :3, 3], self.clip.timestamps_seconds, axis=0))

    @cached_property
    def speed_m_s(self) -> float:
        """Median speed over the clip."""
        return float(np.median(np.linalg.norm(self.velocities, axis=1)))

    @cached_property
    def level(self) -> Float64[npt.NDArray[np.float64], "3 3"]:
        """Rows: two horizontal unit vectors (right and ahead at the first frame) and up, in world axes."""
        rotation = self.poses[0, :3, :3]
        up = rotation @ self.planes[0].up
        ahead = rotation @ np.array([0.0, 0.0, 1.0])
        ahead -= ahead @ up * up
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, up)
        return np.stack([right, ahead, up])

    def view(self, index: int) -> "View":
        """Open one frame."""
        return View(scene=self, index=index, light=decode(self.clip.frames[index]))

    @cached_property
    def reflectance_gain(self) -> float:
        """What turns source light into reflectance: the road's median becomes asphalt's 12% (bounded)."""
        picks = np.unique(np.linspace(0, len(self.clip) - 1, min(len(self.clip), 5)).round().astype(int))
        levels = []
        for i in picks:
            view = self.view(int(i))
            road = view.paved[::4, ::4]
            if road.mean() > 0.02:
                levels.append(float(np.median(view.luma[::4, ::4][road])))
        return float(np.clip(0.12 / np.median(levels), 0.6, 2.5)) if levels else 1.0

    def map(self, name: str, index: int) -> npt.NDArray[np.generic] | None:
        """Return one frame of a geometry array at the clip's size (nearest neighbour), or None."""
        array = getattr(self.geometry, name)
        if array is None:
            return None
        frame = array if name == "ego_mask" else array[index]
        if frame.shape[::-1] == self.size:
            return np.asarray(frame)
        plain = frame.astype(np.uint8) if frame.dtype == np.bool_ else frame
        scaled = cv2.resize(plain, self.size, interpolation=cv2.INTER_NEAREST)
        return np.asarray(scaled.astype(frame.dtype))


@dataclass(slots=False, eq=False)
class View:
    """One frame under work. Effects change `light` in place and read the rest."""

    scene: Scene
    index: int
    light: Linear

    @cached_property
    def source(self) -> Linear:
        """The frame as the source has it, in linear light."""
        source = decode(self.scene.clip.frames[self.index])
        source.flags.writeable = False
        return source

    @property
    def plane(self) -> GroundPlane:
        """The ground of this frame."""
        return self.scene.planes[self.index]

    @property
    def seconds(self) -> float:
        """Time of this frame."""
        return float(self.scene.clip.timestamps_seconds[self.index])

    @cached_property
    def depth_m(self) -> Plane:
        """Depth along the axis; the sky is FAR_M."""
        depth = np.asarray(self.scene.map("depth_m", self.index), np.float32)
        return np.asarray(np.minimum(depth, FAR_M), np.float32)

    @cached_property
    def range_m(self) -> Plane:
        """Length of the path from the lens: depth times the ray's length, never depth alone."""
        return np.asarray(cv2.multiply(self.depth_m, self.scene.ray_length))

    @cached_property
    def tags(self) -> npt.NDArray[np.uint8] | None:
        """`Tag` per pixel if known."""
        tags = self.scene.map("tags", self.index)
        return None if tags is None else np.asarray(tags, np.uint8)

    @cached_property
    def sky_mask(self) -> Mask:
        """Hard mask of the sky: infinite depth, or tagged so."""
        sky = self.depth_m >= FAR_M
        return np.asarray(sky if self.tags is None else sky | (self.tags == Tag.SKY))

    @cached_property
    def _matte(self) -> tuple[Plane, Linear | None]:
        return self.scene.skies.matte(self.sky_mask, self.source)

    @property
    def sky(self) -> Plane:
        """Share of the sky per pixel, 0..1, soft where leaves and wires mix with it."""
        return self._matte[0]

    @property
    def local_sky(self) -> Linear | None:
        """The source's own sky around each pixel; None when none is seen."""
        return self._matte[1]

    @cached_property
    def ego(self) -> Mask | None:
        """The recording vehicle itself."""
        mask = self.scene.map("ego_mask", self.index)
        if mask is None and self.tags is not None and bool((self.tags[-1] == EGO).any()):
            mask = self.tags == EGO
        return None if mask is None else np.asarray(mask, np.bool_)

    @cached_property
    def height_m(self) -> Plane:
        """Height of each pixel's point above the ground plane; FAR_M for the sky."""
        inverse = self.plane.inverse_depth(self.scene.rays)
        height = (1 - inverse * self.depth_m) * np.float32(self.plane.camera_height_m)
        return np.asarray(np.where(self.sky_mask, FAR_M, height), np.float32)

    @cached_property
    def flat(self) -> Mask:
        """Upward surfaces at ground level: by tag, or by height above the plane."""
        flat = self._tagged(FLAT)
        if flat is None:
            slack = 0.12 + 0.015 * self.depth_m
            flat = (np.abs(self.height_m) < slack) & (self.depth_m < 300)
        return self._without_ego(flat)

    @cached_property
    def paved(self) -> Mask:
        """Road, its markings and pavements; all of `flat` when nothing is tagged."""
        paved = self._tagged(PAVED)
        return self.flat if paved is None else self._without_ego(paved)

    def _tagged(self, tags: frozenset[Tag]) -> Mask | None:
        if self.tags is None:
            return None
        table = np.zeros(256, np.uint8)
        table[[int(t) for t in FLAT]] = 1
        if not cv2.LUT(self.tags, table).any():
            return None
        table[:] = 0
        table[[int(t) for t in tags]] = 1
        return np.asarray(cv2.LUT(self.tags, table) > 0)

    def has_tag(self, *tags: Tag) -> Mask:
        """Where any of these tags is; nowhere when nothing is tagged."""
        if self.tags is None:
            return np.zeros(self.light.shape[:2], np.bool_)
        table = np.zeros(256, np.uint8)
        table[[int(t) for t in tags]] = 1
        return np.asarray(cv2.LUT(self.tags, table) > 0)

    def _without_ego(self, mask: Mask) -> Mask:
        return mask if self.ego is None else np.asarray(mask & ~self.ego)

    @cached_property
    def ground_xy(self) -> tuple[Plane, Plane]:
        """World coordinates of the ground under each pixel, metres right and ahead; world-anchored.

        True depth follows hills; estimated depth is replaced by the smoothed plane, so nothing swims.
        """
        scene = self.scene
        if scene.geometry.origins.depth in ("simulator", "sidecar"):
            z = np.minimum(self.depth_m, 500)
        else:
            inverse = self.plane.inverse_depth(scene.rays)
            z = 1 / np.maximum(inverse, 1 / 500)
        pose = scene.poses[self.index]
        axes = (scene.level[:2] @ pose[:3, :3]).astype(np.float32)
        origin = (scene.level[:2] @ pose[:3, 3]).astype(np.float32)
        rx, ry = scene.rays[..., 0], scene.rays[..., 1]
        right = (rx * axes[0, 0] + ry * axes[0, 1] + axes[0, 2]) * z + origin[0]
        ahead = (rx * axes[1, 0] + ry * axes[1, 1] + axes[1, 2]) * z + origin[1]
        return np.asarray(right, np.float32), np.asarray(ahead, np.float32)

    @cached_property
    def sky_light(self) -> Float32[npt.NDArray[np.float32], "3"]:
        """Colour of the source's sky near the horizon, steady over time."""
        return np.asarray(self.scene.skies.horizon[self.index], np.float32)

    @cached_property
    def footprint_m(self) -> Plane:
        """Ground covered by one pixel along the view: z^2 / (fy * camera height)."""
        z = np.minimum(self.depth_m, 500)
        return np.asarray(
            z * z * np.float32(1 / (self.scene.camera.fy * self.plane.camera_height_m)), np.float32
        )

    @cached_property
    def luma(self) -> Plane:
        """Luminance of the source frame."""
        return np.asarray(cv2.transform(self.source, np.array([LUMA], np.float32)))


def grey_of(code: int) -> float:
    """Linear light of an 8-bit grey."""
    return float(srgb_to_linear(code / 255))
