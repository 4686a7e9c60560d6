"""What of the picture is ground: by colour learned from the clip itself, and by how it moves."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, UInt8

_BINS: Final = 16
_LIMIT: Final = 2.5


class GroundColour:
    """Log-likelihood ratio of ground against everything else, by colour.

    Learned from pixels that motion or position call ground, and from those they call something else; both
    change from clip to clip, which a fixed model of asphalt could not follow.
    """

    def __init__(self) -> None:
        self._ground = np.full((_BINS, _BINS, _BINS), 0.02, np.float32)
        self._other = np.full((_BINS, _BINS, _BINS), 0.02, np.float32)
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
        self._ground += np.bincount(index.ravel(), ground.ravel(), size).reshape(self._ground.shape)
        self._other += np.bincount(index.ravel(), other.ravel(), size).reshape(self._other.shape)
        self._table = None

    def __call__(
        self, picture: UInt8[npt.NDArray[np.uint8], "h w 3"]
    ) -> Float32[npt.NDArray[np.float32], "h w"]:
        """Score every pixel, -2.5..2.5."""
        if self._table is None:
            ground, other = _smooth(self._ground), _smooth(self._other)
            ground, other = ground / ground.sum(), other / other.sum()
            floor = 2e-5
            ratio = np.log((ground + floor) / (other + floor))
            self._table = np.clip(ratio, -_LIMIT, _LIMIT).astype(np.float32).ravel()
        return np.asarray(self._table[_index(picture)], np.float32)


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
