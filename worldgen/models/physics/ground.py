"""The ground plane of each frame, read from geometry: where it is, how high a pixel stands above it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, Float64
from scipy.ndimage import gaussian_filter1d

from worldgen.datatypes import Camera, Geometry
from worldgen.datatypes.tags import FLAT
from worldgen.imaging.ground import ground_normal
from worldgen.models.physics.light import Plane
from worldgen.models.physics.rays import Rays

_STRIDE = 8
_TRUE = ("simulator", "sidecar")


@dataclass(frozen=True, slots=True, eq=False)
class GroundPlane:
    """n . P = 1 for every point P of the ground, in camera axes; n points down, 1/|n| is the camera's height.

    Inverse depth of the plane is then linear in the ray's slopes: 1/z = n . (x/z, y/z, 1).
    """

    normal: Float64[npt.NDArray[np.float64], "3"]

    @property
    def camera_height_m(self) -> float:
        """Height of the optical centre above the plane."""
        return float(1 / np.linalg.norm(self.normal))

    @property
    def up(self) -> Float64[npt.NDArray[np.float64], "3"]:
        """Unit vector away from the ground, in camera axes."""
        return -self.normal * self.camera_height_m

    def inverse_depth(self, rays: Rays) -> Plane:
        """1/z of the plane along each ray; <= 0 at and above the horizon."""
        return rays.along(self.normal)


def camera_plane(camera: Camera) -> GroundPlane:
    """The plane that the camera's mounting promises."""
    return GroundPlane(np.asarray(ground_normal(camera) / camera.height_m))


def planes_of(geometry: Geometry, rays: Rays, fps: float) -> tuple[GroundPlane, ...]:
    """Fit the ground plane of every frame to the geometry's own depth.

    Depth and plane must agree, or mirror images would not meet their objects. The fit is robust (Tukey's
    biweight, four rounds). Estimated depth wobbles from frame to frame: its planes are smoothed over half a
    second, so that nothing anchored to the ground swims.
    """
    prior = camera_plane(geometry.camera).normal
    fitted = np.stack([_fit(geometry, rays, i, prior) for i in range(len(geometry))])
    if geometry.origins.depth not in _TRUE and len(fitted) > 2:
        fitted = gaussian_filter1d(fitted, sigma=max(1.0, 0.5 * fps), axis=0, mode="nearest")
    return tuple(GroundPlane(n) for n in fitted)


def _fit(
    geometry: Geometry,
    rays: Rays,
    index: int,
    prior: Float64[npt.NDArray[np.float64], "3"],
) -> Float64[npt.NDArray[np.float64], "3"]:
    z = geometry.depth_m[index][::_STRIDE, ::_STRIDE]
    slopes = rays.thin(_STRIDE)
    use = np.isfinite(z) & (z < 60)
    use &= _ground_candidates(geometry, index, slopes, z, prior)
    if int(use.sum()) < 40:
        return prior
    columns = [np.broadcast_to(s, use.shape)[use] for s in (slopes.x, slopes.y)]
    a = np.column_stack([*columns, np.ones(len(columns[0]))]).astype(np.float64)
    b = 1 / z[use].astype(np.float64)
    weight = np.ones(len(b))
    normal = prior
    for _ in range(4):
        root = np.sqrt(weight)[:, None]
        normal = np.linalg.lstsq(
            np.vstack([a * root, _RIDGE]), np.append(b * root[:, 0], _RIDGE @ prior), rcond=None
        )[0]
        residual = (a @ normal - b) / np.maximum(b, 1e-3)
        cut = 4.7 * max(1.48 * float(np.median(np.abs(residual))), 0.01)
        weight = np.clip(1 - (residual / cut) ** 2, 0, None) ** 2
    is_sane = normal[1] > 0 and 0.3 < np.linalg.norm(prior) / np.linalg.norm(normal) < 3
    return normal if is_sane else prior


_RIDGE = np.eye(3) * 1e-2


def _ground_candidates(
    geometry: Geometry,
    index: int,
    slopes: Rays,
    z: Float32[npt.NDArray[np.float32], "h w"],
    prior: Float64[npt.NDArray[np.float64], "3"],
) -> Bool[npt.NDArray[np.bool_], "h w"]:
    if geometry.tags is not None:
        flat = np.isin(geometry.tags[index][::_STRIDE, ::_STRIDE], [int(t) for t in FLAT])
        if flat.mean() > 0.03:
            return np.asarray(flat)
    expected = GroundPlane(prior).inverse_depth(slopes)
    near = np.abs(z * expected - 1) < 0.3
    if geometry.ego_mask is not None:
        near &= ~geometry.ego_mask[::_STRIDE, ::_STRIDE]
    return np.asarray(near)
