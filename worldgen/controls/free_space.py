"""What of the picture is ground: by colour learned from the clip itself, and by how it moves."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, UInt8

_BINS: Final = 16
_LIMIT: Final = 2.5
_FLOOR: Final = 2e-4
"""Colours rarer than this say nothing either way."""
_ROW_PIXELS: Final = 8
_DARKER: Final = 0.25
"""Share of a row's usual luma by which shade and dark paint lie below it."""
_LOW_M: Final = 0.35
_OWN: Final = 0.7
"""Share of a band's own colours against those of all: grass in front may have been seen as ground far on."""
_BAND_EDGES: Final = (1 / 45, 1 / 25, 1 / 16, 1 / 10, 1 / 6.5)
"""Inverse ground distance (1/m) at which colours are learned anew."""


class GroundColour:
    """Log-likelihood ratio of ground against everything else, by colour and distance.

    Learned from pixels that motion or position call ground, and from those they call something else; both
    change from clip to clip, which a fixed model of asphalt could not follow. Asphalt looks lighter towards
    the horizon, so each band of distance has its own colours: a black car stands out from the road around
    it though the road is as dark in front of the bonnet.
    """

    def __init__(self, bands: npt.NDArray[np.intp]) -> None:
        self._bands = bands
        count = int(bands.max()) + 1
        self._ground = np.full((count, _BINS, _BINS, _BINS), 0.01, np.float32)
        self._other = np.full((_BINS, _BINS, _BINS), 0.01, np.float32)
        self._table: npt.NDArray[np.float32] | None = None

    def learn(
        self,
        picture: UInt8[npt.NDArray[np.uint8], "h w 3"],
        ground: Float32[npt.NDArray[np.float32], "h w"],
        other: Float32[npt.NDArray[np.float32], "h w"],
    ) -> None:
        """Count the colours of a picture, weighted by how surely each pixel is one or the other."""
        index = _index(picture)
        size = _BINS**3
        banded = (index + self._bands * size).ravel()
        self._ground += np.bincount(banded, ground.ravel(), self._ground.size).reshape(self._ground.shape)
        self._other += np.bincount(index.ravel(), other.ravel(), size).reshape(self._other.shape)
        self._table = None

    def __call__(
        self, picture: UInt8[npt.NDArray[np.uint8], "h w 3"]
    ) -> Float32[npt.NDArray[np.float32], "h w"]:
        """Score every pixel, -2.5..2.5."""
        if self._table is None:
            self._table = self._scores()
        return np.asarray(self._table[_index(picture) + self._bands * _BINS**3], np.float32)

    def _scores(self) -> npt.NDArray[np.float32]:
        other = _smooth(self._other)
        other = other / other.sum()
        bands = [_smooth(g) for g in self._ground]
        everywhere = np.sum(bands, axis=0)
        everywhere = everywhere / everywhere.sum()
        tables = []
        for band in bands:
            # A band that was seen little falls back on the colours of all others.
            trust = band.sum() / (band.sum() + 500.0)
            ground = _OWN * trust * band / band.sum() + (1 - _OWN * trust) * everywhere
            ratio = np.log((ground + _FLOOR) / (other + _FLOOR))
            tables.append(np.clip(ratio, -_LIMIT, _LIMIT).astype(np.float32).ravel())
        return np.concatenate(tables)


def distance_bands(
    inverse_ground: Float32[npt.NDArray[np.float32], "h w"],
) -> npt.NDArray[np.intp]:
    """Number of the band of ground distance that every pixel falls in, nearest last."""
    return np.digitize(inverse_ground, _BAND_EDGES)


def _index(picture: UInt8[npt.NDArray[np.uint8], "h w 3"]) -> npt.NDArray[np.intp]:
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.intp)
    # Chroma of streets fills a narrow range: spend the bins there.
    light = lab[..., 0] * _BINS // 256
    a = np.clip((lab[..., 1] - 128) // 3 + _BINS // 2, 0, _BINS - 1)
    b = np.clip((lab[..., 2] - 128) // 3 + _BINS // 2, 0, _BINS - 1)
    return np.asarray((light * _BINS + a) * _BINS + b)


def _smooth(counts: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    kernel = np.array([0.25, 0.5, 0.25], np.float32)
    for axis in range(3):
        counts = np.apply_along_axis(lambda c: np.convolve(c, kernel, "same"), axis, counts)
    return counts


def contact_rows(ground: Bool[npt.NDArray[np.bool_], "h w"]) -> npt.NDArray[np.intp]:
    """For every pixel the row of the nearest ground pixel below it in its column; h where there is none."""
    height = ground.shape[0]
    rows = np.where(ground, np.arange(height)[:, None], height)
    return np.asarray(np.minimum.accumulate(rows[::-1], axis=0)[::-1])


def joined_to(
    mask: Bool[npt.NDArray[np.bool_], "h w"], seed: Bool[npt.NDArray[np.bool_], "h w"], *, min_area: int
) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Keep the parts of a mask that touch `seed` or are large."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    keep = stats[:, cv2.CC_STAT_AREA] >= min_area
    keep[np.unique(labels[seed & mask])] = True
    keep[0] = False
    del count
    return np.asarray(keep[labels])


def without_dark(
    grey: UInt8[npt.NDArray[np.uint8], "h w"], weight: Float32[npt.NDArray[np.float32], "h w"]
) -> Float32[npt.NDArray[np.float32], "h w"]:
    """Lower the weight of what is much darker than its row usually is.

    A car that drives ahead is in the road's place all the time: its tyres, windows and shade would be
    learned as road otherwise. Markings are brighter than the road, and stay.
    """
    values = np.where(weight > 0, grey, np.nan).astype(np.float32)
    seen = np.isfinite(values).sum(axis=1) >= _ROW_PIXELS
    usual = np.zeros(len(values), np.float32)
    usual[seen] = np.nanmedian(values[seen], axis=1)
    darker = np.maximum(usual[:, None] - grey, 0.0) / np.maximum(_DARKER * usual[:, None], 1.0)
    return np.asarray(weight * np.exp(-(darker**2)), np.float32)


def with_low(
    ground: Bool[npt.NDArray[np.bool_], "h w"],
    plane: Float32[npt.NDArray[np.float32], "h w"],
    focal: float,
) -> Bool[npt.NDArray[np.bool_], "h w"]:
    """Add what ground lies behind and that rises less than `_LOW_M`: shade, stains, kerbs, patches of grass.

    Args:
        ground: What is known to be ground.
        plane: Inverse depth of the ground plane, 1/m.
        focal: In pixels.
    """
    height = ground.shape[0]
    foot = contact_rows(ground)
    rows = np.arange(height)[:, None]
    top = np.maximum.accumulate(np.where(ground, rows, -1), axis=0)
    at_foot = np.take_along_axis(plane, np.minimum(foot, height - 1), axis=0)
    tall = (foot - 1 - top) / (focal * np.maximum(at_foot, 1e-4))
    return np.asarray(ground | ((top >= 0) & (tall < _LOW_M)))
