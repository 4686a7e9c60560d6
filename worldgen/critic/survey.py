"""The survey: source and candidate compared once, frame by frame, into maps of tiles that every check reads."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.critic.view import View
from worldgen.imaging.edges import Gradient, Plane, gradient_gain
from worldgen.imaging.flow import DenseFlow
from worldgen.imaging.residual import contrast_normalised, excess, lasting, transients
from worldgen.imaging.structure import aligned, neighbourhood, spread, tile_sum
from worldgen.imaging.visibility import expected_alignment

Tiles = Float32[npt.NDArray[np.float32], "t rows columns"]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """One value per frame and tile; rows and columns of `tile` working pixels."""

    tile: int
    energy: Tiles
    """The source's squared gradient, summed."""
    ratio: Tiles
    """Contrast left in the candidate, against the source."""
    expected: Tiles
    """Contrast that the surroundings, at this depth, say should be left."""
    weight: Tiles
    """Expected alignment, summed over the structure that should be visible."""
    kept: Tiles
    """Measured alignment, summed over the same structure."""
    due: Tiles
    """Alignment that edges of this strength reach elsewhere in this clip, summed over the same structure."""
    new: Tiles
    """Mean edge strength that lasts over three frames and has no cause in the source, levels per pixel."""
    edges: Tiles
    """Mean edge strength of the candidate."""
    shift_x: Tiles
    shift_y: Tiles
    """Median displacement of the candidate against the source in squares of five tiles,
    working pixels, over visible structure."""
    shift_weight: Tiles
    """Visible structure in each square."""
    above: Tiles
    below: Tiles
    """Mean of what one frame alone has above (below) its neighbours, candidate, levels; frames 1 .. t - 2."""
    object_due: Float32[npt.NDArray[np.float32], "t objects"]
    object_kept: Float32[npt.NDArray[np.float32], "t objects"]
    """As `due` and `kept`, per instance (its pixels and their outline) instead of per tile."""
    noise: Float32[npt.NDArray[np.float32], " levels"]
    """Noise of the candidate's luma for every level 0..255."""


def survey(
    source: View,
    candidate: View,
    depth_m: npt.NDArray[np.float32] | None,
    tile: int,
    floor: float,
    *,
    instances: npt.NDArray[np.int32] | None = None,
    kept_share: npt.NDArray[np.float32] | None = None,
    new_share: npt.NDArray[np.float32] | None = None,
    predicted: npt.NDArray[np.float32] | None = None,
    haze_edges: npt.NDArray[np.float32] | None = None,
    is_dark: bool = False,
) -> Survey:
    """Compare two clips of equal size and length.

    Args:
        source: The source.
        candidate: The candidate.
        depth_m: [t, h, w] at working size, or None.
        tile: Side of a tile, working pixels.
        floor: Source gradients below this (levels per pixel) carry no structure.
        instances: [t, h, w], 0 for none, else 1 .. n.
        kept_share: [t, h, w], how much of the structure at a pixel the condition lets survive, 0..1.
        new_share: [t, h, w], how much new structure at a pixel counts; 0 where the condition brings it.
        predicted: [t, h, w], transmission predicted by spec and depth; bounds the contrast that is expected.
        haze_edges: [t, h, w], edges that haze may draw, levels per pixel.
        is_dark: Lamps and lit windows may be there that the source does not have.
    """
    count = len(source)
    size = source.size
    first = [_contrast(source.gradient(i), candidate.gradient(i), tile) for i in range(count)]
    energy, ratio = np.stack([f[0] for f in first]), np.stack([f[1] for f in first])
    expected = _expected(energy, ratio, depth_m, tile, floor)
    noise = candidate.noise_levels
    gain = gradient_gain(candidate.sigma)
    match = DenseFlow("fast")
    reach = max(1, tile // 6)
    curve = _survival(source, candidate, expected, tile, floor)
    out: dict[str, list[Plane]] = {k: [] for k in ("weight", "kept", "due", "edges", "sx", "sy", "sw")}
    extra: list[Plane] = []
    things = 1 if instances is None else int(instances.max()) + 1
    object_due: list[npt.NDArray[np.float64]] = []
    object_kept: list[npt.NDArray[np.float64]] = []
    dull = [_disturbed(source, candidate, i) for i in range(count)]
    for i in range(count):
        gs, gc = source.gradient(i), candidate.gradient(i)
        sigma = gain * cv2.LUT(np.clip(cv2.blur(candidate.luma[i], (5, 5)), 0, 255).astype(np.uint8), noise)
        left = spread(expected[i], size, tile)
        lit = _emitters(source.luma[i], candidate.luma[i]) if is_dark else None
        visible = left if predicted is None else np.minimum(left, np.float32(1.2) * predicted[i])
        signal = visible * gs.magnitude / sigma
        hope = expected_alignment(signal)
        usual = _read(curve, signal)
        mass = np.where((gs.magnitude > floor) & ~dull[i], usual * np.minimum(gs.magnitude, 16), 0)
        if kept_share is not None:
            mass = mass * kept_share[i]
        if lit is not None:
            mass = mass * (1 - lit)
        weight = mass * hope
        out["weight"].append(tile_sum(weight, tile))
        out["due"].append(tile_sum(mass * usual, tile))
        out["kept"].append(tile_sum(mass * aligned(gs, gc), tile))
        out["edges"].append(tile_sum(gc.magnitude, tile) / (tile * tile))
        kept = mass * aligned(gs, gc)
        if instances is not None:
            object_due.append(np.bincount(instances[i].ravel(), (mass * usual).ravel(), minlength=things))
            object_kept.append(np.bincount(instances[i].ravel(), kept.ravel(), minlength=things))
        unexplained = excess(gs, gc, ratio=np.maximum(left, 0.05), noise=sigma, reach=reach)
        if haze_edges is not None:
            unexplained = np.maximum(unexplained - cv2.dilate(haze_edges[i], np.ones((3, 3), np.uint8)), 0)
        if lit is not None:
            unexplained *= 1 - 0.9 * lit
        extra.append(unexplained if new_share is None else unexplained * new_share[i])
        shift = match(source.normalised(i), contrast_normalised(candidate.luma[i], noise=1.0))
        for key, plane in zip(("sx", "sy", "sw"), _regional(shift, weight, tile * 5), strict=True):
            out[key].append(plane)
    new, above, below = [], [], []
    for i in range(count):
        b, a = max(0, i - 1), min(count - 1, i + 1)
        flow = source.flow(min(i, count - 2)) if count > 1 else np.zeros((*extra[0].shape, 2), np.float32)
        new.append(tile_sum(lasting(extra[b], extra[i], extra[a], flow), tile) / (tile * tile))
        if 0 < i < count - 1:
            up, down = transients(candidate.soft[b], candidate.soft[i], candidate.soft[a], flow)
            above.append(tile_sum(up, tile) / (tile * tile))
            below.append(tile_sum(down, tile) / (tile * tile))
    none = np.zeros((0, *energy.shape[1:]), np.float32)
    return Survey(
        tile=tile,
        energy=energy,
        ratio=ratio,
        expected=expected,
        weight=np.stack(out["weight"]),
        kept=np.stack(out["kept"]),
        due=np.stack(out["due"]),
        new=np.stack(new),
        edges=np.stack(out["edges"]),
        shift_x=np.stack(out["sx"]),
        shift_y=np.stack(out["sy"]),
        shift_weight=np.stack(out["sw"]),
        above=np.stack(above) if above else none,
        below=np.stack(below) if below else none,
        object_due=np.array(object_due, np.float32).reshape(-1, things),
        object_kept=np.array(object_kept, np.float32).reshape(-1, things),
        noise=noise,
    )


def _disturbed(source: View, candidate: View, frame: int) -> npt.NDArray[np.bool_]:
    """Pixels that cannot show the scene now: burnt out, or covered by something that is gone a frame later."""
    plane = candidate.luma[frame]
    burnt = plane >= 250
    if 0 < frame < len(source) - 1:
        above, _ = transients(candidate.luma[frame - 1], plane, candidate.luma[frame + 1], source.flow(frame))
        burnt |= above > 6 + 0.1 * plane
    return cv2.dilate(burnt.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def _emitters(source: Plane, candidate: Plane) -> Plane:
    """1 around what is bright in the dark: lit windows, lamps and what they light up closely."""
    gain = np.log2((candidate + 4) / (source + 4))
    lit = (gain > np.median(gain) + 1.0) & (candidate > 40)
    return cv2.dilate(lit.astype(np.float32), np.ones((9, 9), np.uint8))


def _regional(shift: npt.NDArray[np.float32], weight: Plane, side: int) -> tuple[Plane, Plane, Plane]:
    """Weighted median displacement in squares of `side` pixels, and the weight in each."""
    height, width = weight.shape
    tops = range(0, max(1, height - side // 3), side)
    lefts = range(0, max(1, width - side // 3), side)
    x, y, w = (np.zeros((len(tops), len(lefts)), np.float32) for _ in range(3))
    for r, top in enumerate(tops):
        for c, left in enumerate(lefts):
            here = weight[top : top + side, left : left + side]
            on = here > 0.5
            if on.sum() < 20:
                continue
            mass = here[on]
            for out, axis in ((x, 0), (y, 1)):
                values = shift[top : top + side, left : left + side, axis][on]
                order = np.argsort(values)
                total = np.cumsum(mass[order])
                out[r, c] = values[order][np.searchsorted(total, total[-1] / 2)]
            low, high = (values[order][np.searchsorted(total, total[-1] * q)] for q in (0.25, 0.75))
            # Where the matches disagree there is nothing to match; what is lost is another check's concern.
            w[r, c] = mass.sum() if high - low < 2.5 else 0
    return x, y, w


_BINS = 24
_LOW, _HIGH = -2.0, 8.0


def _bin_of(signal: Plane) -> npt.NDArray[np.float32]:
    scaled = (np.log2(np.maximum(signal, 1e-3)) - _LOW) * (_BINS / (_HIGH - _LOW))
    return np.clip(scaled, 0, _BINS - 1).astype(np.float32)


def _read(curve: npt.NDArray[np.float32], signal: Plane) -> Plane:
    return curve[_bin_of(signal).astype(np.intp)]


def _survival(
    source: View, candidate: View, expected: Tiles, tile: int, floor: float
) -> npt.NDArray[np.float32]:
    """Alignment that edges reach in this clip, by their expected signal over noise.

    Codecs, flakes and streaks disturb edges in ways that the noise of flat areas does not show, so what can be
    asked of a tile is what edges of its strength reach in the whole clip; never more than under white noise.
    """
    gain = gradient_gain(candidate.sigma)
    total, count = np.zeros(_BINS), np.zeros(_BINS)
    for i in np.unique(np.linspace(0, len(source) - 1, 7).round().astype(int)):
        gs, gc = source.gradient(int(i)), candidate.gradient(int(i))
        sigma = gain * cv2.LUT(
            np.clip(cv2.blur(candidate.luma[i], (5, 5)), 0, 255).astype(np.uint8), candidate.noise_levels
        )
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
    return table[index]
