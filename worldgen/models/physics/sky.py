"""The source's sky: its colour over time, and its soft outline."""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32
from scipy.ndimage import gaussian_filter1d

from worldgen.datatypes import Clip, Geometry, Tag
from worldgen.imaging.channels import smallest
from worldgen.models.physics.light import LUMA, Linear, Picture, Plane, decode
from worldgen.models.physics.ops import soften

Colours: TypeAlias = Float32[npt.NDArray[np.float32], "t 3"]
_SMALL = (160, 90)
_BRIGHTEST = 0.95
_ROWS = 720
"""Outline widths are stated for this many rows."""
_COARSE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Skies:
    """The sky of every frame of a clip."""

    horizon: Colours
    """Linear RGB near the horizon (or the brightest tenth of the frame when no sky is seen), smoothed."""
    is_seen: bool
    """Whether the clip shows sky at all."""
    is_true: bool
    """Whether the outline is the simulator's."""
    height: int
    """Rows of a frame."""

    def matte(self, mask: Bool[npt.NDArray[np.bool_], "h w"], frame: Picture) -> tuple[Plane, Linear | None]:
        """Share of the sky per pixel, and the sky's own light, coarse (None when no sky is seen).

        A pixel within 2 px (at 720 rows) of the mask's outline is a mix of sky and object: its share is how
        close its darkest channel comes to the sky's light nearby, as if the object were black, so that no
        bright rim is left when the sky is taken away. Out to 8 px only pixels as bright as the sky itself
        count: the gaps between leaves and wires. An estimated mask may have swallowed wires and branches:
        what is much darker than the sky around it stays.
        """
        hard = mask.astype(np.float32)
        if not mask.any():
            return hard, None
        if not self.is_seen:
            return np.asarray(cv2.GaussianBlur(hard, (0, 0), 1.0), np.float32), None
        local = _local_sky(frame, hard)
        scale = self.height / _ROWS
        inner = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
        near = _spread(hard, 2 * scale)
        wide = near if self.is_true else _spread(hard, 8 * scale)
        band = (wide > 0) & ~inner
        if not self.is_true:
            band |= inner & _is_dark(frame, local)
        at = np.flatnonzero(band)
        rows, columns = np.divmod(at, mask.shape[1])
        pixels = decode(np.take(frame.reshape(-1, 3), at, axis=0)[None])[0]
        coarse = np.minimum(rows // _COARSE, local.shape[0] - 1) * local.shape[1]
        coarse += np.minimum(columns // _COARSE, local.shape[1] - 1)
        around = np.take(local.reshape(-1, 3), coarse, axis=0)
        ratio = smallest(pixels / np.maximum(around, 1e-3))
        full = np.clip(ratio, 0, 1)
        outside = np.clip(near.ravel()[at] * 4, 0, 1) * full
        if not self.is_true:
            gaps = np.clip(wide.ravel()[at] * 6, 0, 1) * np.clip((ratio - 0.7) / 0.2, 0, 1)
            outside = np.maximum(outside, gaps)
        deep = np.clip((ratio - 0.35) / 0.3, 0, 1)
        share = np.where(inner.ravel()[at], deep, np.where(mask.ravel()[at], full, outside))
        alpha = hard
        alpha.ravel()[at] = share
        return alpha, local


def _is_dark(frame: Picture, local: Linear) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Pixels well below the sky around them: 0.8 in code values is about 0.6 in linear light."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    level = np.clip(local @ np.array(LUMA, np.float32), 0, 1) ** np.float32(1 / 2.2) * np.float32(255 * 0.8)
    limit = cv2.resize(level.astype(np.uint8), (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grey < limit)


def _spread(hard: Plane, pixels: float) -> Plane:
    size = 2 * max(1, round(pixels)) + 1
    return np.asarray(cv2.blur(hard, (size, size)), np.float32)


def _local_sky(frame: Picture, hard: Plane) -> Linear:
    """The sky's light around each pixel, at an eighth of the size: a wide average of sky pixels."""
    h, w = hard.shape
    small = (max(4, w // _COARSE), max(2, h // _COARSE))
    weight = cv2.resize(hard, small, interpolation=cv2.INTER_AREA)
    # A block counts only when nearly all of it is sky: mixed ones would darken the estimate.
    weight = np.where(weight > 0.9, weight, 0).astype(np.float32)
    light = decode(np.asarray(cv2.resize(frame, small, interpolation=cv2.INTER_AREA)))
    light *= weight[..., None]
    sigma = small[0] / 16
    total = soften(np.asarray(weight, np.float32), sigma) + np.float32(1e-5)
    mean = light.reshape(-1, 3).sum(axis=0) / max(float(weight.sum()), 1e-3)
    blurred = soften(light, sigma) + np.float32(1e-5) * mean
    return np.asarray(blurred / total[..., None], np.float32)


def skies_of(clip: Clip, geometry: Geometry) -> Skies:
    """Measure the sky over a clip: some thirty frames, interpolated and smoothed over about a second.

    Smoothing keeps what is derived from it (airlight, reflections) from flickering while it still follows
    the source's exposure.
    """
    n = len(clip)
    picks = np.unique(np.linspace(0, n - 1, min(n, 32)).round().astype(int))
    horizon, seen = [], []
    for i in picks:
        small = decode(np.asarray(cv2.resize(clip.frames[i], _SMALL, interpolation=cv2.INTER_AREA)))
        mask = np.isinf(geometry.depth_m[i])
        if geometry.tags is not None:
            mask |= geometry.tags[i] == Tag.SKY
        share = cv2.resize(mask.astype(np.float32), _SMALL, interpolation=cv2.INTER_AREA)
        colour, is_seen = _measure(small, np.asarray(share) > 0.95)
        horizon.append(colour)
        seen.append(is_seen)
    table = np.stack(horizon)
    curve = np.stack([np.interp(np.arange(n), picks, table[:, c]) for c in range(3)], axis=1)
    smooth = gaussian_filter1d(curve, max(1.0, 0.7 * clip.fps), axis=0, mode="nearest")
    return Skies(
        horizon=np.asarray(smooth, np.float32),
        is_seen=bool(np.mean(seen) > 0.5),
        is_true=geometry.origins.depth == "simulator",
        height=clip.size[1],
    )


def _measure(small: Linear, sky: Bool[npt.NDArray[np.bool_], "h w"]) -> tuple[npt.NDArray[np.float32], bool]:
    luma = small @ np.array(LUMA, np.float32)
    if sky.sum() < 0.004 * sky.size:
        bright = small[luma >= np.percentile(luma, 90)].mean(axis=0)
        # Without sky in view its colour is unknown: the brightest tenth, half way to grey.
        grey = float(bright @ np.array(LUMA, np.float32))
        return np.minimum(0.5 * bright + 0.5 * grey, _BRIGHTEST).astype(np.float32), False
    rows = np.nonzero(sky)[0]
    low = sky & (np.arange(sky.shape[0])[:, None] >= np.percentile(rows, 70))
    return np.minimum(np.median(small[low], axis=0), _BRIGHTEST).astype(np.float32), True
