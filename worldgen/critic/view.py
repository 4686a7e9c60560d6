"""A view: one clip at the size it is judged at, with the planes every check shares."""

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

from worldgen.critic.network import Segmenter
from worldgen.datatypes import Clip, Geometry
from worldgen.imaging.appearance import Appearance, measure_appearance
from worldgen.imaging.edges import LUMA, Gradient, Plane, gradient_gain, luma, shrink
from worldgen.imaging.flow import DenseFlow
from worldgen.imaging.noise import noise_by_level, noise_sigma
from worldgen.imaging.residual import contrast_normalised, transients
from worldgen.imaging.structure import tile_sum

SMALL_WIDTH = 160
_KEPT_BYTES = 384 << 20
"""Gradients (three planes a frame) are computed again rather than kept beyond this: about 140 frames."""


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
        self._normalised: dict[int, npt.NDArray[np.uint8]] = {}
        self._gradients: dict[int, Gradient] = {}
        self._flow: dict[int, npt.NDArray[np.float32]] = {}
        self._known_flow: npt.NDArray[np.float32] | None = None
        self._travel: Plane | None = None
        self._transients: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None = None
        self._tile_rgb: npt.NDArray[np.float32] | None = None
        self._appearance: Appearance | None = None
        self._classes_seen: dict[tuple[int, ...], npt.NDArray[np.uint8]] = {}
        self._engine = DenseFlow("fast")

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
    def soft(self) -> Float32[npt.NDArray[np.float32], "t h w"]:
        """Luma without what is finer than two pixels: noise leaves, texture stays."""
        return np.stack([cv2.GaussianBlur(plane, (0, 0), 1.5) for plane in self.luma])

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
    def change(self) -> Float32[npt.NDArray[np.float32], " t-1"]:
        """Mean absolute change of the small picture from each frame to the next, in levels."""
        return np.asarray(np.abs(np.diff(self.small, axis=0)).mean(axis=(1, 2, 3)), np.float32)

    @cached_property
    def noise_levels(self) -> Float32[npt.NDArray[np.float32], " levels"]:
        """Noise of luma for every level 0..255: median over at most five frames."""
        frames = np.unique(np.linspace(0, len(self) - 1, 5).round().astype(int))
        table = np.median([noise_by_level(self.luma[i]) for i in frames], axis=0)
        centres = (np.arange(len(table)) + 0.5) * (256 / len(table))
        return np.asarray(np.interp(np.arange(256), centres, table), np.float32)

    def gradient(self, frame: int) -> Gradient:
        """Gradient of one frame's luma without its slow part; kept, unless the clip is very long.

        Glare, glow, headlight cones and the fall-off of fog are slow; edges are not.
        """
        if frame in self._gradients:
            return self._gradients[frame]
        found = self.gradient_of(self.luma[frame])
        if 3 * self.luma.nbytes <= _KEPT_BYTES:
            self._gradients[frame] = found
        return found

    def gradient_of(self, plane: Plane) -> Gradient:
        """Gradient of any plane as `gradient` takes it."""
        return Gradient.of(plane - cv2.GaussianBlur(plane, (0, 0), 6 * self.sigma), self.sigma)

    def gradient_noise(self, frame: int) -> Plane:
        """Standard deviation of one gradient component at every pixel, by its brightness."""
        level = np.clip(cv2.blur(self.luma[frame], (5, 5)), 0, 255).astype(np.uint8)
        return np.asarray(
            cv2.LUT(level, self.noise_levels * np.float32(gradient_gain(self.sigma))), np.float32
        )

    def normalised(self, frame: int) -> UInt8[npt.NDArray[np.uint8], "h w"]:
        """One frame's luma with its local contrast made equal, kept."""
        if frame not in self._normalised:
            self._normalised[frame] = contrast_normalised(self.luma[frame])
        return self._normalised[frame]

    def follow(self, flow: Float32[npt.NDArray[np.float32], "t H W 2"]) -> None:
        """Take the motion as known, pixels of the file, from now on: a plain road tells none."""
        self._known_flow = flow

    def flow(self, frame: int) -> Float32[npt.NDArray[np.float32], "h w 2"]:
        """Motion from one frame to the next, working pixels: as known, else computed at half size."""
        if self._known_flow is not None:
            known = np.asarray(self._known_flow[frame], np.float32)
            if known.shape[:2] == (self.size[1], self.size[0]):
                return known
            times = np.array([self.size[0] / known.shape[1], self.size[1] / known.shape[0]], np.float32)
            fitted = cv2.resize(known, self.size, interpolation=cv2.INTER_NEAREST)
            return np.asarray(fitted * times, np.float32)
        return self._seen_flow(frame)

    def _seen_flow(self, frame: int) -> npt.NDArray[np.float32]:
        if frame not in self._flow:
            half = (max(16, self.size[0] // 2), max(16, self.size[1] // 2))
            pair = [cv2.resize(self.luma[i], half, interpolation=cv2.INTER_AREA) for i in (frame, frame + 1)]
            self._flow[frame] = self._engine(pair[0].astype(np.uint8), pair[1].astype(np.uint8))
        flow = cv2.resize(self._flow[frame], self.size, interpolation=cv2.INTER_LINEAR)
        height, width = self._flow[frame].shape[:2]
        return np.asarray(flow * np.array([self.size[0] / width, self.size[1] / height], np.float32))

    def transient_tiles(self, tile: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """What each frame but the first and last has above, and below, both neighbours along the flow.

        Means over tiles, levels, [t - 2, rows, columns] each.
        """
        if self._transients is None:
            inner = range(1, len(self) - 1)
            pairs = [
                transients(self.soft[i - 1], self.soft[i], self.soft[i + 1], self.flow(i)) for i in inner
            ]
            shape = (0, *tile_sum(self.luma[0], tile).shape)
            above, below = (
                np.stack([tile_sum(p[k], tile) / np.float32(tile * tile) for p in pairs])
                if pairs
                else np.zeros(shape, np.float32)
                for k in (0, 1)
            )
            self._transients = (above, below)
        return self._transients

    @cached_property
    def standing(self) -> tuple[Plane, Plane]:
        """Mean over time of the fine structure at each pixel, and its variance over time."""
        mean, square = np.zeros(self.luma.shape[1:], np.float64), np.zeros(self.luma.shape[1:], np.float64)
        for plane in self.luma:
            fine = plane - cv2.GaussianBlur(plane, (0, 0), 3)
            mean += fine
            square += fine * fine
        mean /= len(self)
        return mean.astype(np.float32), np.maximum(square / len(self) - mean * mean, 0).astype(np.float32)

    def travel(self, tile: int) -> Plane:
        """How far each tile is seen to move over the whole clip, working pixels.

        As the picture tells, also where the motion is known: a line that runs along its motion stands.
        """
        if self._travel is None:
            flows = [self._seen_flow(i) for i in range(len(self) - 1)]
            speeds = [np.asarray(cv2.magnitude(f[..., 0], f[..., 1]), np.float32) for f in flows]
            mean = np.asarray(np.mean(speeds, axis=0), np.float32)
            self._travel = tile_sum(mean, tile) * np.float32(len(self) / tile**2)
        return self._travel

    def tile_rgb(self, tile: int) -> Float32[npt.NDArray[np.float32], "t rows columns 3"]:
        """Mean encoded colour of each tile."""
        if self._tile_rgb is None:
            columns, rows = -(-self.size[0] // tile), -(-self.size[1] // tile)
            pad = (0, rows * tile - self.size[1], 0, columns * tile - self.size[0])
            self._tile_rgb = np.stack(
                [
                    cv2.resize(
                        cv2.copyMakeBorder(f, *pad, cv2.BORDER_REPLICATE).astype(np.float32),
                        (columns, rows),
                        interpolation=cv2.INTER_AREA,
                    )
                    for f in self.rgb
                ]
            )
        return self._tile_rgb

    def tile_luma(self, tile: int) -> Float32[npt.NDArray[np.float32], "t rows columns"]:
        """Mean luma of each tile."""
        return (self.tile_rgb(tile) @ LUMA).astype(np.float32)

    def chroma(self, tile: int) -> Float32[npt.NDArray[np.float32], "t rows columns 2"]:
        """Log2 of red over green and of blue over green, in linear light, per tile."""
        linear = ((self.tile_rgb(tile) + 4) / 259) ** np.float32(2.2)
        logs = np.log2(linear)
        return np.stack([logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1]], axis=-1).astype(
            np.float32
        )

    def appearance(self, geometry: Geometry | None) -> Appearance:
        """Weather and light of the clip, measured once."""
        if self._appearance is None:
            self._appearance = measure_appearance(self.clip, geometry)
        return self._appearance

    def classes_seen(
        self, network: Segmenter, frames: npt.NDArray[np.int_]
    ) -> UInt8[npt.NDArray[np.uint8], "frames h w"]:
        """Class of every pixel of some frames, as a network sees it; kept, for one network."""
        key = tuple(int(i) for i in frames)
        if key not in self._classes_seen:
            self._classes_seen[key] = network.predict(self.rgb[frames])
        return self._classes_seen[key]
