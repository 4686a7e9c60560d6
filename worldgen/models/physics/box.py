"""Boxes: the rows and columns around something, so that the rest of a frame need not be worked on."""

from typing import TypeAlias

import numpy as np

from worldgen.models.physics.light import Linear
from worldgen.models.physics.scene import Mask

Box: TypeAlias = tuple[slice, slice]
"""Rows and columns."""
Shining: TypeAlias = tuple[Box, Linear]
"""Light, and where it shines."""


def box_around(mask: Mask, *, margin: int = 0) -> Box | None:
    """Find the box around what a mask holds; None when it holds nothing.

    Args:
        mask: Of a frame.
        margin: Pixels that are added on all sides; the box then begins and ends (but for a frame's odd end)
            on even rows and columns: halved, it is a part of the halved frame.
    """
    box = []
    for axis in (1, 0):
        held = np.flatnonzero(mask.any(axis=axis))
        if not len(held):
            return None
        first, end = int(held[0]), int(held[-1]) + 1
        if margin:
            first, end = max(0, first - margin) // 2 * 2, -(-(end + margin) // 2) * 2
        box.append(slice(first, min(end, mask.shape[1 - axis])))
    return box[0], box[1]
