"""Drift: along its track a thing keeps its colour, but for what the source's own does.

Red less green and blue less green inside a thing, without its outline and its lamps, are compared between the
first and the last frames of a stretch. How much of the source's colour light and haze leave is fitted for
each thing by itself, so that only what comes or goes along the way counts.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.redrawn import lit
from worldgen.datatypes import Finding
from worldgen.datatypes.tags import ACTORS

_SPAN: Final = 17
"""Frames of a stretch: light may honestly change over longer."""
_LEAST: Final = 7
"""Frames of it in which a thing must be seen."""

Colours = npt.NDArray[np.float32]


def colour_steady(evidence: Evidence) -> tuple[Finding, ...]:
    """Actors must not drift in colour."""
    if not evidence.comparable or evidence.objects is None or len(evidence.objects[0]) < 2:
        return ()
    limits = evidence.thresholds.tracks
    pixels, before, after = _colours(evidence)
    # Small things count less: their colour is that of codecs and neighbours, too.
    trust = np.sqrt(np.minimum(pixels / (limits.drift_pixels * _area(evidence)), 1))
    seen = pixels >= limits.drift_least_pixels * _area(evidence)
    worst, at, which = 0.0, 0, 0
    for start in range(0, max(len(pixels) - _SPAN, 0) + 1, _SPAN // 2):
        part = slice(start, start + _SPAN)
        for thing in np.flatnonzero(seen[part].sum(axis=0) >= _LEAST):
            on = seen[part, thing]
            a, b = before[part, thing][on], after[part, thing][on]
            kept = float(np.clip((a * b).sum() / max(float((a * a).sum()), 1e-3), 0, 1.5))
            rest = b - np.float32(kept) * a
            ends = max(3, len(rest) // 4)
            drift = float(np.linalg.norm(rest[:ends].mean(axis=0) - rest[-ends:].mean(axis=0)))
            drift *= float(trust[part, thing][on].mean())
            if drift > worst:
                worst, at, which = drift, start, int(thing)
    limit = evidence.at_most("colour.track", limits.drift_levels)
    passed = worst <= limit
    last = min(at + _SPAN, len(pixels)) - 1
    return (
        Finding(
            check="colour.track",
            passed=passed,
            value=worst,
            threshold=limit,
            unit="levels",
            places=() if passed else (evidence.object_place(at, last, which),),
            reason=(
                "every thing keeps its colour along its track"
                if passed
                else f"a thing's colour drifts by {worst:.0f} levels along its track, beyond the source's"
            ),
        ),
    )


def _area(evidence: Evidence) -> float:
    """Pixels at working size per pixel of the pictures of 256 columns on which the numbers were set."""
    return float((evidence.candidate.size[0] / 256) ** 2)


def _colours(evidence: Evidence) -> tuple[Colours, Colours, Colours]:
    """Pixels of each thing's inside [t, things], and both clips' mean colour there [t, things, 2], levels."""
    assert evidence.objects is not None and evidence.source is not None  # noqa: S101, PT018 -- asked for before
    ids, things = evidence.objects
    count, kernel = len(ids), np.ones((3, 3), np.uint8)
    rows = []
    for i, plane in enumerate(things):
        index = plane.astype(np.uint16)
        inside = (index > 0) & (cv2.erode(index, kernel) == index) & (cv2.dilate(index, kernel) == index)
        if evidence.tags is not None:
            inside &= np.isin(evidence.tags[i], list(ACTORS))
        shining = lit(evidence, i)
        if shining is not None:
            inside &= ~(cv2.dilate(shining.astype(np.uint8), kernel) > 0)
        on = np.flatnonzero(inside)
        index = index.ravel()[on]
        pixels = np.bincount(index, minlength=count).astype(np.float32)
        means = []
        for view in (evidence.source, evidence.candidate):
            soft = cv2.GaussianBlur(view.rgb[i], (0, 0), 0.8).reshape(-1, 3)[on].astype(np.float32)
            colour = (soft[:, 0] - soft[:, 1], soft[:, 2] - soft[:, 1])
            sums = [np.bincount(index, c, minlength=count) for c in colour]
            means.append(np.stack(sums, axis=-1) / np.maximum(pixels, 1)[:, None])
        rows.append((pixels, *means))
    inside_of, of_source, of_candidate = (np.stack(c).astype(np.float32) for c in zip(*rows, strict=True))
    return inside_of, of_source, of_candidate
