"""A z-buffer for convex polygons in numpy: every span of every polygon at once, nearest fragment wins.

A pixel (x, y) is a sample at an integer position. A polygon is a set of half-planes, so a polygon that
reaches behind the camera needs no clipping: in homogeneous form its edges are planes through the eye
(Olano and Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating]
Ints: TypeAlias = npt.NDArray[np.integer]
Bools: TypeAlias = npt.NDArray[np.bool_]

NEAR_M = 0.15
FAR_M = 8000.0
CHUNK = 2_000_000
"""Fragments handled at a time, so that 1280x720 with supersampling stays within some 100 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """Convex polygons in pixel space: half-planes, an affine value to maximise, and their rows."""

    planes: Floats
    """[n, k, 3]: inside where planes . (x, y, 1) >= 0 for all k."""
    value: Floats
    """[n, 3]: value . (x, y, 1) is what the buffer maximises (inverse depth, or height)."""
    rows: Ints
    """[n, 2]: first and last row, inclusive, inside the picture."""
    source: Ints
    """[n]: the face each polygon came from."""

    def pick(self, keep: Bools) -> "Polygons":
        """Return some of them."""
        return Polygons(self.planes[keep], self.value[keep], self.rows[keep], self.source[keep])


@dataclass(frozen=True, slots=True, eq=False)
class Fragments:
    """Samples covered by polygons: flat pixel index, polygon index, value."""

    pixel: Ints
    polygon: Ints
    value: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """A pinhole for the rasteriser: pixel (x, y) looks along ((x - cx) / fx, (y - cy) / fy, 1)."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def rays(self) -> Floats:
        """Directions with z = 1, float32 [h, w, 3]."""
        rays = np.empty((self.height, self.width, 3), np.float32)
        rays[..., 0] = (np.arange(self.width) - self.cx) / self.fx
        rays[..., 1] = ((np.arange(self.height) - self.cy) / self.fy)[:, None]
        rays[..., 2] = 1.0
        return rays


def view_polygons(faces: Floats, lens: Lens, two_sided: Bools, *, mirrored: bool = False) -> Polygons:
    """Prepare planar convex quads [n, 4, 3] in camera axes (x right, y down, z forward) for a pinhole.

    A triangle repeats its last corner. Faces are wound so that (v1 - v0) x (v2 - v0) points out of the
    body; faces seen from behind are left out unless `two_sided`. In a `mirrored` view (camera axes of the
    other handedness) the winding appears turned.
    """
    z = faces[..., 2]
    edge = faces[:, 1] - faces[:, 0]
    normal = np.cross(edge, faces[:, 2] - faces[:, 0])
    offset = np.einsum("ni,ni->n", normal, faces[:, 0])
    some = z.max(1) > NEAR_M
    keep = some & ((offset > 0 if mirrored else offset < 0) | (two_sided & (offset != 0)))
    whole = z.min(1) > NEAR_M
    safe = np.maximum(z, NEAR_M)
    px = faces[..., 0] / safe * lens.fx + lens.cx
    py = faces[..., 1] / safe * lens.fy + lens.cy
    first = np.where(whole, np.ceil(py.min(1)), 0)
    last = np.where(whole, np.floor(py.max(1)), lens.height - 1)
    first = np.maximum(first, 0)
    last = np.minimum(last, lens.height - 1)
    beside = whole & ((px.max(1) < 0) | (px.min(1) > lens.width - 1))
    keep &= (last >= first) & ~beside
    index = np.flatnonzero(keep)
    corners = faces[index]
    sign = np.sign(offset[index])[:, None]
    planes = np.empty((len(index), 6, 3))
    planes[:, :4] = np.cross(corners, np.roll(corners, -1, axis=1)) * sign[..., None]
    inverse = normal[index] / offset[index, None]
    planes[:, 4] = inverse
    planes[:, 5] = -inverse
    planes = np.asarray(_to_pixels(planes, lens), np.float64)
    value = _to_pixels(inverse, lens)
    planes[:, 4, 2] -= 1.0 / FAR_M
    planes[:, 5, 2] += 1.0 / NEAR_M
    rows = np.stack((first[index], last[index]), 1).astype(np.int64)
    return Polygons(planes, value, rows, index)


def plan_polygons(faces: Floats, width: int, height: int) -> Polygons:
    """Prepare quads [n, 4, 3] seen in parallel along their third axis: (column, row, value to maximise)."""
    xy, value = faces[..., :2], faces[..., 2]
    edge = xy[:, 1] - xy[:, 0]
    other = xy[:, 2] - xy[:, 0]
    area = edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0]
    first = np.maximum(np.ceil(xy[..., 1].min(1)), 0)
    last = np.minimum(np.floor(xy[..., 1].max(1)), height - 1)
    inside = (xy[..., 0].max(1) >= 0) & (xy[..., 0].min(1) <= width - 1)
    index = np.flatnonzero((np.abs(area) > 1e-9) & (last >= first) & inside)
    xy, value, area = xy[index], value[index], area[index]
    sign = np.sign(area)[:, None]
    following = np.roll(xy, -1, axis=1)
    planes = np.empty((len(index), 4, 3))
    planes[..., 0] = -(following[..., 1] - xy[..., 1]) * sign
    planes[..., 1] = (following[..., 0] - xy[..., 0]) * sign
    planes[..., 2] = -(planes[..., 0] * xy[..., 0] + planes[..., 1] * xy[..., 1])
    edge, other = edge[index], other[index]
    da, db = value[:, 1] - value[:, 0], value[:, 2] - value[:, 0]
    gx = (da * other[:, 1] - db * edge[:, 1]) / area
    gy = (db * edge[:, 0] - da * other[:, 0]) / area
    plane = np.stack((gx, gy, value[:, 0] - gx * xy[:, 0, 0] - gy * xy[:, 0, 1]), 1)
    rows = np.stack((first[index], last[index]), 1).astype(np.int64)
    return Polygons(planes, plane, rows, index)


def fragments_of(polygons: Polygons, width: int) -> Iterator[Fragments]:
    """Cover samples, a bounded number at a time."""
    counts = polygons.rows[:, 1] - polygons.rows[:, 0] + 1
    polygon = np.repeat(np.arange(len(counts)), counts)
    y = _ramp(counts) + np.repeat(polygons.rows[:, 0], counts)
    low = np.zeros(len(y))
    high = np.full(len(y), float(width - 1))
    for k in range(polygons.planes.shape[1]):
        a, b, c = (polygons.planes[:, k, i][polygon] for i in range(3))
        rest = b * y + c
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            cut = -rest / a
        np.maximum(low, cut, out=low, where=a > 0)
        np.minimum(high, cut, out=high, where=a < 0)
        high[(a == 0) & (rest < 0)] = -1
    # A face that is nearly parallel to a row cuts it at infinity, which no integer holds.
    start = np.ceil(np.minimum(low, width)).astype(np.int64)
    length = np.floor(np.maximum(high, -1.0)).astype(np.int64) - start + 1
    full = np.flatnonzero(length > 0)
    start, length, y, polygon = start[full], length[full], y[full], polygon[full]
    value = polygons.value[polygon]
    base = value[:, 0] * start + value[:, 1] * y + value[:, 2]
    first_pixel = y * width + start
    edges = np.searchsorted(np.cumsum(length), np.arange(0, int(length.sum()) + CHUNK, CHUNK))
    for begin, end in pairwise(edges):
        part = slice(int(begin), int(end))
        n = length[part]
        step = _ramp(n)
        yield Fragments(
            pixel=(np.repeat(first_pixel[part], n) + step).astype(np.int32),
            polygon=np.repeat(polygon[part], n).astype(np.int32),
            value=(np.repeat(base[part], n) + np.repeat(value[part, 0], n) * step).astype(np.float32),
        )


class ZBuffer:
    """The nearest face per sample, exact: inverse depth in the upper, face number in the lower half."""

    def __init__(self, background: Floats) -> None:
        """Begin with a background of values (flat, >= 0), shown as face 0."""
        self.keys = _bits(background) << np.uint64(32)

    def draw(
        self,
        polygons: Polygons,
        width: int,
        number: Ints,
        discard: Callable[[Fragments, Ints], Bools] | None = None,
    ) -> None:
        """Draw polygons; `number` [faces] is the positive number of each face that they came from.

        `discard` may say which fragments are holes, given the fragments and their faces.
        """
        for bits in fragments_of(polygons, width):
            pixel, value, face = bits.pixel, bits.value, polygons.source[bits.polygon]
            if discard is not None:
                kept = ~discard(bits, face)
                pixel, value, face = pixel[kept], value[kept], face[kept]
            keys = (_bits(value) << np.uint64(32)) | number[face].astype(np.uint64)
            np.maximum.at(self.keys, pixel, keys)

    @property
    def face(self) -> Ints:
        """Number of the face seen, flat; 0 is the background."""
        return (self.keys & np.uint64(0xFFFFFFFF)).astype(np.int64)

    @property
    def value(self) -> npt.NDArray[np.float32]:
        """The value seen (inverse depth), flat float32."""
        return (self.keys >> np.uint64(32)).astype(np.uint32).view(np.float32)


def _bits(value: Floats) -> npt.NDArray[np.uint64]:
    # Non-negative floats keep their order when their bits are read as integers.
    flat = np.ascontiguousarray(np.maximum(value, 0.0), np.float32)
    return flat.view(np.uint32).astype(np.uint64)


def _to_pixels(functional: Floats, lens: Lens) -> Floats:
    out = np.empty_like(functional)
    out[..., 0] = functional[..., 0] / lens.fx
    out[..., 1] = functional[..., 1] / lens.fy
    out[..., 2] = functional[..., 2] - out[..., 0] * lens.cx - out[..., 1] * lens.cy
    return out


def _ramp(counts: Ints) -> Ints:
    """Count 0, 1, .. n - 1 for every n."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - counts, counts)
