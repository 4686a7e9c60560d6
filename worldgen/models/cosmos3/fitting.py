"""Fitting: a clip's frames to the model's size and count, and one frame back. The plan decided how."""

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Fit

Frames = npt.NDArray[np.uint8]
Pixels = TypeVar("Pixels", np.uint8, np.float32)


def fitted(frames: npt.NDArray[Pixels], fit: Fit, kind: str, *, pads: bool = True) -> npt.NDArray[Pixels]:
    """Scale frames into the model's size, and pad them with the last one to its count.

    What the picture does not fill is filled by reflection, which breaks no edge at its border.

    Args:
        frames: [t, h, w, 3] or [t, h, w].
        fit: Of the plan.
        kind: `seg` keeps its palette, so it is not interpolated.
        pads: Whether to fill up to the model's count.
    """
    have = frames if pads is False else frames[: fit.model_frames]
    if (have.shape[2], have.shape[1]) == fit.model_size:
        scaled = np.asarray(have)
    else:
        scaled = np.stack([_placed(np.asarray(frame), fit, kind) for frame in have])
    missing = fit.model_frames - len(scaled) if pads else 0
    return np.concatenate([scaled, np.repeat(scaled[-1:], missing, axis=0)]) if missing > 0 else scaled


def restored(frame: Frames, fit: Fit) -> Frames:
    """Cut the source's picture out of one of the model's frames, and scale it back."""
    left, top, right, bottom = fit.content
    shown = frame[top:bottom, left:right]
    if (shown.shape[1], shown.shape[0]) == fit.source_size:
        return shown
    is_smaller = fit.source_size[0] * fit.source_size[1] < shown.shape[0] * shown.shape[1]
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(shown, fit.source_size, interpolation=how))


def _placed(frame: npt.NDArray[Pixels], fit: Fit, kind: str) -> npt.NDArray[Pixels]:
    left, top, right, bottom = fit.content
    wide, tall = right - left, bottom - top
    if (frame.shape[1], frame.shape[0]) != (wide, tall):
        is_smaller = wide * tall < frame.shape[0] * frame.shape[1]
        smooth = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
        how = cv2.INTER_NEAREST if kind == "seg" else smooth
        frame = cv2.resize(frame, (wide, tall), interpolation=how).astype(frame.dtype, copy=False)
    width, height = fit.model_size
    around = (top, height - bottom, left, width - right)
    return cv2.copyMakeBorder(frame, *around, cv2.BORDER_REFLECT_101).astype(frame.dtype, copy=False)
