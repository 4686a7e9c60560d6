"""A view: one clip at the size it is judged at, with the planes every check shares."""

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

from worldgen.datatypes import Clip
from worldgen.imaging.edges import Gradient, luma, shrink
from worldgen.imaging.noise import noise_sigma

SMALL_WIDTH = 160


class View:
    """One clip at working size. Everything is computed when first asked for, then kept.

    Args:
        clip: Decoded frames.
        working_width: Frames wider than this are shrunk to it (height in proportion, even).
        sigma: Scale of the gradients, working pixels.
    """

    def __init__(self, clip: Clip, working_width: int, sigma: float) -> None:
        self.clip = clip
        self.sigma = sigma
        width, height = clip.size
        scale = min(1.0, working_width / width)
        self.size = (round(width * scale), round(height * scale))
        self.scale = scale
        """Working pixels per pixel of the file."""
        self._gradients: dict[int, Gradient] = {}

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.clip)

    @cached_property
    def rgb(self) -> UInt8[npt.NDArray[np.uint8], "t h w 3"]:
        """Frames at working size."""
        if self.scale == 1.0:
            return self.clip.frames
        return np.stack([cv2.resize(f, self.size, interpolation=cv2.INTER_AREA) for f in self.clip.frames])

    @cached_property
    def luma(self) -> Float32[npt.NDArray[np.float32], "t h w"]:
        """Encoded luma, 0..255."""
        return np.stack([luma(f) for f in self.rgb])

    @cached_property
    def small(self) -> Float32[npt.NDArray[np.float32], "t h w 3"]:
        """RGB at most 160 pixels wide, for measures of the whole picture."""
        width, height = self.size
        scale = min(1.0, SMALL_WIDTH / width)
        size = (round(width * scale), round(height * scale))
        return np.stack([shrink(f, size) for f in self.rgb]).astype(np.float32)

    @cached_property
    def noise(self) -> Float32[npt.NDArray[np.float32], " t"]:
        """Noise of each frame's luma, standard deviation in levels."""
        return np.array([noise_sigma(plane[::2]) for plane in self.luma], dtype=np.float32)

    @cached_property
    def brightness(self) -> Float32[npt.NDArray[np.float32], " t"]:
        """Mean luma of each frame."""
        return self.luma.mean(axis=(1, 2))

    @cached_property
    def change(self) -> Float32[npt.NDArray[np.float32], " t-1"]:
        """Mean absolute change of the small picture from each frame to the next, in levels."""
        return np.abs(np.diff(self.small, axis=0)).mean(axis=(1, 2, 3))

    def gradient(self, frame: int) -> Gradient:
        """Gradient of one frame's luma, kept."""
        if frame not in self._gradients:
            self._gradients[frame] = Gradient.of(self.luma[frame], self.sigma)
        return self._gradients[frame]
