"""The edge control: Canny edges, white on black, in the models' convention."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, UInt8

from worldgen.controls.settings import Preset
from worldgen.datatypes import Clip, ControlMap, Geometry, Origin, Tag

EDGE_THRESHOLDS: Final[dict[Preset, tuple[int, int]]] = {
    "very_low": (20, 50),
    "low": (50, 100),
    "medium": (100, 200),
    "high": (200, 300),
    "very_high": (300, 400),
}
"""Lower and upper threshold of Canny's hysteresis by preset: what the models were trained with."""


def edges_of(
    frame: UInt8[npt.NDArray[np.uint8], "h w 3"], preset: Preset = "medium"
) -> npt.NDArray[np.uint8]:
    """Find the edges of one RGB frame.

    Canny (1986) on luma with OpenCV's 3x3 Sobel and the L1 norm, as the models' own tools do.

    Returns:
        uint8 [h, w]: 255 on edges, 0 elsewhere.
    """
    low, high = EDGE_THRESHOLDS[preset]
    return np.asarray(cv2.Canny(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), low, high), np.uint8)


def edge_control(
    clip: Clip,
    *,
    preset: Preset = "medium",
    sky: Bool[npt.NDArray[np.bool_], "t h w"] | None = None,
    origin: Origin = "estimated",
) -> ControlMap:
    """Make the edge control of a clip.

    Args:
        clip: RGB frames.
        preset: Thresholds, see `EDGE_THRESHOLDS`.
        sky: True where the sky is; edges there are clouds and are left out.
        origin: 'simulator' when the RGB is the simulator's, else 'estimated'.
    """
    frames = np.empty_like(clip.frames)
    for i, frame in enumerate(clip.frames):
        edges = edges_of(frame, preset)
        if sky is not None:
            edges[sky[i]] = 0
        frames[i] = edges[..., None]
    low, high = EDGE_THRESHOLDS[preset]
    parameters = (
        ("preset", preset),
        ("thresholds", f"{low}/{high}"),
        ("sky", "unknown" if sky is None else "masked"),
    )
    return ControlMap(kind="edge", frames=frames, origin=origin, parameters=parameters)


def sky_of(geometry: Geometry | None) -> Bool[npt.NDArray[np.bool_], "t h w"] | None:
    """Return where a geometry says the sky is, or None if it cannot say."""
    if geometry is None or geometry.tags is None or geometry.origins.tags == "absent":
        return None
    return np.asarray(geometry.tags == Tag.SKY)
