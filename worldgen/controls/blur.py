"""The blur control: colours and large shapes without detail, in the vendor's presets."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.controls.settings import Preset
from worldgen.datatypes import Clip, ControlMap, Origin

BLUR_FACTORS: Final[dict[Preset, int]] = {
    "very_low": 4,
    "low": 4,
    "medium": 10,
    "high": 16,
    "very_high": 16,
}
"""By how much a 720-row frame is made smaller and larger again."""

BILATERAL: Final = {"d": 30, "sigma_color": 150.0, "sigma_space": 100.0}
"""The vendor's bilateral filter at 720 rows; `d` and `sigma_space` scale with the rows."""

_REFERENCE_ROWS: Final = 720
_SMOOTHING_ROWS: Final = 180
"""The filter runs at this size: what follows throws away everything finer (factor 4 at least)."""


def blurred(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], preset: Preset = "medium") -> npt.NDArray[np.uint8]:
    """Blur one RGB frame: bilateral filter (Tomasi and Manduchi 1998), then down and up in size.

    The filter is applied after a first reduction by area to at most 180 rows. The vendor's filter works
    at full size, but every preset then keeps at most every fourth pixel, so little is lost.

    Returns:
        uint8 [h, w, 3] of the same size.
    """
    h, w = frame.shape[:2]
    scale = h / _REFERENCE_ROWS
    small_h = min(h, _SMOOTHING_ROWS)
    small_w = max(1, round(w * small_h / h))
    small = cv2.resize(frame, (small_w, small_h), interpolation=cv2.INTER_AREA)
    shrink = small_h / h
    smooth = cv2.bilateralFilter(
        small,
        max(3, round(BILATERAL["d"] * scale * shrink)),
        BILATERAL["sigma_color"],
        BILATERAL["sigma_space"] * scale * shrink,
    )
    factor = max(1.0, BLUR_FACTORS[preset] * scale)
    size = max(1, round(w / factor)), max(1, round(h / factor))
    down = cv2.resize(smooth, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(down, (w, h), interpolation=cv2.INTER_CUBIC), np.uint8)


def blur_control(clip: Clip, *, preset: Preset = "medium", origin: Origin = "estimated") -> ControlMap:
    """Make the blur control of a clip."""
    frames = np.empty_like(clip.frames)
    for i, frame in enumerate(clip.frames):
        frames[i] = blurred(frame, preset)
    parameters = (
        ("preset", preset),
        ("down_up_at_720", str(BLUR_FACTORS[preset])),
        ("bilateral_at_720", "d=30 sigma_color=150 sigma_space=100"),
    )
    return ControlMap(kind="blur", frames=frames, origin=origin, parameters=parameters)
