"""Ground: nothing lies or stands on plain ground that the source does not show there.

Where the source shows nothing but ground, structure and colour that last along its motion and that the light
around does not explain belong to something new: a thing, a smear, a patch of another place. Moved shadows
are honest, so that brightness must differ by more than they do; colour is judged more sharply. Wet ground
mirrors, snow draws tracks and lamps draw cones: brightness is not judged there, and colour less.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Finding
from worldgen.datatypes.tags import EGO, FLAT
from worldgen.imaging.explained import COLOUR, LUMA_PART, Planes, compare_pair, contrast_planes, over_tiles
from worldgen.imaging.structure import tile_sum

_PAIRS: Final = 16
"""At most so many pairs of neighbouring frames are compared, evenly spread."""
_SPAN: Final = 8
"""So many pairs are summed."""

Stack = npt.NDArray[np.float32]


def nothing_on_ground(evidence: Evidence) -> tuple[Finding, ...]:
    """Measure what lasts on plain ground and is not explained, in levels (root mean square of a place)."""
    source, tags, view = evidence.source, evidence.tags, evidence.candidate
    if not evidence.comparable or source is None or tags is None or len(view) < 3:
        return ()
    limits, spec = evidence.thresholds.ground, evidence.spec
    tile = evidence.thresholds.tile_of(view.size[0])
    ground = np.isin(tags, list(FLAT))
    rows = np.flatnonzero(ground.any(axis=(0, 2)))
    if not len(rows):
        return ()
    # Whole tiles from a little above the first row of ground on.
    top = max(0, int(rows[0]) // tile * tile - 2 * tile)
    pairs = [int(i) for i in np.unique(np.linspace(0, len(view) - 2, min(len(view) - 1, _PAIRS)).round())]
    plain = np.stack([_share(ground[i, top:], tags[i, top:] == EGO, tile) for i in pairs])
    rest = _unexplained(evidence, pairs, top, tile)
    span = min(_SPAN, len(pairs))
    starts = sorted({*range(0, len(pairs) - span + 1, max(1, span // 2)), len(pairs) - span})
    rest = np.stack([_over(rest[a : a + span].mean(axis=0)) for a in starts])
    plain = np.stack([_over(plain[a : a + span].mean(axis=0)[..., None])[..., 0] for a in starts])
    judged = plain > limits.plain_share
    if judged.sum() < limits.least_places:
        return ()
    draws = spec is not None and bool(
        spec.wetness or spec.rain_mm_h or spec.snow_cover or spec.sand_cover or spec.snow_mm_h
    )
    sun = None if spec is None else spec.sun_elevation_deg
    by_lamps = sun is not None and sun < limits.night_deg
    glows = sun is not None or (spec is not None and bool(spec.wetness or spec.rain_mm_h))
    colour = limits.colour_lamps if by_lamps else limits.colour_glow if glows else limits.colour
    found = [
        _finding(
            evidence,
            "ground.colour",
            np.where(judged, rest[..., 1], 0),
            colour,
            [(pairs[a], pairs[a + span - 1] + 1) for a in starts],
            top // tile,
        )
    ]
    if not draws and not by_lamps:
        found.append(
            _finding(
                evidence,
                "ground.structure",
                np.where(judged, rest[..., 0], 0),
                limits.luma,
                [(pairs[a], pairs[a + span - 1] + 1) for a in starts],
                top // tile,
            )
        )
    return tuple(found)


def _share(ground: npt.NDArray[np.bool_], own: npt.NDArray[np.bool_], tile: int) -> Stack:
    """Share of ground in each tile; none where the own car is seen."""
    share = tile_sum(ground.astype(np.float32), tile) / np.float32(tile * tile)
    return np.where(tile_sum(own.astype(np.float32), tile) > 0, 0, share).astype(np.float32)


def _over(tiles: Stack) -> Stack:
    """Mean over two by two tiles."""
    mean = cv2.boxFilter(tiles, -1, (2, 2), normalize=True, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(mean.reshape(tiles.shape), np.float32)


def _unexplained(evidence: Evidence, pairs: list[int], top: int, tile: int) -> Stack:
    """Power of what lasts without a cause, squared levels; [pairs, rows, columns, (luma, colour)]."""
    source, view, light = evidence.source, evidence.candidate, evidence.predicted_transmission
    assert source is not None  # noqa: S101 -- asked for before
    kept: dict[tuple[bool, int], Planes] = {}

    def planes(i: int, *, own: bool) -> Planes:
        if (own, i) not in kept:
            kept[own, i] = contrast_planes((source if own else view).rgb[i, top:])
        return kept[own, i]

    out = []
    for i in pairs:
        for key in [k for k in kept if k[1] < i]:
            del kept[key]
        pair = compare_pair(
            (planes(i, own=True), planes(i + 1, own=True)),
            (planes(i, own=False), planes(i + 1, own=False)),
            source.flow(i)[top:],
            tile,
            None if light is None else (light[i, top:], light[i + 1, top:]),
        )
        sums = over_tiles(pair, tile) / np.float32(tile * tile)
        out.append(sums[..., [LUMA_PART, COLOUR]])
    return np.stack(out)


def _finding(
    evidence: Evidence, check: str, power: Stack, limit: float, spans: list[tuple[int, int]], first_row: int
) -> Finding:
    at, row, column = np.unravel_index(int(power.argmax()), power.shape)
    value = float(np.sqrt(max(power[at, row, column], 0.0)))
    passed = value <= limit
    what = "colour" if check.endswith("colour") else "structure"
    tiles = (
        max(int(column) - 1, 0),
        max(int(row) - 1, 0) + first_row,
        int(column) + 1,
        int(row) + 1 + first_row,
    )
    return Finding(
        check=check,
        passed=passed,
        value=value,
        threshold=limit,
        unit="levels",
        places=() if passed else (evidence.place(*spans[int(at)], tiles),),
        reason=(
            f"no {what} lasts on plain ground that the source does not show there"
            if passed
            else f"{what} lasts on plain ground that the source does not show there ({value:.0f} levels)"
        ),
    )
