"""The ground: asphalt, markings, pavements, kerbs and grass as a function of road coordinates.

Lines are integrated over the footprint of each sample instead of being sampled, so that they neither
break up nor flicker in the distance.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgen.datatypes.tags import Tag
from worldgen.render.noise import fractal, hash01, nearest, sample
from worldgen.sources.proving_ground.scene import Arrow, Crossing, Marking, Scene

F32 = npt.NDArray[np.floating]

PAINT_WHITE = np.array([0.62, 0.62, 0.6], np.float32)
PAINT_YELLOW = np.array([0.58, 0.36, 0.045], np.float32)
KERB_M = 0.16
CROSS_WALK_M = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What lies at each sample."""

    albedo: F32
    """[n, 3]"""
    tag: npt.NDArray[np.uint8]
    paint: F32
    """Share covered by paint, [n]."""
    road: F32
    """Share that is carriageway, [n]."""
    rough: F32
    """Unevenness about zero with unit deviation, [n]: where water stands and snow stays."""


def band(x: F32, low: float, high: float, width: F32) -> F32:
    """Share of a footprint [x - width/2, x + width/2] inside [low, high]."""
    half = width * 0.5
    return np.clip(
        (np.minimum(x + half, high) - np.maximum(x - half, low)) / np.maximum(width, 1e-4), 0.0, 1.0
    )


def pulses(x: F32, on: float, off: float, width: F32) -> F32:
    """Share of a footprint covered by a train of pulses of length `on`, `off` apart."""
    period = on + off

    def integral(t: F32) -> F32:
        whole = np.floor(t / period)
        return np.asarray(whole * on + np.minimum(t - whole * period, on), np.float32)

    half = width * 0.5
    return np.clip((integral(x + half) - integral(x - half)) / np.maximum(width, 1e-4), 0.0, 1.0)


def ground_at(scene: Scene, s: F32, d: F32, along: F32, across: F32) -> Ground:
    """Return the ground at road coordinates with footprints (metres) along and across the road."""
    road = scene.road
    s, d = np.asarray(s, np.float32), np.asarray(d, np.float32)
    reach = np.maximum(along, across)
    carriage = band(d, road.right_m, road.left_m, across)
    junction = np.zeros_like(s)
    for crossing in scene.crossings:
        w = crossing.half_width_m
        junction = np.maximum(junction, band(s, crossing.s_m - w, crossing.s_m + w, along))
        junction = np.maximum(junction, _corners(scene, crossing, s, d))
    carriage = np.maximum(carriage, junction)
    rough = sample(fractal(4, 4, 7 + road.seed % 5), s / 37.0, d / 37.0)
    fine = nearest(fractal(3, 128, 3), s / 3.3, d / 3.3) * np.exp(-reach / 0.05)
    middle = sample(fractal(5, 8, 5), s / 17.0, d / 9.0) * np.exp(-reach / 2.5)
    albedo, tag = _verge(scene, s, d, across, along, junction, middle, fine, rough)
    asphalt = _asphalt(scene, s, d, reach, across, along, middle, fine)
    albedo += (asphalt - albedo) * carriage[:, None]
    tag[carriage > 0.5] = Tag.ROAD
    paint = np.zeros_like(s)
    colour = np.zeros((len(s), 3), np.float32)
    for marking in scene.markings:
        _paint_line(marking, s, d, along, across, paint, colour)
    for crossing in scene.crossings:
        _paint_crossing(scene, crossing, s, d, along, across, paint, colour)
    for arrow in scene.arrows:
        _paint_arrow(arrow, s, d, reach, paint, colour)
    tag[paint > 0.5] = Tag.ROAD_LINE
    worn = 1.0 - 0.3 * np.clip(0.5 + rough * 0.3 + middle * 0.4, 0, 1)
    share = (paint * worn)[:, None]
    albedo = albedo * (1 - share) + colour * worn[:, None] * (1 + 0.08 * fine[:, None])
    return Ground(np.clip(albedo, 0.005, 0.9), tag, paint, carriage, rough * 0.8 + middle * 0.5)


def _corners(scene: Scene, crossing: Crossing, s: F32, d: F32) -> F32:
    """Rounded corners where kerbs meet."""
    radius = 4.0 if scene.road.kerbs else 6.0
    ds = np.abs(s - crossing.s_m) - crossing.half_width_m
    dd = np.maximum(d - scene.road.left_m, scene.road.right_m - d)
    near = (ds > 0) & (ds < radius) & (dd > 0) & (dd < radius)
    outside = (radius - ds) ** 2 + (radius - dd) ** 2 > radius**2
    return np.asarray(near & outside, np.float32)


def _asphalt(
    scene: Scene, s: F32, d: F32, reach: F32, across: F32, along: F32, middle: F32, fine: F32
) -> F32:
    road = scene.road
    tone = np.full_like(s, road.tone)
    tone *= 1.0 + 0.05 * middle + 0.13 * fine
    for lane in scene.lanes:
        offset = np.abs(d - lane.centre_m)
        # Wheels polish two tracks; oil darkens the middle of a lane.
        tone *= 1.0 + 0.07 * np.exp(-(((offset - 0.78) / 0.3) ** 2)) - 0.08 * np.exp(-((offset / 0.35) ** 2))
    # Mended rectangles, each a little lighter or darker.
    block_s, block_d = np.floor(s / 9.0), np.floor(d / 3.1)
    pick = hash01(block_s, block_d, road.seed)
    inner = hash01(block_d, block_s, road.seed + 1)
    length = 1.5 + 6.0 * inner
    inside = band(s - block_s * 9.0, 0.6, 0.6 + 1.0, along) * 0
    inside = (
        ((s - block_s * 9.0) > 0.6)
        & ((s - block_s * 9.0) < 0.6 + length)
        & ((d - block_d * 3.1) > 0.3)
        & ((d - block_d * 3.1) < 2.7)
    )
    mended = inside & (pick < road.patches * 0.22)
    tone *= np.where(mended & (reach < 3.0), 0.72 + 0.5 * inner, 1.0)
    # Cracks follow the zero line of a coarse noise.
    crack = np.abs(sample(fractal(3, 8, 21 + road.seed % 3), s / 23.0, d / 23.0))
    width = np.maximum(0.012, reach * 0.05)
    strength = np.clip(1.0 - crack / width, 0, 1) * np.exp(-reach / 0.12) * (road.patches > 0.35)
    tone *= 1.0 - 0.5 * strength
    if road.kerbs:
        gutter = band(d, road.right_m, road.right_m + 0.35, across) + band(
            d, road.left_m - 0.35, road.left_m, across
        )
        tone *= 1.0 - 0.25 * gutter
    return np.asarray(tone[:, None] * np.array([0.985, 1.0, 1.02], np.float32), np.float32)


def _verge(
    scene: Scene, s: F32, d: F32, across: F32, along: F32, junction: F32, middle: F32, fine: F32, rough: F32
) -> tuple[F32, npt.NDArray[np.uint8]]:
    road = scene.road
    grassy = scene.place != "city"
    base = np.array(road.ground, np.float32)
    vary = 1.0 + (0.22 * middle + 0.16 * rough + 0.35 * fine) * (1.0 if grassy else 0.45)
    albedo = np.maximum(base * vary[:, None], 0.004).astype(np.float32)
    if grassy:
        albedo[:, 0] *= 1.0 + 0.18 * rough
    tag = np.full(len(s), Tag.TERRAIN if grassy else Tag.SIDEWALK, np.uint8)
    if scene.place in ("rural", "highway"):
        gravel = band(d, road.right_m - 0.9, road.left_m + 0.9, across)
        stone = (
            np.float32(0.2)
            * (1 + 0.12 * middle + 0.35 * fine)[:, None]
            * np.array([1.03, 1.0, 0.94], np.float32)
        )
        albedo += (stone - albedo) * gravel[:, None]
        tag[gravel > 0.5] = Tag.GROUND
    left, right = road.pavement_m
    if left > 0 or right > 0:
        walk = band(d, road.right_m - right, road.left_m + left, across)
        for crossing in scene.crossings:
            w = crossing.half_width_m + right
            walk = np.maximum(walk, band(s, crossing.s_m - w, crossing.s_m + w, along))
        slab = 0.6 + (road.seed % 4) * 0.3
        joint = np.maximum(pulses(s, 0.025, slab - 0.025, along), pulses(d, 0.025, slab - 0.025, across))
        shade = 0.92 + 0.16 * hash01(np.floor(s / slab), np.floor(d / slab), road.seed)
        faded = np.exp(-np.maximum(across, along) / (0.6 * slab))
        tone = (1 + (shade - 1) * faded) * (1 - 0.3 * joint) * (1 + 0.06 * middle + 0.1 * fine)
        slabs = np.array(road.pavement, np.float32) * tone[:, None]
        albedo += (slabs - albedo) * walk[:, None]
        tag[walk > 0.5] = Tag.SIDEWALK
    if road.kerbs:
        kerb = band(d, road.left_m, road.left_m + KERB_M, across) + band(
            d, road.right_m - KERB_M, road.right_m, across
        )
        kerb *= 1 - junction
        stone = (
            np.float32(0.46) * (1.0 - 0.35 * pulses(s, 0.03, 0.97, along))[:, None] * np.ones(3, np.float32)
        )
        albedo += (stone - albedo) * kerb[:, None]
    return albedo, tag


def _lay(paint: F32, colour: F32, where: npt.NDArray[np.intp], cover: F32, tint: F32) -> None:
    """Lay paint over what is there."""
    colour[where] = colour[where] * (1 - cover[:, None]) + tint * cover[:, None]
    paint[where] = paint[where] * (1 - cover) + cover


def _paint_line(marking: Marking, s: F32, d: F32, along: F32, across: F32, paint: F32, colour: F32) -> None:
    half = marking.width_m / 2
    spread = half * 3.2 if marking.kind == "double" else half
    beside = np.abs(d - marking.offset_m) < spread + across
    where = np.flatnonzero(beside & (s > marking.start_m - along) & (s < marking.end_m + along))
    if len(where) == 0:
        return
    s, d, along, across = s[where], d[where], along[where], across[where]
    offset = marking.offset_m
    if marking.kind == "double":
        cover: F32 = band(d, offset - half * 3, offset - half, across)
        cover = cover + band(d, offset + half, offset + half * 3, across)
    else:
        cover = band(d, offset - half, offset + half, across)
    cover = cover * band(s, marking.start_m, marking.end_m, along)
    if marking.kind == "dashed":
        cover = cover * pulses(s, marking.dash_m, marking.gap_m, along)
    _lay(
        paint,
        colour,
        where,
        np.clip(cover, 0, 1),
        PAINT_YELLOW if marking.colour == "yellow" else PAINT_WHITE,
    )


def _paint_crossing(
    scene: Scene, crossing: Crossing, s: F32, d: F32, along: F32, across: F32, paint: F32, colour: F32
) -> None:
    road = scene.road
    w = crossing.half_width_m
    for sign in (-1, 1):
        near, far = sorted((crossing.s_m + sign * (w + 1.2), crossing.s_m + sign * (w + 1.2 + CROSS_WALK_M)))
        if crossing.zebra:
            where = np.flatnonzero(
                (s > near - along) & (s < far + along) & (d < road.left_m - 0.3) & (d > road.right_m + 0.3)
            )
            if len(where):
                cover = band(s[where], near, far, along[where]) * pulses(
                    d[where] - road.right_m, 0.5, 0.5, across[where]
                )
                _lay(paint, colour, where, cover, PAINT_WHITE)
        stop = crossing.s_m + sign * (w + (5.6 if crossing.zebra else 1.6))
        lanes = [lane for lane in scene.lanes if lane.direction == -sign]
        if lanes and (crossing.signalled or crossing.zebra):
            low = min(lane.centre_m - lane.width_m / 2 for lane in lanes) + 0.15
            high = max(lane.centre_m + lane.width_m / 2 for lane in lanes) - 0.15
            where = np.flatnonzero((np.abs(s - stop) < 0.3 + along) & (d > low) & (d < high))
            if len(where):
                _lay(
                    paint, colour, where, band(s[where], stop - 0.22, stop + 0.22, along[where]), PAINT_WHITE
                )
    # The lane line of the crossing road, beyond the junction.
    where = np.flatnonzero(
        (np.abs(s - crossing.s_m) < 0.2 + along) & ((d > road.left_m + 4) | (d < road.right_m - 4))
    )
    if len(where):
        middle = band(s[where], crossing.s_m - 0.07, crossing.s_m + 0.07, along[where])
        _lay(paint, colour, where, middle, PAINT_YELLOW if (road.seed & 1) else PAINT_WHITE)


def _paint_arrow(arrow: Arrow, s: F32, d: F32, reach: F32, paint: F32, colour: F32) -> None:
    where = np.flatnonzero((np.abs(s - arrow.s_m) < 2.6) & (np.abs(d - arrow.d_m) < 1.0))
    if len(where) == 0:
        return
    x = (s[where] - arrow.s_m) * arrow.direction
    y = (d[where] - arrow.d_m) * arrow.direction
    soft = np.maximum(reach[where] * 0.5, 0.01)

    def inside(distance: F32) -> F32:
        return np.asarray(np.clip(0.5 - distance / soft, 0, 1), np.float32)

    if arrow.turn == "straight":
        shaft = inside(np.maximum(np.abs(y) - 0.08, np.abs(x + 0.7) - 1.3))
        tip = inside(np.maximum(np.abs(y) - (2.0 - x) * 0.26, np.maximum(0.6 - x, x - 2.0)))
    else:
        side = y if arrow.turn == "left" else -y
        shaft = inside(np.maximum(np.abs(y) - 0.08, np.abs(x + 0.7) - 1.3))
        shaft = np.maximum(shaft, inside(np.maximum(np.abs(x - 0.5) - 0.12, np.abs(side - 0.2) - 0.28)))
        tip = inside(np.maximum(np.abs(x - 0.5) - (0.95 - side) * 0.8, np.maximum(0.45 - side, side - 0.95)))
    _lay(paint, colour, where, np.maximum(shaft, tip), PAINT_WHITE)
