"""A clip: frames of one camera over time."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, UInt8

Frames: TypeAlias = UInt8[npt.NDArray[np.uint8], "t h w 3"]
"""t frames, h rows, w columns, RGB in that order, sRGB-encoded (or BT.709, display-referred), 0..255."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """Decoded frames of one camera. Read-only: results from other processes are, so all are."""

    frames: Frames
    timestamps_seconds: Float64[npt.NDArray[np.float64], " t"]
    """Presentation time of each frame, strictly increasing, first usually 0."""
    fps: float
    """Nominal rate; a variable rate lives in the timestamps."""
    camera: str = "camera"

    def __post_init__(self) -> None:
        """Refuse what could not be a clip."""
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or self.frames.dtype != np.uint8:
            msg = f"frames must be uint8 [t, h, w, 3], got {self.frames.dtype} {self.frames.shape}"
            raise ValueError(msg)
        if len(self.timestamps_seconds) != len(self.frames):
            msg = f"{len(self.timestamps_seconds)} timestamps for {len(self.frames)} frames"
            raise ValueError(msg)
        self.frames.flags.writeable = False
        self.timestamps_seconds.flags.writeable = False

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return int(self.frames.shape[2]), int(self.frames.shape[1])

    def __repr__(self) -> str:
        """Show shapes, not pixels."""
        width, height = self.size
        return f"Clip({len(self)} frames, {width}x{height}, {self.fps:g} fps, {self.camera!r})"
