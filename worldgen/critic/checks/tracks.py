"""Tracks: along its way a thing keeps its likeness to the source, and its colour.

A condition changes a thing's look slowly or not at all; what vanishes, jumps, halts or is painted over in the
middle of a clip changes it from one moment to the next. Each thing is compared with itself at other times, so
that no haze or dusk has to be known. Where haze, flakes or drops may hide a thing for a moment more is let
pass, and by lamp light nothing is said about likeness.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.redrawn import lit
from worldgen.datatypes import Finding, Tag
from worldgen.datatypes.tags import EGO

Table = npt.NDArray[np.float32]

_RING = 5
"""A thing is compared together with its outline: two pixels around it."""
_SOFT = 0.18
"""What a Gaussian of 0.7 pixels leaves of white noise's variance, 1 / (4 pi 0.49)."""
_ROUNDING = 0.3
"""Variance that codecs and rounding leave per pixel and channel, levels squared."""
_DARK = 8.0
"""Levels added before ratios of channels are taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Sums per frame and thing; all [t, things], colours [t, things, 3]."""

    pixels: Table
    """With the ring."""
    own_pixels: Table
    source: Table
    """Fine variance times pixels, over three channels, squared levels."""
    candidate: Table
    shared: Table
    noise: Table
    """What noise and rounding add to `candidate`."""
    source_rgb: Table
    candidate_rgb: Table


def things_steady(evidence: Evidence) -> tuple[Finding, ...]:
    """Things must not change their likeness to the source at once, nor have another colour."""
    if not evidence.comparable or evidence.objects is None or len(evidence.objects[0]) < 2:
        return ()
    tracks = _measure(evidence)
    found = (_likeness(evidence, tracks), _paint(evidence, tracks))
    findings = [f for f in found if f is not None]
    return tuple(findings)


def _measure(evidence: Evidence) -> Tracks:
    assert evidence.objects is not None and evidence.source is not None  # noqa: S101, PT018 -- asked for before
    ids, things = evidence.objects
    count, rows = len(ids), []
    for i, plane in enumerate(things):
        before, fine_before = _planes(evidence.source.rgb[i])
        after, fine_after = _planes(evidence.candidate.rgb[i])
        wide = cv2.dilate(plane.astype(np.uint16), np.ones((_RING, _RING), np.uint8)).ravel()
        shining = lit(evidence, i)
        near = np.flatnonzero(wide)
        own = np.flatnonzero(plane.ravel() if shining is None else np.where(shining, 0, plane).ravel())
        index, own_index = wide[near], plane.ravel()[own]
        pixels, own_pixels = np.bincount(index, minlength=count), np.bincount(own_index, minlength=count)
        sums = np.zeros((3, count))
        for k in range(3):
            a, b = (
                _centred(p[..., k].ravel()[near], np.asarray(index, np.uint16), pixels)
                for p in (fine_before, fine_after)
            )
            for row, product in enumerate((a * a, b * b, a * b)):
                sums[row] += np.bincount(index, product, minlength=count)
        per = np.maximum(own_pixels, 1)
        means = [
            np.stack(
                [np.bincount(own_index, p[..., k].ravel()[own], minlength=count) / per for k in range(3)], -1
            )
            for p in (before, after)
        ]
        noise = 3 * pixels * (float(evidence.candidate.noise[i]) ** 2 * _SOFT + _ROUNDING)
        rows.append((pixels, own_pixels, *sums, noise, *means))
    return Tracks(*(np.stack(column).astype(np.float32) for column in zip(*rows, strict=True)))


def _planes(frame: npt.NDArray[np.uint8]) -> tuple[Table, Table]:
    """Soften a frame, and take its slow part away: glare, glow and cones of light."""
    side = max(25, frame.shape[1] // 10 | 1)
    soft = cv2.GaussianBlur(frame, (0, 0), 0.7).astype(np.float32)
    return soft, np.subtract(soft, cv2.blur(soft, (side, side)))


def _centred(values: Table, index: npt.NDArray[np.uint16], pixels: npt.NDArray[np.integer[Any]]) -> Table:
    mean = np.bincount(index, values, minlength=len(pixels)) / np.maximum(pixels, 1)
    return np.asarray(values - mean[index], np.float32)


def _likeness(evidence: Evidence, tracks: Tracks) -> Finding | None:
    """Compare each thing in neighbouring spans of frames: correlation and contrast left must not jump."""
    limits, spec = evidence.thresholds.tracks, evidence.spec
    if spec is not None and spec.sun_elevation_deg is not None and spec.sun_elevation_deg < limits.night_deg:
        return None
    span = limits.frames
    if len(tracks.pixels) < 2 * span:
        return None
    source, candidate, shared, noise, pixels = (
        _runs(v, span) for v in (tracks.source, tracks.candidate, tracks.shared, tracks.noise, tracks.pixels)
    )
    seen = _runs((tracks.own_pixels >= limits.pixels).astype(np.float32), span) >= span - 0.5
    seen &= source > limits.contrast**2 * 1.5 * pixels
    seen[:, 0] = False
    gain = shared / np.maximum(source, 1)
    best = np.where(seen, gain, 0).max(axis=0)
    due = np.clip(best, 0, 2) ** 2 * source
    seen &= due > limits.signal * (noise + 1)
    likeness = shared / np.sqrt(source * np.maximum(candidate - noise, 0.25 * due) + 1)
    likeness, gain = np.where(seen, likeness, np.nan), np.where(seen, gain, np.nan)
    before, after = likeness[:-span], likeness[span:]
    jump = np.abs(before - after)
    largest = np.fmax(np.fmax(np.abs(gain[:-span]), np.abs(gain[span:])), 0.05)
    # Both must change: what comes out of haze gains contrast slowly, what a drop crosses keeps its gain.
    jump = np.minimum(jump, np.abs(gain[:-span] - gain[span:]) / largest)
    jump = np.where(np.fmax(before, after) > limits.alike, jump, np.nan)
    if np.isnan(jump).all():
        return None
    hidden = spec is not None and any((spec.fog_mor_m, spec.dust_mor_m, spec.rain_mm_h, spec.snow_mm_h))
    limit = limits.jump_hidden if hidden else limits.jump
    at, thing = np.unravel_index(int(np.nanargmax(jump)), jump.shape)
    value = float(jump[at, thing])
    passed = value <= limit
    return Finding(
        check="objects.steady",
        passed=passed,
        value=value,
        threshold=limit,
        unit="correlation",
        places=() if passed else (evidence.object_place(int(at), int(at) + 2 * span - 1, int(thing)),),
        reason=(
            f"no thing changes its likeness to the source at once (largest change {value:.2f})"
            if passed
            else f"a thing's likeness to the source changes by {value:.2f} within {2 * span} frames"
        ),
    )


def _paint(evidence: Evidence, tracks: Tracks) -> Finding | None:
    """Compare each thing's colour over the whole clip: a condition tints all things alike, or greys them.

    The ratio of two channels must lie between the thing's own, tinted as the picture is, and the tint alone.
    """
    limits = evidence.thresholds.tracks
    weight = tracks.own_pixels[..., None]
    total = tracks.own_pixels.sum(axis=0)
    before, after = (
        (rgb * weight).sum(axis=0) / np.maximum(total, 1)[..., None]
        for rgb in (tracks.source_rgb, tracks.candidate_rgb)
    )
    frames = (tracks.own_pixels >= limits.pixels).sum(axis=0)
    seen = (frames >= min(limits.paint_frames, len(tracks.pixels))) & (total > limits.pixels * frames)
    seen &= (before[:, 1] > limits.bright) & (after[:, 1] > limits.bright)
    seen[0] = False
    if not seen.any():
        return None
    tint = _tint(evidence)
    over = np.zeros(len(seen))
    for channel, limit in ((0, limits.red_paint), (2, limits.blue_paint)):
        own, shown = (np.log((m[:, channel] + _DARK) / (m[:, 1] + _DARK)) for m in (before, after))
        whole, grey = own + tint[channel], np.full_like(own, tint[channel])
        beyond = np.maximum(np.minimum(whole, grey) - shown, shown - np.maximum(whole, grey))
        over = np.maximum(over, np.where(seen, beyond / limit, 0))
    thing = int(over.argmax())
    value = float(over[thing])
    limit = limits.paint_dark if evidence.asked.is_dark else 1.0
    passed = value <= limit
    return Finding(
        check="colour.things",
        passed=passed,
        value=value,
        threshold=limit,
        unit="of the limit",
        places=() if passed else (evidence.object_place(0, len(evidence.candidate) - 1, thing),),
        reason=(
            "every thing has its own colour, but for the light"
            if passed
            else "a thing has another colour than in the source, more than the light explains"
        ),
    )


def _tint(evidence: Evidence) -> npt.NDArray[np.float64]:
    """Change of log(channel / green) of the picture below the sky, in the median pixel."""
    assert evidence.source is not None  # noqa: S101 -- asked for before
    frames = np.unique(np.linspace(0, len(evidence.candidate) - 1, 5).round().astype(int))
    views = [v.rgb[frames][:, ::2, ::2] for v in (evidence.source, evidence.candidate)]
    if evidence.tags is not None:
        inside = ~np.isin(evidence.tags[frames][:, ::2, ::2], [Tag.SKY, EGO])
        pixels = [v[inside] for v in views] if inside.any() else [v.reshape(-1, 3) for v in views]
    else:
        pixels = [v.reshape(-1, 3) for v in views]
    before, after = (np.log(np.median(p, axis=0) + _DARK) for p in pixels)
    return np.asarray((after - after[1]) - (before - before[1]), np.float64)


def _runs(table: Table, frames: int) -> Table:
    total = np.cumsum(table, axis=0, dtype=np.float64)
    total = np.concatenate([np.zeros((1, *table.shape[1:])), total])
    return np.asarray(total[frames:] - total[:-frames], np.float32)
