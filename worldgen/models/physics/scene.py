"""The scene: what every effect reads of one clip, prepared once."""

from functools import cached_property
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float64

from worldgen.datatypes import Camera, Clip, Geometry, Tag
from worldgen.errors import GenerationError
from worldgen.models.physics.ego import Poses, poses_of
from worldgen.models.physics.ground import GroundPlane, planes_of
from worldgen.models.physics.light import luminance_of_codes
from worldgen.models.physics.rays import Rays, rays_of
from worldgen.models.physics.sky import Skies, skies_of

Mask: TypeAlias = Bool[npt.NDArray[np.bool_], "h w"]
ASPHALT: float = 0.12
"""Reflectance of worn asphalt; reads the source's exposure off its road."""


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
        self.planes: tuple[GroundPlane, ...] = self._planes()
        self.skies: Skies = skies_of(clip, geometry)

    def _planes(self) -> tuple[GroundPlane, ...]:
        gh, gw = self.geometry.depth_m.shape[1:]
        rays = self.rays if (gw, gh) == self.size else rays_of(self.geometry.camera.scaled(gw, gh))
        return planes_of(self.geometry, rays, self.clip.fps)

    @property
    def has_true_depth(self) -> bool:
        """Whether depth was rendered or measured, pixel by pixel."""
        return self.geometry.origins.depth in ("simulator", "sidecar")

    @cached_property
    def _posed(self) -> tuple[Poses, str]:
        return poses_of(self.geometry, self.clip, self.rays, self.planes)

    @property
    def poses(self) -> Poses:
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
    def level(self) -> Float64[npt.NDArray[np.float64], "3 3"]:
        """Rows: right and ahead (level, as the camera first heads) and up, in world axes."""
        rotation = self.poses[0, :3, :3]
        up = rotation @ self.planes[0].up
        ahead = rotation @ np.array([0.0, 0.0, 1.0])
        ahead -= ahead @ up * up
        ahead /= np.linalg.norm(ahead)
        return np.stack([np.cross(ahead, up), ahead, up])

    @cached_property
    def reflectance_gain(self) -> float:
        """What turns source light into reflectance: the road's median becomes asphalt's (bounded)."""
        levels = []
        for i in np.unique(np.linspace(0, len(self.clip) - 1, min(len(self.clip), 5)).round().astype(int)):
            road = self._road_samples(int(i))
            if len(road) > 50:
                levels.append(float(np.median(road)))
        return float(np.clip(ASPHALT / np.median(levels), 0.6, 2.5)) if levels else 1.0

    def _road_samples(self, index: int) -> npt.NDArray[np.float32]:
        """Luminance on a coarse grid of road pixels; of the nearer ground when no road is tagged."""
        thin = luminance_of_codes(self.clip.frames[index][::4, ::4])
        tags = self.map("tags", index)
        if tags is not None and self.knows(Tag.ROAD):
            return np.asarray(thin[tags[::4, ::4] == Tag.ROAD])
        inverse = self.planes[index].inverse_depth(self.rays.thin(4))
        depth = np.asarray(self.map("depth_m", index))[::4, ::4]
        return np.asarray(thin[(inverse > 1 / 25) & (np.abs(depth * inverse - 1) < 0.1)])

    def knows(self, *tags: Tag) -> bool:
        """Whether the geometry ever uses one of these tags (looked up on a coarse grid)."""
        return bool(self._known_tags & {int(t) for t in tags})

    @cached_property
    def _known_tags(self) -> frozenset[int]:
        tags = self.geometry.tags
        if tags is None:
            return frozenset()
        step = max(1, len(tags) // 8)
        return frozenset(int(t) for t in np.unique(tags[::step, ::4, ::4]))

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
