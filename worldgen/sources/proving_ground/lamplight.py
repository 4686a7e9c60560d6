"""Light of lamps on surfaces around them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.floating]

DIMMEST = 0.02
"""Irradiance over pi at which a lamp's reach ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Lights:
    """Lamps that light their surroundings: positions, colours, directions and cones."""

    position: F32
    """[k, 3] world."""
    colour: F32
    """[k, 3] intensity: radiance of a white surface 1 m away that faces the lamp."""
    direction: F32
    """[k, 3] unit; the axis of its beam."""
    is_beam: npt.NDArray[np.bool_]
    """[k] a headlight; other lamps shine into the half space before them."""


def lamp_light(lights: Lights, points: F32, normal: F32) -> F32:
    """Light from all lamps on surface points, as radiance of a white surface, [n, 3]."""
    total = np.zeros_like(points)
    if len(lights.position) == 0 or len(points) == 0:
        return total
    # Sorted along the road, each lamp need only look at the points within its reach.
    cell = np.clip(points[:, 0] * 0.5, -30000, 30000).astype(np.int16)
    order = np.argsort(cell, kind="stable")
    cell, points, normal = cell[order], points[order], normal[order]
    out = np.zeros_like(points)
    for position, colour, direction, is_beam in zip(
        lights.position, lights.colour, lights.direction, lights.is_beam, strict=True
    ):
        reach = float(np.sqrt(colour.max() / DIMMEST))
        begin, end = np.searchsorted(
            cell, [int((position[0] - reach) * 0.5) - 1, int((position[0] + reach) * 0.5) + 1]
        )
        if begin == end:
            continue
        away = position - points[begin:end]
        square = away[:, 0] ** 2 + away[:, 1] ** 2 + away[:, 2] ** 2
        near = np.flatnonzero(square < reach * reach)
        if len(near) == 0:
            continue
        away = away[near]
        square = square[near] + np.float32(0.3)
        toward = away / np.sqrt(square)[:, None]
        near += begin
        facing = np.clip(np.einsum("ni,ni->n", toward, normal[near]), 0, 1)
        shape = _beam(toward, direction) if is_beam else np.clip(-(toward @ direction) * 1.3 + 0.15, 0, 1)
        # The rim fades out instead of ending.
        strength = facing * shape * (1 / square - np.float32(1 / (reach * reach))).clip(0)
        out[near] += strength[:, None] * colour
    total[order] = out
    return total


def _beam(toward: F32, axis: F32) -> F32:
    """Share of a dipped headlight's greatest intensity: wide, cut off above, brightest just below the cut."""
    ahead = -(toward @ axis)
    side = -(toward @ np.array([-axis[1], axis[0], 0.0], np.float32))
    down = toward[:, 2]
    spread = np.exp(-((np.arctan2(side, np.maximum(ahead, 1e-3)) / 0.36) ** 2)) * (ahead > 0)
    cut = np.clip((down + 0.018) / 0.03, 0.03, 1.0)
    return np.asarray(spread * cut * (0.10 + 0.90 * np.exp(-np.maximum(down - 0.03, 0) / 0.075)), np.float32)
