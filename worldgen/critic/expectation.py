"""Expectation: how much of the source's structure should be left in the candidate, and be found.

Everything is learned from the candidate as a whole, so that it holds for fog, darkness and codecs alike,
and so that one erased or replaced thing hardly moves it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.critic.view import View
from worldgen.imaging.edges import Gradient, Plane
from worldgen.imaging.structure import aligned, neighbourhood, spread, tile_sum
from worldgen.imaging.visibility import expected_alignment

Tiles = Float32[npt.NDArray[np.float32], "t rows columns"]

_BINS = 24
_LOW, _HIGH = -2.0, 8.0


def _bin_of(signal: Plane) -> npt.NDArray[np.float32]:
    scaled = (np.log2(np.maximum(signal, 1e-3)) - _LOW) * (_BINS / (_HIGH - _LOW))
    return np.clip(scaled, 0, _BINS - 1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """What should be left, per tile and by strength of an edge."""

    tile: int
    floor: float
    energy: Tiles
    """The source's squared gradient, summed."""
    ratio: Tiles
    """Contrast left in the candidate, measured."""
    left: Tiles
    """Contrast that should be left."""
    curve: Float32[npt.NDArray[np.float32], " bins"]
    """Alignment that edges reach in this clip, by their expected signal over noise."""

    def usual(self, signal: Plane) -> Plane:
        """Alignment that edges of this signal over noise reach."""
        return self.curve[_bin_of(signal).astype(np.intp)]


def expect(
    source: View, candidate: View, depth_m: npt.NDArray[np.float32] | None, tile: int, floor: float
) -> Expectation:
    """Learn what should be left from the whole clip."""
    pairs = [_contrast(source.gradient(i), candidate.gradient(i), tile) for i in range(len(source))]
    energy, ratio = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
    left = _expected(energy, ratio, depth_m, tile, floor)
    curve = _survival(source, candidate, left, tile, floor)
    return Expectation(tile, floor, energy, ratio, left, curve)


def _survival(
    source: View, candidate: View, expected: Tiles, tile: int, floor: float
) -> npt.NDArray[np.float32]:
    """Alignment that edges reach in this clip, by their expected signal over noise.

    Codecs, flakes and streaks disturb edges in ways that the noise of flat areas does not show. So what
    can be asked of a tile is what edges of its strength reach in the whole clip, and never more than
    under white noise.
    """
    total, count = np.zeros(_BINS), np.zeros(_BINS)
    for i in np.unique(np.linspace(0, len(source) - 1, 7).round().astype(int)):
        gs, gc = source.gradient(int(i)), candidate.gradient(int(i))
        sigma = candidate.gradient_noise(int(i))
        signal = spread(expected[i], source.size, tile) * gs.magnitude / sigma
        on = gs.magnitude > floor
        index = _bin_of(signal[on]).astype(np.intp)
        total += np.bincount(index, weights=aligned(gs, gc)[on], minlength=_BINS)
        count += np.bincount(index, minlength=_BINS)
    measured = np.where(count > 50, total / np.maximum(count, 1), 0)
    rising = np.maximum.accumulate(np.clip(measured, 0, 1))
    centres = 2 ** (_LOW + (np.arange(_BINS) + 0.5) * (_HIGH - _LOW) / _BINS)
    return np.minimum(rising, expected_alignment(centres.astype(np.float32))).astype(np.float32)


def _contrast(source: Gradient, candidate: Gradient, tile: int) -> tuple[Plane, Plane]:
    energy = tile_sum(source.magnitude * source.magnitude, tile)
    shared = tile_sum(source.x * candidate.x + source.y * candidate.y, tile)
    return energy, (np.abs(shared) / np.maximum(energy, np.float32(1e-3))).astype(np.float32)


def _expected(
    energy: Tiles, ratio: Tiles, depth_m: npt.NDArray[np.float32] | None, tile: int, floor: float
) -> Tiles:
    """Contrast that should be left: the neighbourhood's, and no more than usual at this depth.

    The neighbourhood is wider than any one object, so an erased thing does not lower what is expected of it.
    """
    valid = energy > np.float32(floor * floor * tile)
    around = np.stack([neighbourhood(r, v, 4, 0.6) for r, v in zip(ratio, valid, strict=True)])
    around = np.nan_to_num(around, nan=0.0)
    if depth_m is not None:
        half = tile // 2
        deep = np.log(np.clip(depth_m[:, half::tile, half::tile], 1, 1000))
        deep = deep[:, : ratio.shape[1], : ratio.shape[2]]
        if deep.shape == ratio.shape:
            around = np.minimum(around, np.float32(1.5) * _usual_at(deep, ratio, valid))
    return np.minimum(around, 4).astype(np.float32)


def _usual_at(deep: Tiles, ratio: Tiles, valid: npt.NDArray[np.bool_], bins: int = 14) -> Tiles:
    index = np.clip(deep / np.log(1000) * bins, 0, bins - 1).astype(np.int64)
    table = np.full(bins, 4.0, dtype=np.float32)
    for b in range(bins):
        inside = ratio[valid & (index == b)]
        if len(inside) >= 30:
            table[b] = np.quantile(inside, 0.6)
    return np.asarray(table[index], np.float32)
