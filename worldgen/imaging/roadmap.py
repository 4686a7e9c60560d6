"""The road seen from above: what frames show of the ground, gathered in cells that stand still in the world.

Averaging a cell over the frames in which it is seen removes noise, flakes, streaks and drops; paint stays.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.datatypes import Camera
from worldgen.imaging.projection import unproject

Map = Float32[npt.NDArray[np.float32], "rows columns"]
Maps = Float32[npt.NDArray[np.float32], "rows columns k"]

ACROSS_M: Final = 0.15
"""Side of a cell across the road: a lane line's width."""
ALONG_M: Final = 0.5
"""Side of a cell along the road."""
_MOST_CELLS: Final = 4_000_000
_FOOTPRINT_M: Final = (0.14, 2.5)
"""Largest size of a pixel on the ground, across and along, that still shows a line."""


@dataclass(frozen=True, slots=True, eq=False)
class GroundCells:
    """For every frame the pixels that show near ground, and the cell of the map that each falls into."""

    shape: tuple[int, int]
    """Rows (along, near first) and columns (across) of the map."""
    pixels: tuple[npt.NDArray[np.intp], ...]
    """Flat index of the pixels, per frame."""
    cells: tuple[npt.NDArray[np.intp], ...]
    """Flat index of their cells, per frame."""

    def gather(self, frames: list[npt.NDArray[np.float32]]) -> tuple[Map, Maps]:
        """Average planes [h, w, k] over all pixels of each cell.

        Args:
            frames: One per frame, in any unit that averages rightly (linear light).

        Returns:
            How many pixels each cell holds, and the means (0 where there are none).
        """
        rows, columns = self.shape
        size, channels = rows * columns, frames[0].shape[-1]
        count, total = np.zeros(size), np.zeros((channels, size))
        for plane, pixels, cells in zip(frames, self.pixels, self.cells, strict=True):
            count += np.bincount(cells, minlength=size)
            flat = plane.reshape(-1, channels)
            for k in range(channels):
                total[k] += np.bincount(cells, flat[pixels, k], minlength=size)
        mean = (total / np.maximum(count, 1)).T.reshape(rows, columns, channels)
        return count.reshape(rows, columns).astype(np.float32), mean.astype(np.float32)


def ground_cells(
    ground: npt.NDArray[np.bool_],
    depth_m: npt.NDArray[np.float32],
    pose: npt.NDArray[np.float64],
    camera: Camera,
    frames: tuple[int, ...],
) -> GroundCells | None:
    """Place every pixel of near ground in the map; None where there is too little of it.

    Args:
        ground: [t, h, w], which pixels show the ground.
        depth_m: [t, h, w], along the optical axis.
        pose: [t, 4, 4], world from camera.
        camera: At the size of the planes.
        frames: Which frames take part.
    """
    width, height = camera.width, camera.height
    uv = np.stack(np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)), -1)
    rays = unproject(uv, camera)
    rays = rays / np.maximum(rays[..., 2:], 1e-3)
    # A pixel covers z / f across, and z squared / (f h) along the road (h is the height of the camera).
    reach = min(
        _FOOTPRINT_M[0] * camera.fx, float(np.sqrt(_FOOTPRINT_M[1] * camera.fy * max(camera.height_m, 0.5)))
    )
    middle = pose[frames[len(frames) // 2]]
    across, along = middle[:3, 0], middle[:3, 2]
    pixels, places = [], []
    flat_rays = rays.reshape(-1, 3)
    for i in frames:
        on = np.flatnonzero(ground[i] & (depth_m[i] < reach))
        world = (flat_rays[on] * depth_m[i].ravel()[on, None]) @ pose[i, :3, :3].T + pose[i, :3, 3]
        pixels.append(on)
        places.append((world @ across, world @ along))
    if sum(len(p) for p in pixels) < 2000:
        return None
    left = min(float(p[0].min()) for p in places if len(p[0]))
    near = min(float(p[1].min()) for p in places if len(p[1]))
    right = max(float(p[0].max()) for p in places if len(p[0]))
    far = max(float(p[1].max()) for p in places if len(p[1]))
    rows, columns = int((far - near) / ALONG_M) + 1, int((right - left) / ACROSS_M) + 1
    if rows * columns > _MOST_CELLS:
        return None  # the poses run away; nothing would be averaged
    cells = tuple(
        ((v - near) / ALONG_M).astype(np.intp) * columns + ((u - left) / ACROSS_M).astype(np.intp)
        for u, v in places
    )
    return GroundCells((rows, columns), tuple(pixels), cells)


def window(plane: Map, along_m: float, across_m: float) -> Map:
    """Sum over a window of so many metres around each cell; nothing lies beyond the border."""
    side = (max(1, round(across_m / ACROSS_M)) | 1, max(1, round(along_m / ALONG_M)) | 1)
    return np.asarray(
        cv2.boxFilter(plane, -1, side, normalize=False, borderType=cv2.BORDER_CONSTANT), np.float32
    )
