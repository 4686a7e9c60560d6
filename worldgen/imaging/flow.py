"""Optical flow between two frames, and what can be carried along it."""

from typing import Final, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

FlowQuality: TypeAlias = Literal["ultrafast", "fast", "medium"]

_PRESETS: Final[dict[FlowQuality, int]] = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}

Plane: TypeAlias = Float32[npt.NDArray[np.float32], "h w"]


class DenseFlow:
    """Dense inverse search (Kroeger et al. 2016), with its buffers kept between calls."""

    def __init__(self, quality: FlowQuality = "fast") -> None:
        self._engine = cv2.DISOpticalFlow.create(_PRESETS[quality])

    def __call__(
        self, first: UInt8[npt.NDArray[np.uint8], "h w"], second: UInt8[npt.NDArray[np.uint8], "h w"]
    ) -> Float32[npt.NDArray[np.float32], "h w 2"]:
        """Return the motion in pixels (dx, dy) of every pixel of `first` towards `second`.

        Needs at least 12 x 12 pixels; smaller frames are said not to move.
        """
        if min(first.shape) < 12:
            return np.zeros((*first.shape, 2), np.float32)
        field = np.zeros((*first.shape, 2), np.float32)
        return np.asarray(self._engine.calc(first, second, field), np.float32)


def pixel_grid(height: int, width: int) -> tuple[Plane, Plane]:
    """Column and row number of every pixel."""
    columns = np.broadcast_to(np.arange(width, dtype=np.float32), (height, width))
    rows = np.broadcast_to(np.arange(height, dtype=np.float32)[:, None], (height, width))
    return columns, rows


def pull(
    image: npt.NDArray[np.float32], flow: Float32[npt.NDArray[np.float32], "h w 2"]
) -> npt.NDArray[np.float32]:
    """Fetch for every pixel what `image` holds where `flow` points; outside it is 0.

    With `flow` from frame i to frame j and `image` of frame j, the result is j's content seen from i.
    """
    height, width = flow.shape[:2]
    columns, rows = pixel_grid(height, width)
    pulled = cv2.remap(
        image, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(pulled, np.float32)
