"""Windows: panes of facades that are lit in the evening, where geometry knows facades."""

from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Tag
from worldgen.models.physics.box import Shining, box_around
from worldgen.models.physics.ops import smoothstep
from worldgen.models.physics.view import View

Indices: TypeAlias = npt.NDArray[np.intp]
Floats: TypeAlias = npt.NDArray[np.float64]
_CELL_M: Final = 2.8
"""Of a facade: one decision whether a window is lit."""
_AROUND_PANE: Final = 15
"""Pixels of facade around a pane that it is compared with."""
LIT_WINDOWS: Final = 0.22
"""Share of windows that are lit in the evening."""


def lit_windows(view: View, seed: int) -> Shining | None:
    """Light of panes (darker than the facade around them) in cells of a world-fixed grid, some of them lit.

    Args:
        view: The frame; read from its source, not from what was done to it.
        seed: Of which windows are lit.
    """
    facade = view.has_tag(Tag.BUILDING) & (view.height_m > 0.8)
    box = box_around(facade, margin=_AROUND_PANE)
    if box is None:
        return None
    luma = view.luma[box]
    around = cv2.blur(luma, (2 * _AROUND_PANE + 1, 2 * _AROUND_PANE + 1))
    pane = smoothstep(0.05, 0.35, np.asarray(1 - luma / np.maximum(around, 1e-3), np.float32)) * facade[box]
    lit = np.zeros_like(luma)
    warm = np.zeros_like(luma)
    rows, columns = np.nonzero(pane > 0.02)
    if len(rows):
        # Facades stand along either axis; a cell that spans both is as wide as a window.
        at = (rows + box[0].start, columns + box[1].start)
        x, y = (np.floor(c / _CELL_M).astype(np.int64) for c in _world(view, *at))
        z = np.floor(view.height_m[at] / _CELL_M).astype(np.int64)
        chance = _hash(x, y, z, seed)
        lit[rows, columns] = (chance < LIT_WINDOWS) * (0.35 + 1.9 * chance)
        warm[rows, columns] = 0.5 + 2 * chance
    light = pane * lit * np.float32(0.9)
    np.clip(warm, 0, 1, out=warm)
    return box, np.asarray(cv2.merge([light, light * (0.60 + 0.16 * warm), light * (0.22 + 0.26 * warm)]))


def _world(view: View, rows: Indices, columns: Indices) -> tuple[Floats, Floats]:
    """World coordinates (right, ahead) of pixels, from their depth."""
    scene = view.scene
    pose = scene.poses[view.index]
    z = view.depth_m[rows, columns].astype(np.float64)
    points = np.column_stack([scene.rays.on(rows, columns) * z[:, None], z])
    world = points @ pose[:3, :3].T + pose[:3, 3]
    level = world @ scene.level[:2].T
    return level[:, 0], level[:, 1]


def _hash(x: np.ndarray, y: np.ndarray, z: np.ndarray, seed: int) -> np.ndarray:
    """Uniform value in 0..1 per cell (multiply and xor-shift, after Wang)."""
    key = (x * 73856093) ^ (y * 19349663) ^ (z * 83492791) ^ (seed * 2654435761)
    key = (key ^ (key >> 15)) * 2246822519 & 0xFFFFFFFF
    key = (key ^ (key >> 13)) * 3266489917 & 0xFFFFFFFF
    return np.asarray(((key ^ (key >> 16)) & 0xFFFFFF) / float(0x1000000))
