"""What the camera sees in one frame: the visible face and depth of every sample, before any light."""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.render.mesh import LEAVES
from worldgen.render.raster import Fragments, Lens, ZBuffer, view_polygons
from worldgen.sources.proving_ground.stage import Stage

Floats = npt.NDArray[np.floating]
F32 = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

VOID, GROUND, BACKDROP = 0, 1, 2
"""What is behind all faces at a sample: sky, the ground plane, or the distant skyline."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The faces of a stage that may be seen in one frame, in world axes."""

    index: Ints
    """Into the stage's faces."""
    corners: Floats
    """[n, 4, 3]"""
    normal: F32
    """[n, 3], unit, towards the side that is seen."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Per sample: depth, face and background, flat arrays over height x width."""

    lens: Lens
    position: Floats
    """Of the camera, world."""
    rays: F32
    """World directions with camera z = 1, [n, 3]."""
    depth: F32
    """z in metres, inf for sky."""
    face: Ints
    """Row of `faces`, -1 for background."""
    background: npt.NDArray[np.uint8]
    faces: Faces
    spread: float = 1.0
    """Samples per pixel along a side: textures are averaged over whole pixels."""

    def points(self, where: npt.NDArray[np.intp]) -> F32:
        """World points of some samples, [n, 3]."""
        return self.rays[where] * self.depth[where, None] + self.position.astype(np.float32)

    def pick(self, where: npt.NDArray[np.intp]) -> "View":
        """Return some samples."""
        return replace(
            self,
            rays=self.rays[where],
            depth=self.depth[where],
            face=self.face[where],
            background=self.background[where],
        )


@lru_cache(maxsize=1)
def leaf_masks() -> tuple[F32, ...]:
    """Pierced clumps of leaves at three sizes: alpha (negative outside) and shade in one, [n, n]."""
    rng = np.random.default_rng(20261)
    size = 256
    shade = np.zeros((size, size), np.float32)
    for _ in range(420):
        angle, away = rng.uniform(0, 6.28), size * 0.47 * rng.uniform(0, 1) ** 0.55
        centre = (int(size / 2 + np.cos(angle) * away), int(size / 2 + np.sin(angle) * away))
        axes = (int(rng.uniform(5, 11)), int(rng.uniform(3, 6)))
        cv2.ellipse(
            shade, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.55, 1.3)), -1
        )
    levels = [shade]
    for _ in range(2):
        smaller = cv2.resize(levels[-1], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(smaller, np.float32))
    return tuple(levels)


def faces_in_view(
    stage: Stage, t: int, position: Floats, rotation: Floats, lens: Lens, *, reach: float, without: str = ""
) -> Faces:
    """Bring to world axes what may be seen: parts in the cone of view, details within their reach.

    `without` names a kind of thing to leave out.
    """
    poses = stage.poses[t]
    visible = np.array([thing.visible[t] and thing.kind != without for thing in stage.things])[
        stage.thing_of_part
    ]
    centre = np.einsum("pij,pj->pi", poses[:, :3, :3], stage.centre) + poses[:, :3, 3]
    seen = (centre - position) @ rotation
    z = seen[:, 2]
    side = max(lens.cx, lens.width - 1 - lens.cx) / lens.fx
    rise = max(lens.cy, lens.height - 1 - lens.cy) / lens.fy
    radius = stage.radius
    keep = visible & (z > -radius) & (z - radius < reach)
    keep &= np.abs(seen[:, 0]) - radius * np.hypot(1, side) < side * np.maximum(z, 0) + 0.0
    keep &= np.abs(seen[:, 1]) - radius * np.hypot(1, rise) < rise * np.maximum(z, 0) + 0.0
    distance = np.linalg.norm(centre - position, axis=1) - radius
    pixels = lens.width / 2.0
    index = np.flatnonzero(
        keep[stage.part] & (stage.reach * np.maximum(pixels / 256.0, 0.75) > distance[stage.part])
    )
    part = stage.part[index]
    corners = np.einsum("nij,nkj->nki", poses[part, :3, :3], stage.corners[index]) + poses[part, None, :3, 3]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    away = np.einsum("ni,ni->n", normal, corners[:, 0] - position) > 0
    normal[away] *= -1
    return Faces(index, corners, normal.astype(np.float32))


def see(
    stage: Stage,
    faces: Faces,
    lens: Lens,
    position: Floats,
    rotation: Floats,
    skyline: "Skyline",
    *,
    mirrored: bool = False,
    spread: float = 1.0,
) -> View:
    """Rasterise faces over the ground plane and the skyline.

    Args:
        stage: Where the faces came from.
        faces: What may be seen.
        lens: Intrinsics of the sample grid.
        position: Of the camera, world.
        rotation: world_from_camera, [3, 3].
        skyline: The distant silhouette.
        spread: Samples per pixel along a side.
        mirrored: The camera is the mirror image under the ground: there is no ground before it.
    """
    rays = (lens.rays().reshape(-1, 3) @ rotation.T.astype(np.float32)).astype(np.float32)
    down = rays[:, 2] / np.float32(-position[2])
    inverse = np.where((down > 1.0 / 4000.0) & (not mirrored), down, 0.0).astype(np.float32)
    background = np.where(inverse > 0, GROUND, VOID).astype(np.uint8)
    far = skyline.inverse_depth(position, rays)
    ahead = far > inverse
    inverse[ahead] = far[ahead]
    background[ahead] = BACKDROP
    buffer = ZBuffer(inverse)
    camera = (faces.corners - position) @ rotation
    two_sided = stage.two_sided[faces.index]
    polygons = view_polygons(camera, lens, two_sided, mirrored=mirrored)
    number = np.arange(1, len(faces.index) + 1)
    leaves = stage.material[faces.index] == LEAVES
    pierced = leaves[polygons.source]
    buffer.draw(polygons.pick(~pierced), lens.width, number)
    if pierced.any():
        buffer.draw(polygons.pick(pierced), lens.width, number, _Holes(faces, rays, position, lens))
    value = buffer.value
    with np.errstate(divide="ignore"):
        depth = np.where(value > 0, 1.0 / value, np.inf).astype(np.float32)
    return View(lens, position, rays, depth, buffer.face - 1, background, faces, spread)


@dataclass(frozen=True, slots=True, eq=False)
class _Holes:
    """Says which fragments of leaf cards are gaps between leaves."""

    faces: Faces
    rays: F32
    position: Floats
    lens: Lens

    def __call__(self, bits: Fragments, face: Ints) -> npt.NDArray[np.bool_]:
        depth = 1.0 / np.maximum(bits.value, 1e-6)
        alpha = leaf_shade(
            self.faces,
            face,
            self.rays[bits.pixel] * depth[:, None] + self.position.astype(np.float32),
            depth,
            self.lens,
        )
        return alpha < 0.42


def leaf_shade(faces: Faces, face: Ints, points: F32, depth: F32, lens: Lens) -> F32:
    """Read the leaf clump of a card at world points: 0 between leaves, about 1 on them."""
    origin = faces.corners[:, 0].astype(np.float32)
    u_axis = (faces.corners[:, 1] - faces.corners[:, 0]).astype(np.float32)
    v_axis = (faces.corners[:, 3] - faces.corners[:, 0]).astype(np.float32)
    size = np.maximum((u_axis**2).sum(1), 1e-9)
    u_axis, v_axis = u_axis / size[:, None], v_axis / np.maximum((v_axis**2).sum(1), 1e-9)[:, None]
    local = points - origin[face]
    u = np.einsum("ni,ni->n", local, u_axis[face])
    v = np.einsum("ni,ni->n", local, v_axis[face])
    masks = leaf_masks()
    texels = depth / lens.fx / np.sqrt(size)[face] * 256
    out = np.empty(len(u), np.float32)
    level = np.where(texels < 3, 0, np.where(texels < 12, 1, 2))
    for k, mask in enumerate(masks):
        where = np.flatnonzero(level == k)
        n = mask.shape[0]
        x = np.clip((u[where] * n).astype(np.int32), 0, n - 1)
        y = np.clip((v[where] * n).astype(np.int32), 0, n - 1)
        out[where] = mask[y, x]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Skyline:
    """Hills or woods far ahead: a wall across the world at `x_m` whose top edge is a profile over y."""

    x_m: float
    heights: F32
    """Every 2 m from -1600 m; empty for none."""

    def inverse_depth(self, position: Floats, rays: F32) -> F32:
        """Inverse camera depth where a ray meets the silhouette, else 0."""
        out = np.zeros(len(rays), np.float32)
        if len(self.heights) == 0:
            return out
        forward = rays[:, 0] / np.float32(self.x_m - position[0])
        low = rays[:, 2] < forward * np.float32(self.heights.max())
        where = np.flatnonzero((forward > 1e-5) & low)
        reach = 1.0 / forward[where]
        y = position[1] + rays[where, 1] * reach
        z = position[2] + rays[where, 2] * reach
        at = np.clip(((y + 1600.0) / 2.0).astype(np.int32), 0, len(self.heights) - 1)
        hit = (z < self.heights[at]) & (z >= -1.0)
        out[where[hit]] = forward[where[hit]]
        return out


def skyline_of(backdrop: tuple[float, float, int], place: str) -> Skyline:
    """Draw the silhouette of a scene."""
    distance, height, seed = backdrop
    if distance <= 0:
        return Skyline(1e6, np.zeros(0, np.float32))
    rng = np.random.default_rng([seed, 23])
    n = 1600
    total = np.zeros(n, np.float32)
    for wave in (400, 150, 60, 20, 7, 3):
        steps = rng.standard_normal(n // wave + 3)
        total += np.interp(np.arange(n), np.arange(len(steps)) * wave, steps) * (wave / 400) ** 0.7
    heights = height * (1.0 + 0.45 * total)
    if place == "city":
        blocks = np.repeat(rng.uniform(0.4, 2.6, n // 10), 10)[:n]
        heights = np.maximum(heights * 0.6, height * blocks)
    return Skyline(distance, np.maximum(heights, 2.0).astype(np.float32))
