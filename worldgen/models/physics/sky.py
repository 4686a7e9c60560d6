"""The source's sky: its colour over time, and its soft outline."""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32
from scipy.ndimage import gaussian_filter1d

from worldgen.datatypes import Clip, Geometry, Tag
from worldgen.models.physics.light import LUMA, Linear, Plane, decode

Colours: TypeAlias = Float32[npt.NDArray[np.float32], "t 3"]
_SMALL = (160, 90)
_BRIGHTEST = 0.95
_EDGE_PX = 720
"""Outline widths are stated for this many rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Skies:
    """The sky of every frame of a clip."""

    horizon: Colours
    """Linear RGB near the horizon (or the brightest tenth of the frame when no sky is seen), smoothed."""
    mean: Colours
    """Linear RGB of the whole visible sky, smoothed."""
    is_seen: bool
    """Whether the clip shows sky at all."""
    is_true: bool
    """Whether the outline is the simulator's."""

    def matte(self, mask: Bool[npt.NDArray[np.bool_], "h w"], source: Linear) -> tuple[Plane, Linear | None]:
        """Share of the sky per pixel, and the sky's own light around it (None when no sky is seen).

        A pixel within 2 px (at 720 rows) of the mask's outline is a mix of sky and object: its share is how
        close its darkest channel comes to the sky's light nearby, as if the object were black, so that no
        bright rim is left when the sky is taken away. Out to 8 px only pixels as bright as the sky itself
        count: the gaps between leaves and wires.
        """
        hard = mask.astype(np.float32)
        if not mask.any():
            return hard, None
        scale = mask.shape[0] / _EDGE_PX
        if not self.is_seen:
            return np.asarray(cv2.GaussianBlur(hard, (0, 0), max(0.5, 0.7 * scale)), np.float32), None
        local = _local_sky(source, hard)
        r, g, b = cv2.split(source / np.maximum(local, 1e-3))
        ratio = np.minimum(np.minimum(r, g), b)
        near = _spread(hard, 2 * scale)
        wide = _spread(hard, 8 * scale)
        mixed = np.clip(near * 4, 0, 1) * np.clip(ratio, 0, 1)
        gaps = np.clip(wide * 6, 0, 1) * np.clip((ratio - 0.7) / 0.2, 0, 1)
        outside = np.maximum(mixed, gaps)
        if self.is_true:
            outside = mixed
        inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        # An estimated mask may have swallowed wires and branches: inside, what is much darker stays.
        inside = np.ones_like(hard) if self.is_true else np.clip((ratio - 0.35) / 0.3, 0, 1)
        alpha = np.where(inner, inside, np.where(mask, np.clip(ratio, 0, 1), outside))
        return np.asarray(alpha, np.float32), local


def _spread(hard: Plane, pixels: float) -> Plane:
    size = 2 * max(1, round(pixels)) + 1
    return np.asarray(cv2.blur(hard, (size, size)), np.float32)


def _local_sky(source: Linear, hard: Plane) -> Linear:
    """The sky's light around each pixel: a wide normalised average of sky pixels."""
    h, w = hard.shape
    small = (max(8, w // 8), max(8, h // 8))
    weight = cv2.resize(hard, small, interpolation=cv2.INTER_AREA)
    light = cv2.resize(source * hard[..., None], small, interpolation=cv2.INTER_AREA)
    sigma = small[0] / 16
    weight = cv2.GaussianBlur(weight, (0, 0), sigma) + 1e-4
    light = cv2.GaussianBlur(light, (0, 0), sigma) + 1e-4 * source.max()
    return np.asarray(cv2.resize(light / weight[..., None], (w, h), interpolation=cv2.INTER_LINEAR))


def skies_of(clip: Clip, geometry: Geometry) -> Skies:
    """Measure the sky over a clip: some thirty frames, interpolated and smoothed over about a second.

    Smoothing keeps what is derived from it (airlight, reflections) from flickering while it still follows
    the source's exposure.
    """
    n = len(clip)
    picks = np.unique(np.linspace(0, n - 1, min(n, 32)).round().astype(int))
    horizon, mean, seen = [], [], []
    for i in picks:
        small = np.asarray(
            cv2.resize(decode(clip.frames[i]), _SMALL, interpolation=cv2.INTER_AREA), np.float32
        )
        mask = np.isinf(geometry.depth_m[i])
        if geometry.tags is not None:
            mask |= geometry.tags[i] == Tag.SKY
        share = cv2.resize(mask.astype(np.float32), _SMALL, interpolation=cv2.INTER_AREA)
        h, m, s = _measure(small, share > 0.95)
        horizon.append(h)
        mean.append(m)
        seen.append(s)
    frames = np.arange(n)
    sigma = max(1.0, 0.7 * clip.fps)

    def over_time(samples: list[npt.NDArray[np.float32]]) -> Colours:
        table = np.stack(samples)
        curve = np.stack([np.interp(frames, picks, table[:, c]) for c in range(3)], axis=1)
        return np.asarray(gaussian_filter1d(curve, sigma, axis=0, mode="nearest"), np.float32)

    return Skies(
        horizon=over_time(horizon),
        mean=over_time(mean),
        is_seen=bool(np.mean(seen) > 0.5),
        is_true=geometry.origins.depth == "simulator",
    )


def _measure(
    small: Linear, sky: Bool[npt.NDArray[np.bool_], "h w"]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], bool]:
    luma = small @ np.array(LUMA, np.float32)
    if sky.sum() < 0.004 * sky.size:
        bright = small[luma >= np.percentile(luma, 90)].mean(axis=0)
        # Without sky in view its colour is unknown: the brightest tenth, half way to grey.
        grey = float(bright @ np.array(LUMA, np.float32))
        colour = np.minimum(0.5 * bright + 0.5 * grey, _BRIGHTEST).astype(np.float32)
        return colour, colour, False
    rows = np.nonzero(sky)[0]
    low = sky & (np.arange(sky.shape[0])[:, None] >= np.percentile(rows, 70))
    return (
        np.minimum(np.median(small[low], axis=0), _BRIGHTEST).astype(np.float32),
        np.minimum(small[sky].mean(axis=0), _BRIGHTEST).astype(np.float32),
        True,
    )
