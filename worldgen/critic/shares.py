"""Shares: where a condition takes structure away, or brings structure of its own, by what a pixel shows.

One table for all conditions, read from the fields of the spec: snow lies on the ground, a wet road mirrors,
clouds fill the sky, sun and clouds move shadows, windows and lamps are lit at night.
"""

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

from worldgen.datatypes import Spec, Tag
from worldgen.datatypes.tags import EGO, FLAT

TagStack = UInt8[npt.NDArray[np.uint8], "t h w"]
Share = Float32[npt.NDArray[np.float32], "t h w"]


def kept_share(spec: Spec | None, tags: TagStack | None) -> Share | None:
    """How much of the source's structure at each pixel should survive, 0..1; None means all of it."""
    if spec is None or tags is None or not spec.changes:
        return None
    table = np.ones(256, np.float32)
    table[Tag.SKY] = 0.0
    ground = 1.0
    if _moves_shadows(spec):
        ground = 0.6
    if spec.wetness:
        ground = min(ground, 0.6)
    if spec.snow_cover or spec.sand_cover:
        ground = 0.0
    for tag in FLAT:
        table[tag] = ground
    if spec.sun_elevation_deg is not None:
        # Corners of houses that one sun shades, another does not.
        table[Tag.BUILDING] = table[Tag.WALL] = 0.6
    if spec.snow_cover or spec.sand_cover:
        table[Tag.VEGETATION] = 0.7
        table[EGO] = 0.0
    elif _moves_shadows(spec):
        table[EGO] = 0.5
    return _applied(table, tags, outline=1.0)


def new_share(spec: Spec | None, tags: TagStack | None) -> Share | None:
    """How much new structure at each pixel counts, 0..1; None means all of it."""
    if spec is None or tags is None or not spec.changes:
        return None
    # Another sun shades every surface anew.
    table = np.full(256, 0.5 if spec.sun_elevation_deg is not None else 1.0, np.float32)
    table[Tag.SKY] = 0.3
    ground = float(table[0])
    if _moves_shadows(spec):
        ground = min(ground, 0.6)
        table[EGO] = 0.1  # a bonnet mirrors the sky and the sun
    if spec.wetness or spec.rain_mm_h:
        ground = min(ground, 0.3)
    if spec.snow_cover or spec.sand_cover:
        ground = 0.15
        table[Tag.VEGETATION] = 0.5
        table[EGO] = 0.15
    for tag in (*FLAT, Tag.UNLABELED):
        table[tag] = ground
    if spec.sun_elevation_deg is not None and spec.sun_elevation_deg < 2:
        for tag in (Tag.BUILDING, Tag.WALL):
            table[tag] = 0.3
    # Another sky stands out differently against what is before it; the outline itself is in the source.
    return _applied(table, tags, outline=0.15)


def smooth_share(
    spec: Spec | None, depth_m: npt.NDArray[np.float32], *, crease: float = 0.02, share: float = 0.2
) -> Share | None:
    """How much new structure counts, by shape: where surfaces bend or end, another light draws edges.

    Over a plane the inverse of depth is linear in the picture, so its second difference marks creases and
    jumps; an inserted thing is not in the source's depth.

    Args:
        spec: What is asked; None is returned unless it moves the sun or the clouds.
        depth_m: [t, h, w].
        crease: Second difference, relative to the inverse depth per pixel, from which a surface bends.
        share: What new structure counts there.
    """
    if spec is None or (spec.sun_elevation_deg is None and spec.clouds_okta is None):
        return None
    kernel = np.ones((5, 5), np.uint8)
    out = np.ones(depth_m.shape, np.float32)
    for plane, depth in zip(out, depth_m, strict=True):
        near = 1 / np.clip(depth, 0.5, 1000).astype(np.float32)
        bend = np.zeros_like(near)
        bend[:, 1:-1] = np.abs(near[:, 2:] + near[:, :-2] - 2 * near[:, 1:-1])
        down = np.abs(near[2:] + near[:-2] - 2 * near[1:-1])
        bend[1:-1] = np.maximum(bend[1:-1], down)
        bent = cv2.dilate((bend > crease * near).astype(np.uint8), kernel) > 0
        plane[bent] = share
    return out


def _moves_shadows(spec: Spec) -> bool:
    return any(
        value is not None
        for value in (
            spec.sun_elevation_deg,
            spec.clouds_okta,
            spec.fog_mor_m,
            spec.rain_mm_h,
            spec.snow_mm_h,
        )
    )


def _applied(table: npt.NDArray[np.float32], tags: TagStack, *, outline: float) -> Share:
    """Look every pixel up; the outline of the sky, on both sides, has a share of its own."""
    share = table[tags]
    low = float(table[Tag.SKY])
    for plane, frame in zip(share, tags, strict=True):
        sky = (frame == Tag.SKY).astype(np.uint8)
        inner = cv2.erode(sky, np.ones((5, 5), np.uint8)) > 0
        wide = cv2.dilate(sky, np.ones((5, 5), np.uint8)) > 0 if outline < low else sky > 0
        plane[wide & ~inner] = outline
        plane[inner] = low
    return share
