"""The survey: source and candidate compared once, frame by frame, into maps of tiles that all checks read."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.critic.classes import CLASSES
from worldgen.critic.expectation import Expectation, expect
from worldgen.critic.view import View
from worldgen.imaging.edges import Gradient, Plane
from worldgen.imaging.flow import DenseFlow
from worldgen.imaging.residual import explained_edges, lasting, transients
from worldgen.imaging.structure import aligned, spread, tile_sum
from worldgen.imaging.visibility import CONTRAST_THRESHOLD, expected_alignment

Tiles = Float32[npt.NDArray[np.float32], "t rows columns"]
Stack = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allowance:
    """What the asked condition may take or bring, per pixel; None where it does neither. All [t, h, w]."""

    kept_share: Stack | None = None
    """How much of the structure is let survive, 0..1."""
    new_share: Stack | None = None
    """How much new structure counts; 0 where the condition brings it."""
    predicted: Stack | None = None
    """Transmission predicted by spec and depth; bounds the contrast that is expected."""
    haze_edges: Stack | None = None
    """Edges that haze may draw, levels per pixel."""
    hazed: Callable[[int], Plane | None] = lambda _: None
    """Luma of the source behind the haze that the candidate shows, by frame; None where none is known."""
    is_dark: bool = False
    """Lamps and lit windows may be there that the source does not have."""
    lamps: Mask | None = None
    """Where something may have switched its lamps on, as vehicles do in fog and rain."""
    has_drops: bool = False
    """Drops on the lens stand still on the screen."""


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
    explained: Tiles
    """Mean edge strength up to which an edge of the candidate has a cause, levels per pixel."""
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
    border_due: Float32[npt.NDArray[np.float32], "t classes rows columns"]
    border_kept: Float32[npt.NDArray[np.float32], "t classes rows columns"]
    """As `due` and `kept`, of the pixels that are the border of a class; number 0 is empty."""
    noise: Float32[npt.NDArray[np.float32], " levels"]
    """Noise of the candidate's luma for every level 0..255."""


def survey(
    source: View,
    candidate: View,
    *,
    tile: int,
    floor: float,
    depth_m: Stack | None = None,
    instances: npt.NDArray[np.int32] | None = None,
    borders: npt.NDArray[np.uint8] | None = None,
    allowance: Allowance | None = None,
) -> Survey:
    """Compare two clips of equal size and length.

    Args:
        source: The source.
        candidate: The candidate.
        tile: Side of a tile, working pixels.
        floor: Source gradients below this (levels per pixel) carry no structure.
        depth_m: [t, h, w] at working size, or None.
        instances: [t, h, w], 0 for none, else 1 .. n.
        borders: [t, h, w], number of the class that has its border at a pixel; 0 for none.
        allowance: What the condition may take or bring.
    """
    expectation = expect(source, candidate, depth_m, tile, floor)
    allowed = allowance or Allowance()
    things = 1 if instances is None else int(instances.max()) + 1
    frames = [
        _compare(
            source,
            candidate,
            i,
            expectation,
            allowed,
            None if instances is None else instances[i],
            things,
            None if borders is None else borders[i],
        )
        for i in range(len(source))
    ]
    match = DenseFlow("fast")
    shifts = []
    for i, frame in enumerate(frames):
        shift = match(source.normalised(i), candidate.normalised(i))
        shifts.append(_regional(shift, frame.weight, tile * 5))
    unexplained = [f.unexplained for f in frames]
    if allowed.has_drops:
        unexplained = _without_drops(unexplained)
    lasts, above, below = _over_time(source, candidate, unexplained, tile)
    return Survey(
        tile=tile,
        energy=expectation.energy,
        ratio=expectation.ratio,
        expected=expectation.left,
        weight=np.stack([tile_sum(f.weight, tile) for f in frames]),
        kept=np.stack([tile_sum(f.kept, tile) for f in frames]),
        due=np.stack([tile_sum(f.due, tile) for f in frames]),
        new=lasts,
        explained=np.stack([f.explained for f in frames]),
        edges=np.stack([f.edges for f in frames]),
        shift_x=np.stack([s[0] for s in shifts]),
        shift_y=np.stack([s[1] for s in shifts]),
        shift_weight=np.stack([s[2] for s in shifts]),
        above=above,
        below=below,
        object_due=np.stack([f.object_due for f in frames]),
        object_kept=np.stack([f.object_kept for f in frames]),
        border_due=np.stack([f.border_due for f in frames]),
        border_kept=np.stack([f.border_kept for f in frames]),
        noise=candidate.noise_levels,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """One frame compared; planes are [h, w]."""

    weight: Plane
    kept: Plane
    due: Plane
    unexplained: Plane
    explained: Plane
    edges: Plane
    object_due: Float32[npt.NDArray[np.float32], " objects"]
    object_kept: Float32[npt.NDArray[np.float32], " objects"]
    border_due: Float32[npt.NDArray[np.float32], "classes rows columns"]
    border_kept: Float32[npt.NDArray[np.float32], "classes rows columns"]


def _compare(
    source: View,
    candidate: View,
    i: int,
    expectation: Expectation,
    allowed: Allowance,
    instances: npt.NDArray[np.int32] | None,
    things: int,
    borders: npt.NDArray[np.uint8] | None,
) -> _Frame:
    gs, gc = source.gradient(i), candidate.gradient(i)
    tile = expectation.tile
    sigma = candidate.gradient_noise(i)
    left = spread(expectation.left[i], source.size, tile)
    visible = left if allowed.predicted is None else np.minimum(left, np.float32(1.2) * allowed.predicted[i])
    due_edges = visible * gs.magnitude
    hazed = allowed.hazed(i)
    gh = None if hazed is None else source.gradient_of(hazed)
    if gh is not None:
        due_edges = np.minimum(due_edges, np.float32(1.2) * gh.magnitude)
    signal = due_edges / sigma
    usual = expectation.usual(signal)
    counts = (gs.magnitude > expectation.floor) & ~_disturbed(source, candidate, i)
    mass = np.where(counts, usual * np.minimum(gs.magnitude, 16), 0).astype(np.float32)
    if gh is not None:
        # Haze turns the contrast of a bright thing before a bright veil round; such an edge tells nothing.
        mass = mass * np.clip(aligned(gs, gh), 0, 1)
    if allowed.predicted is not None:
        # Contrast below the one that defines the optical range counts as not visible, and codecs drop it.
        mass = mass * np.minimum(visible / np.float32(CONTRAST_THRESHOLD), 1)
    known = gs
    if i > 0:
        # Encoders that save bits leave a marking for a frame where it was.
        stale = np.maximum(gs.magnitude, source.gradient(i - 1).magnitude)
        known = Gradient(gs.x, gs.y, stale)
    # What the encoder smooths away lowers what is expected of edges that it keeps; those are not new.
    measured = spread(np.minimum(expectation.ratio[i], 1.0), source.size, tile)
    most = np.maximum(left, np.maximum(measured, 0.05))
    explained = explained_edges(known, ratio=most, noise=sigma, reach=max(1, tile // 6))
    if gh is not None:
        explained += np.float32(1.3) * cv2.dilate(gh.magnitude, np.ones((3, 3), np.uint8))
    if allowed.kept_share is not None:
        mass = mass * allowed.kept_share[i]
    if allowed.haze_edges is not None:
        explained += cv2.dilate(allowed.haze_edges[i], np.ones((3, 3), np.uint8))
    unexplained = np.maximum(gc.magnitude - explained, 0)
    if allowed.is_dark:
        lit = emitters(source.luma[i], candidate.luma[i])
        mass = mass * (1 - lit)
        unexplained = unexplained * (1 - np.float32(0.9) * lit)
    if allowed.lamps is not None:
        unexplained = unexplained * (1 - small_lights(source.luma[i], candidate.luma[i], allowed.lamps[i]))
    if allowed.new_share is not None:
        unexplained = unexplained * allowed.new_share[i]
    due, kept = mass * usual, mass * aligned(gs, gc)
    return _Frame(
        weight=mass * expected_alignment(signal),
        kept=kept,
        due=due,
        unexplained=unexplained,
        explained=tile_sum(explained, tile) / np.float32(tile * tile),
        edges=tile_sum(gc.magnitude, tile) / np.float32(tile * tile),
        object_due=_per_object(due, instances, things),
        object_kept=_per_object(kept, instances, things),
        border_due=_per_border(due, borders, tile),
        border_kept=_per_border(kept, borders, tile),
    )


def _per_object(
    plane: Plane, instances: npt.NDArray[np.int32] | None, things: int
) -> Float32[npt.NDArray[np.float32], " objects"]:
    if instances is None:
        return np.zeros(things, np.float32)
    return np.bincount(instances.ravel(), plane.ravel(), minlength=things).astype(np.float32)


def _per_border(
    plane: Plane, borders: npt.NDArray[np.uint8] | None, tile: int
) -> Float32[npt.NDArray[np.float32], "classes rows columns"]:
    height, width = plane.shape
    shape = (len(CLASSES) + 1, -(-height // tile), -(-width // tile))
    if borders is None:
        return np.zeros((shape[0], 0, 0), np.float32)
    y, x = np.nonzero(borders)
    cell = (borders[y, x].astype(np.intp) * shape[1] + y // tile) * shape[2] + x // tile
    return np.bincount(cell, plane[y, x], minlength=int(np.prod(shape))).reshape(shape).astype(np.float32)


def _over_time(
    source: View, candidate: View, unexplained: list[Plane], tile: int
) -> tuple[Tiles, Tiles, Tiles]:
    """What lasts over three frames, and what is there (or missing) in one frame only, per tile."""
    last = len(unexplained) - 1
    area = np.float32(tile * tile)
    lasts, above, below = [], [], []
    for i, now in enumerate(unexplained):
        b, a = max(0, i - 1), min(last, i + 1)
        flow = source.flow(min(i, last - 1)) if last > 0 else np.zeros((*now.shape, 2), np.float32)
        lasts.append(tile_sum(lasting(unexplained[b], now, unexplained[a], flow), tile) / area)
        if 0 < i < last:
            up, down = transients(candidate.soft[b], candidate.soft[i], candidate.soft[a], flow)
            above.append(tile_sum(up, tile) / area)
            below.append(tile_sum(down, tile) / area)
    none = np.zeros((0, *lasts[0].shape), np.float32)
    return np.stack(lasts), np.stack(above) if above else none, np.stack(below) if below else none


def _disturbed(source: View, candidate: View, frame: int) -> npt.NDArray[np.bool_]:
    """Pixels that cannot show the scene now: burnt out, or covered by what is gone a frame later."""
    plane = candidate.luma[frame]
    burnt = plane >= 250
    if 0 < frame < len(source) - 1:
        above, _ = transients(candidate.luma[frame - 1], plane, candidate.luma[frame + 1], source.flow(frame))
        burnt |= above > 6 + 0.1 * plane
    return cv2.dilate(burnt.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0


def emitters(source: Plane, candidate: Plane) -> Plane:
    """1 around what is bright in the dark: lit windows, lamps and what they light up closely."""
    gain = np.log2((candidate + 4) / (source + 4))
    lit = (gain > np.median(gain) + 1.0) & (candidate > 40)
    return np.asarray(cv2.dilate(lit.astype(np.float32), np.ones((9, 9), np.uint8)), np.float32)


def small_lights(source: Plane, candidate: Plane, where: Mask) -> Plane:
    """1 around small bright spots inside `where` that the source does not have: lamps that are on."""
    kernel = np.ones((9, 9), np.uint8)
    spots = [cv2.morphologyEx(p, cv2.MORPH_TOPHAT, kernel) for p in (source, candidate)]
    lit = where & (spots[1] > spots[0] + 12)
    return np.asarray(cv2.dilate(lit.astype(np.float32), np.ones((5, 5), np.uint8)), np.float32)


def _without_drops(unexplained: list[Plane]) -> list[Plane]:
    """Take away what stands at one place of the screen for the whole clip: drops do, the scene moves."""
    few = unexplained[:: max(1, len(unexplained) // 8)]
    kernel = np.ones((5, 5), np.uint8)
    low = np.quantile(np.stack([cv2.dilate(p, kernel) for p in few]), 0.3, axis=0)
    stays = np.float32(1.5) * np.asarray(cv2.dilate(low.astype(np.float32), kernel), np.float32)
    return [np.maximum(p - stays, 0) for p in unexplained]


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
