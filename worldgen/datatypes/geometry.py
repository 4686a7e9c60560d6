"""Geometry: what physics, critic and events read; never an 8-bit picture."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, Float64, Int32, UInt8

from worldgen.datatypes.calibration import Camera
from worldgen.datatypes.digest import Value
from worldgen.datatypes.origin import Origins


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Geometry:
    """Metric depth, tags, instances, camera and ego pose of one clip, frame for frame."""

    depth_m: Float32[npt.NDArray[np.float32], "t h w"]
    """Distance along the optical axis (z) in metres; sky is +inf; always > 0, never NaN."""
    origins: Origins
    camera: Camera
    scale_interval: tuple[float, float] = (1.0, 1.0)
    """True depth lies between depth_m * low and depth_m * high (about 90%); (1, 1) for simulators."""
    tags: UInt8[npt.NDArray[np.uint8], "t h w"] | None = None
    """`Tag` numbers; `EGO` (255) marks the recording vehicle."""
    instances: Int32[npt.NDArray[np.int32], "t h w"] | None = None
    """Object id per pixel, 0 for none; ids match `ObjectLabel.id` where labels exist."""
    pose: Float64[npt.NDArray[np.float64], "t 4 4"] | None = None
    """world_from_camera, camera axes x right, y down, z forward, metres."""
    flow: Float32[npt.NDArray[np.float32], "t h w 2"] | None = None
    """Motion in pixels (dx, dy) from frame i to i + 1; the last frame's is zero."""
    ego_mask: Bool[npt.NDArray[np.bool_], "h w"] | None = None
    """True where the recording vehicle itself is seen, in every frame."""
    notes: tuple[str, ...] = field(default=())
    """What a reader must know, in sentences: what was assumed, what could not be found."""

    @property
    def is_metric(self) -> bool:
        """Whether claims in metres may be made."""
        return self.origins.scale in ("simulator", "sidecar")

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.depth_m)


class GeometryRef(Value):
    """A geometry by content, for what travels."""

    uri: str
    digest: str
    frames: int
    origins: Origins
    scale_interval: tuple[float, float] = (1.0, 1.0)
    camera: Camera
    notes: tuple[str, ...] = ()
