"""Markings: paint on the road stays where it was, keeps its colour, and none is added.

Judged on the road seen from above (`imaging.roadmap`), in linear light, as contrast against the asphalt
beside it: light and shade fall on paint and asphalt alike, so that neither dusk nor a shadow moves the ratio,
while haze lowers it everywhere. Snow hides paint, and a wet road mirrors over it: there less is asked, or
nothing.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.thresholds import MarkingLimits
from worldgen.datatypes import Box2d, Finding, Place, Tag
from worldgen.imaging.edges import LUMA
from worldgen.imaging.roadmap import GroundCells, Map, Maps, ground_cells, window

_FRAMES: Final = 24
"""At most so many frames of a clip are gathered, evenly spread."""
_FLOOR: Final = 0.004
"""Linear light below which ratios mean little: black level and rounding."""
_LONG_M: Final = 3.0
"""Length over which paint is averaged: a dash."""
_NEW_LONG_M: Final = 5.0
_CELL_PIXELS: Final = 6.0
"""Pixels from which a cell counts fully."""


@dataclass(frozen=True, slots=True, eq=False)
class Road:
    """The road of one case seen from above, in linear light."""

    cells: GroundCells
    frames: tuple[int, ...]
    weight: Map
    """How well each cell is seen, 0..6."""
    source: Maps
    candidate: Maps
    paint: Map
    """Share of paint in each cell, by the source's tags."""


def paint_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """Paint must stand out from the asphalt as it did, keep its colour, and not be added."""
    spec = evidence.spec
    if not evidence.comparable:
        return ()
    if spec is not None and (spec.snow_cover or spec.sand_cover):
        return ()  # covered: nothing can be said
    road = _road(evidence)
    if road is None:
        return ()
    limits = evidence.thresholds.markings
    mirrors = spec is not None and bool(spec.wetness or spec.rain_mm_h)
    paint = _Paint.of(road, limits)
    findings: list[Finding] = []
    if paint.judged.sum() >= limits.least_cells:
        findings += _kept(evidence, road, paint, mirrors=mirrors)
        findings += _colour(evidence, road, paint)
    if not mirrors:  # mirror images of lamps and poles lie on a wet road like lines
        findings += _added(evidence, road, paint)
    return tuple(findings)


def _road(evidence: Evidence) -> Road | None:
    geometry, tags, depth, source = evidence.geometry, evidence.tags, evidence.depth_m, evidence.source
    if geometry is None or geometry.pose is None or tags is None or depth is None or source is None:
        return None
    lines = tags == Tag.ROAD_LINE
    if not lines.any():
        return None
    count = len(evidence.candidate)
    frames = tuple(int(i) for i in np.unique(np.linspace(0, count - 1, min(count, _FRAMES)).round()))
    camera = geometry.camera.scaled(*evidence.candidate.size)
    cells = ground_cells(lines | (tags == Tag.ROAD), depth, geometry.pose, camera, frames)
    if cells is None:
        return None
    linear = _linear()
    shown = [np.dstack([linear[source.rgb[i]], lines[i].astype(np.float32)]) for i in frames]
    weight, before = cells.gather(shown)
    _, after = cells.gather([linear[evidence.candidate.rgb[i]] for i in frames])
    return Road(
        cells, frames, np.minimum(weight, np.float32(_CELL_PIXELS)), before[..., :3], after, before[..., 3]
    )


@lru_cache(maxsize=1)
def _linear() -> npt.NDArray[np.float32]:
    return ((np.arange(256) / 255) ** 2.2).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Paint:
    """Paint against the asphalt beside it, per cell of paint."""

    judged: npt.NDArray[np.bool_]
    contrast_before: Map
    """log of paint over asphalt, luminance."""
    contrast: Map
    warmth_before: Map
    """The same of red less that of blue: 0 for white paint, well above 0 for yellow."""
    warmth: Map

    @classmethod
    def of(cls, road: Road, limits: MarkingLimits) -> "_Paint":
        """Compare each piece of paint with the asphalt around it."""
        paint = np.where(road.paint > 0.6, road.weight, 0).astype(np.float32)
        bare = cv2.dilate(road.paint, np.ones((3, 3), np.uint8)) < 0.02
        asphalt = np.where(bare, road.weight, 0).astype(np.float32)
        paint_seen, asphalt_seen = window(paint, _LONG_M, 0.75), window(asphalt, _LONG_M, 2.6)
        cells = window((paint > 0).astype(np.float32), _LONG_M, 0.75)
        beside = _mean(road.candidate, asphalt, asphalt_seen, 2.6)
        ratios_before = _ratios(
            _mean(road.source, paint, paint_seen, 0.75), _mean(road.source, asphalt, asphalt_seen, 2.6)
        )
        ratios = _ratios(_mean(road.candidate, paint, paint_seen, 0.75), beside)
        level = np.asarray(beside @ LUMA, np.float32)
        off = (road.candidate @ LUMA - level) ** 2 * asphalt
        spread = window(np.asarray(off, np.float32), _LONG_M, 2.6) / np.maximum(asphalt_seen, 1e-3)
        noise = np.sqrt(np.maximum(spread, 0) / np.maximum(cells, 1)) / (level + _FLOOR)
        judged = (paint > 0) & (paint_seen > 12) & (asphalt_seen > 20) & (cells >= 3)
        judged &= (ratios_before[0] > limits.contrast) & (0.5 * ratios_before[0] > 3 * noise)
        judged &= level > _FLOOR
        # Bars of a crossing have no asphalt beside them that a codec would keep apart.
        judged &= window((paint > 0).astype(np.float32), 1.5, 2.6) < 0.35 * window(
            (road.weight > 0).astype(np.float32), 1.5, 2.6
        )
        return cls(judged, ratios_before[0], ratios[0], ratios_before[1], ratios[1])

    @property
    def kept(self) -> Map:
        """Contrast that is left, as a share."""
        return np.asarray(self.contrast / np.maximum(self.contrast_before, 0.1), np.float32)


def _mean(values: Maps, weight: Map, total: Map, across_m: float) -> Maps:
    sums = [window(np.ascontiguousarray(values[..., k] * weight), _LONG_M, across_m) for k in range(3)]
    return np.asarray(np.dstack(sums) / np.maximum(total, 1e-3)[..., None], np.float32)


def _ratios(paint: Maps, asphalt: Maps) -> tuple[Map, Map]:
    """Contrast of luminance, and of red less that of blue; natural logarithms."""
    by_channel = np.log((paint + _FLOOR) / (asphalt + _FLOOR))
    contrast = np.log((paint @ LUMA + _FLOOR) / (asphalt @ LUMA + _FLOOR))
    return np.asarray(contrast, np.float32), np.asarray(by_channel[..., 0] - by_channel[..., 2], np.float32)


def _kept(evidence: Evidence, road: Road, paint: _Paint, *, mirrors: bool) -> tuple[Finding, ...]:
    limits = evidence.thresholds.markings
    hazy = evidence.predicted_transmission is not None
    limit = limits.kept_mirrored if mirrors else limits.kept_haze if hazy else limits.kept
    limit = max(limit, evidence.narrower("markings.kept", least=True) or 0.0)
    kept = np.where(paint.judged, paint.kept, np.inf)
    worst = np.sort(kept.ravel())
    count = int(paint.judged.sum())
    # Mirror images may turn the contrast of any one line over; of most paint they do not.
    sun = None if evidence.spec is None else evidence.spec.sun_elevation_deg
    by_lamps = sun is not None and sun < limits.night_deg
    share = limits.lamps_share if by_lamps else limits.cells_share
    spared = min(max(limits.cells, round(share * count)), count - 1)
    value = float(worst[count // 2 if mirrors else spared])
    passed = value >= limit
    return (
        Finding(
            check="markings.kept",
            passed=passed,
            value=value,
            threshold=limit,
            unit="of the contrast",
            places=() if passed else _places(evidence, road, kept <= value),
            reason=(
                f"{'most' if mirrors or by_lamps else 'the weakest'} paint keeps {value:.0%} of its contrast "
                "against the road"
            ),
        ),
    )


def _colour(evidence: Evidence, road: Road, paint: _Paint) -> tuple[Finding, ...]:
    limits = evidence.thresholds.markings
    shown = paint.judged & (paint.contrast > limits.shown_contrast)
    if shown.sum() < limits.least_cells:
        return ()
    # Haze and codecs take colour from paint, and nothing honest gives it any.
    gain = paint.warmth - np.maximum(paint.warmth_before, 0) * np.clip(paint.kept, 0, 1.2)
    value = float(np.quantile(gain[shown], 0.95))
    limit = evidence.at_most(
        "markings.colour", limits.warmer_lamps if evidence.asked.is_dark else limits.warmer
    )
    passed = value <= limit
    return (
        Finding(
            check="markings.colour",
            passed=passed,
            value=value,
            threshold=limit,
            unit="log ratio",
            places=() if passed else _places(evidence, road, shown & (gain >= min(value, limit))),
            reason=(
                "no paint became yellow"
                if passed
                else f"paint became yellow: red over blue rose {np.exp(value):.1f} times against the road's"
            ),
        ),
    )


def _added(evidence: Evidence, road: Road, paint: _Paint) -> tuple[Finding, ...]:
    """Look for bright ridges along the way where the source has none."""
    limits = evidence.thresholds.markings
    clear = cv2.dilate(road.paint, np.ones((3, 5), np.uint8)) < 0.02
    weight = np.where(clear, road.weight, 0).astype(np.float32)
    narrow, wide = window(weight, _NEW_LONG_M, 0.3), window(weight, _NEW_LONG_M, 1.4)
    cells = window((weight > 0).astype(np.float32), _NEW_LONG_M, 0.3)
    judged = (narrow > 25) & (wide > 100) & (cells >= 8)
    if judged.sum() < limits.least_road_cells:
        return ()
    before, after = (_ridge(m, weight, (narrow, wide)) for m in (road.source, road.candidate))
    usual = 1.0
    if evidence.predicted_transmission is not None and paint.judged.any():
        usual = float(np.clip(np.median(paint.kept[paint.judged]), 0.3, 1.0))
    new = np.where(judged, (after - np.maximum(before, 0)) / usual, -np.inf)
    value = float(np.sort(new.ravel())[::-1][limits.new_cells])
    limit = limits.new_dark if evidence.asked.is_dark else limits.new
    passed = value <= limit
    return (
        Finding(
            check="markings.added",
            passed=passed,
            value=value,
            threshold=limit,
            unit="log contrast",
            places=() if passed else _places(evidence, road, new >= limit),
            reason=(
                "no line is on the road that the source does not have"
                if passed
                else f"a line is on the road that the source does not have ({np.exp(value) - 1:.0%} brighter)"
            ),
        ),
    )


def _ridge(values: Maps, weight: Map, seen: tuple[Map, Map]) -> Map:
    light = np.ascontiguousarray((values @ LUMA) * weight, np.float32)
    narrow, wide = (
        window(light, _NEW_LONG_M, side) / np.maximum(total, 1e-3)
        for side, total in zip((0.3, 1.4), seen, strict=True)
    )
    return np.asarray(np.log((narrow + _FLOOR) / (wide + _FLOOR)), np.float32)


def _places(evidence: Evidence, road: Road, marked: npt.NDArray[np.bool_]) -> tuple[Place, ...]:
    """Name the frame that shows most of the marked cells, and the box around them."""
    flat = marked.ravel()
    shown = [flat[cells] for cells in road.cells.cells]
    best = int(np.argmax([s.sum() for s in shown]))
    pixels = road.cells.pixels[best][shown[best]]
    if not len(pixels):
        return ()
    rows, columns = np.divmod(pixels, evidence.candidate.size[0])
    scale = evidence.candidate.scale
    box = Box2d(
        left=float(columns.min()) / scale,
        top=float(rows.min()) / scale,
        right=float(columns.max() + 1) / scale,
        bottom=float(rows.max() + 1) / scale,
    )
    return (Place(first_frame=road.frames[0], last_frame=road.frames[-1], box2d=box),)
