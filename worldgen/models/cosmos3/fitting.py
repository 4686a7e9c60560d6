"""Fitting: a clip's frames to the model's size and count, and one frame back. The plan decided how."""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Fit

Frames = npt.NDArray[np.uint8]


def fitted(frames: Frames, fit: Fit, kind: str, *, pads: bool = True) -> Frames:
    """Scale frames to the model's size, and pad them with the last one to its count.

    Args:
        frames: uint8 [t, h, w, 3].
        fit: Of the plan.
        kind: `seg` keeps its palette, so it is not interpolated.
        pads: Whether to fill up to the model's count.
    """
    width, height = fit.model_size
    have = frames if pads is False else frames[: fit.model_frames]
    if (have.shape[2], have.shape[1]) == (width, height):
        scaled = np.asarray(have)
    else:
        is_smaller = width * height < have.shape[1] * have.shape[2]
        smooth = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
        how = cv2.INTER_NEAREST if kind == "seg" else smooth
        scaled = np.stack([cv2.resize(np.asarray(f), (width, height), interpolation=how) for f in have])
    missing = fit.model_frames - len(scaled) if pads else 0
    return np.concatenate([scaled, np.repeat(scaled[-1:], missing, axis=0)]) if missing > 0 else scaled


def restored(frame: Frames, fit: Fit) -> Frames:
    """Scale one frame back to the source's size."""
    if (frame.shape[1], frame.shape[0]) == fit.source_size:
        return frame
    is_smaller = fit.source_size[0] * fit.source_size[1] < frame.shape[0] * frame.shape[1]
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, fit.source_size, interpolation=how))
