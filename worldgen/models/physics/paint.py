"""Paint: what is of a lamp's colour, and too large for a lamp."""

from typing import Final

import cv2
import numpy as np

from worldgen.models.physics.box import Box
from worldgen.models.physics.light import Plane
from worldgen.models.physics.ops import enlarge, reduce, smoothstep
from worldgen.models.physics.scene import Mask
from worldgen.models.physics.view import View

SIZES: Final = (
    (3.0, 0.0, 4.5),
    (6.5, 4.5, 9.0),
    (13.0, 9.0, 18.0),
    (26.0, 18.0, 36.0),
    (52.0, 36.0, 1e9),
)
"""Pixels per metre of each box, and from where to where it is used."""
_PAINT_REDUCE: Final = 2
PAINT_REACH: Final = 176
"""Pixels from which paint is told: it is widened by nine lamps of the nearest cars."""
PAINT_LOOKS: Final = 64
"""Pixels around each that paint is told from: half of the nearest cars' boxes."""
LAMP_M: Final = 0.3
FILMED_LAMP_M: Final = 0.45
"""Side of the square that paint fills and a lamp does not; a codec's colour is as wide as two pixels more."""
_REACH: Final = (6, 9)
"""Lamps by which paint is widened along and up: from the sill past the windows to the roof."""
_BODY_M: Final = (1.1, 0.8)
"""Width and height of a box that paint fills by half and more, door lines in it, and a lamp by a fifth."""


def metre_at(view: View, step: int) -> Plane:
    """Pixels per metre at each pixel's depth, in a picture reduced by `step`."""
    metre = view.scene.camera.fx / np.maximum(view.depth_m[::step, ::step], 2.0) / step
    h, w = view.frame.shape[:2]
    return np.asarray(metre[: h // step, : w // step], np.float32)


def paint_of(view: View, coloured: Plane, box: Box, lamp_m: float = LAMP_M) -> Plane:
    """How much of a colour is too large for a lamp: paint, with its rims and trims.

    An opening keeps what a third of a metre fits into. Handles, door lines and the picture's edge break near
    bodies into less, so what fills half of a larger box counts, too. Widened by several times that it takes
    the thin strips of the same body with it.

    Args:
        view: The frame.
        coloured: Share of the colour per pixel of the box.
        box: Rows and columns that are looked at.
        lamp_m: Side of the largest square that a lamp fills, metres.
    """
    halved = reduce(coloured, _PAINT_REDUCE)
    # Paint that is hardly a lamp's colour is paint all the more.
    share = reduce(np.asarray(np.minimum(coloured * np.float32(8), 1), np.float32), _PAINT_REDUCE)
    (h, w), (top, left) = share.shape, (part.start // _PAINT_REDUCE for part in box)
    metre = metre_at(view, _PAINT_REDUCE)[top : top + h, left : left + w]
    paint = np.zeros_like(share)
    for size, least, most in SIZES:
        here = (metre >= least) & (metre < most) & (share > 0.05)
        if not here.any():
            continue
        side = max(3, round(lamp_m * size) | 1)
        if least:
            large = np.maximum(cv2.erode(share, np.ones((side, side), np.uint8)), _fill(share, size))
        else:
            # A lamp is less than a pixel here, so its share of one must not be lifted.
            large = _fill(np.asarray(np.minimum(halved * np.float32(2), 1), np.float32), size)
        reach = np.ones((_REACH[1] * side | 1, _REACH[0] * side | 1), np.uint8)
        paint = np.where(here, cv2.dilate(large, reach), paint)
    # Outlines, where depth is another's already, belong to it.
    outlined = np.asarray(cv2.dilate(paint, np.ones((5, 5), np.uint8)), np.float32)
    return enlarge(smoothstep(0.3, 0.6, outlined), view.light[box])


def painted_bodies(view: View, coloured: Mask, carriers: Mask, box: Box) -> Plane | None:
    """How much each pixel's instance is of a colour all over, 0..1, also where the picture's edge cuts it.

    Lamps take a tenth of a rear. None where instances are unknown.
    """
    instances = view.scene.map("instances", view.index)
    if instances is None:
        return None
    ids = np.asarray(instances[box]) & 0xFFFF  # what simulators number them in
    of_colour = np.bincount(ids[carriers & coloured], minlength=0x10000)
    of_all = np.bincount(ids[carriers], minlength=0x10000)
    share = smoothstep(0.15, 0.25, (of_colour / np.maximum(of_all, 1)).astype(np.float32)[None])
    return np.asarray(share[0][ids], np.float32)


def _fill(share: Plane, size: float) -> Plane:
    """How much a colour fills a body rather than a lamp, 0..1, at `size` pixels per metre."""
    wide, tall = (max(3, round(metres * size) | 1) for metres in _BODY_M)
    filled = smoothstep(0.45, 0.6, np.asarray(cv2.blur(share, (wide, tall)), np.float32))
    return np.asarray(np.minimum(filled, share), np.float32)
