"""Objects: every thing looks as in the source, as a whole and in its parts, once the weather is allowed for.

Covariance of source and candidate inside a thing (see `signature`), noise taken out, against what would be
there if the thing kept its pattern. A thing that the condition hides is not judged; the finding says so.
"""

from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.redrawn import redrawn
from worldgen.critic.signature import PARTS, Signatures, measure
from worldgen.critic.thresholds import ObjectLimits
from worldgen.datatypes import Finding, Place


def patterns_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """Every thing over a few frames, and every ninth of it over the clip, follows the source's pattern."""
    if not evidence.comparable or evidence.objects is None or evidence.source is None:
        return ()
    ids, things = evidence.objects
    if len(ids) < 2:
        return ()
    limits = evidence.thresholds.objects
    away = partial(redrawn, evidence)
    moments = measure(evidence.source, evidence.candidate, things, len(ids), away, hazed=evidence.haze_colour)
    whole = moments.over(len(things)).of_things()
    gain = _gain(whole, _clearness(evidence, things, len(ids)), limits)
    frames = min(limits.frames, len(things))
    least = limits.haze_signal if _hides(evidence) else limits.signal
    return (
        _finding(
            evidence,
            "objects.pattern",
            _likeness(moments.over(frames).of_things(), gain, limits.pixels * frames, limits, least),
            _limit(evidence, limits.pattern, limits.pattern_dusk, limits.pattern_dusk, limits.pattern_snow),
            frames,
            1,
        ),
        _finding(
            evidence,
            "objects.parts",
            _likeness(
                moments.over(len(things)),
                np.repeat(np.minimum(_own_gain(whole), 1), PARTS),
                limits.part_pixels * len(things),
                limits,
                limits.part_signal,
            ),
            _limit(evidence, limits.parts, limits.parts_dusk, limits.parts_haze, None),
            len(things),
            PARTS,
        ),
    )


def _own_gain(whole: Signatures) -> npt.NDArray[np.float32]:
    """Contrast of each thing that is left, 0..3."""
    return np.asarray(np.clip(whole.shared[0] / np.maximum(whole.source[0], 1), 0, 3), np.float32)


def _clearness(evidence: Evidence, things: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.float32]:
    """Light that haze lets through from each thing, on average; 1 without haze or where it is known."""
    if evidence.haze_light is None or evidence.haze_colour(0) is not None:
        return np.ones(count, np.float32)
    pixels = np.bincount(things.ravel(), minlength=count)
    total = np.bincount(things.ravel(), evidence.haze_light.ravel(), minlength=count)
    return np.asarray(total / np.maximum(pixels, 1), np.float32)


def _gain(
    whole: Signatures, clearness: npt.NDArray[np.float32], limits: ObjectLimits
) -> npt.NDArray[np.float32]:
    """Contrast that should be left of each thing: its own, and not far below the other things'.

    So a thing that is gone for the whole clip is missed, and one behind more haze than others is not.
    """
    own = _own_gain(whole)
    tells = whole.source[0] > limits.contrast**2 * 3 * limits.usual_pixels
    tells[0] = False
    if not tells.any():
        return own
    usual = float(np.median((own / np.maximum(clearness, 0.02))[tells]))
    due = np.float32(limits.usual_share * min(usual, 1.5)) * clearness
    return np.asarray(np.maximum(own, due), np.float32)


def _likeness(
    s: Signatures,
    gain: npt.NDArray[np.float32],
    least_pixels: float,
    limits: ObjectLimits,
    least_signal: float,
) -> npt.NDArray[np.float32]:
    """Correlation without noise, against at least half the contrast that is due; NaN where nothing is due."""
    due = np.float32(0.25) * gain * gain * s.source
    # Codecs and rounding leave errors that the noise of flat areas does not show.
    signal = due / (s.noise + np.float32(3 * limits.rounding) * s.pixels + np.float32(1e-3))
    seen = (s.pixels >= least_pixels) & (signal > least_signal)
    seen &= s.source > limits.contrast**2 * 3 * np.maximum(s.pixels, 1)
    power = s.source * np.maximum(s.candidate - s.noise, due)
    return np.asarray(np.where(seen, s.shared / np.sqrt(power + np.float32(1e-3)), np.nan), np.float32)


def _limit(evidence: Evidence, clear: float, dusk: float, haze: float, snow: float | None) -> float | None:
    """Least likeness to be asked; None where lamps, flakes or haze may honestly make another pattern."""
    spec = evidence.spec
    if spec is None or not spec.changes:
        return clear
    sun = spec.sun_elevation_deg
    if sun is not None and sun < evidence.thresholds.objects.night_deg:
        return None
    if spec.snow_cover or spec.sand_cover or spec.snow_mm_h:
        return snow
    if _hides(evidence):
        return None if snow is None else evidence.thresholds.objects.pattern_haze
    if _is_hazy(evidence):
        return haze
    return dusk if evidence.asked.is_dark else clear


def _is_hazy(evidence: Evidence) -> bool:
    spec = evidence.spec
    return spec is not None and bool(spec.fog_mor_m or spec.dust_mor_m)


def _hides(evidence: Evidence) -> bool:
    """Whether haze may hide or turn a pattern, and its fit does not say how."""
    return _is_hazy(evidence) and evidence.haze_colour(0) is None


def _finding(
    evidence: Evidence,
    check: str,
    likeness: npt.NDArray[np.float32],
    limit: float | None,
    frames: int,
    per_thing: int,
) -> Finding:
    judged = int((~np.isnan(likeness)).any(axis=0).sum())
    if limit is None or not judged:
        cause = "lamps, flakes or haze change it" if limit is None else "too little of them can be seen"
        return _made(check, None, None, limit, f"the pattern of things is not judged: {cause}", (), "info")
    at, index = (int(v) for v in np.unravel_index(int(np.nanargmin(likeness)), likeness.shape))
    value = float(likeness[at, index])
    passed = value >= limit
    assert evidence.objects is not None  # noqa: S101 -- the caller asked
    thing = index // per_thing
    what = "part of object" if per_thing > 1 else "object"
    reason = (
        f"{judged} {what}s judged: every one follows the source's pattern (least {value:.2f})"
        if passed
        else f"{what} {int(evidence.objects[0][thing])} does not look as in the source from frame {at} on"
    )
    places = () if passed else (evidence.object_place(at, at + frames - 1, thing),)
    limits, asked = evidence.thresholds.objects, evidence.asked
    is_other = asked.is_relit or asked.is_dark or _is_hazy(evidence)
    loosest = limits.pattern_gone_relit if is_other else limits.pattern_gone
    # Parts may honestly turn against the source's, and so may what stands in haze that no fit explains, or
    # behind streaks beside its mirror image: they reject only where a narrower limit is known.
    is_rainy = evidence.spec is not None and bool(evidence.spec.rain_mm_h)
    may_turn = per_thing > 1 or is_rainy or _hides(evidence)
    # Where hardly anything is asked, as in snow, what lies below it is for review.
    gone = loosest if not may_turn and limits.pattern_gone < limit else float("-inf")
    narrow = evidence.narrower(check, least=True)
    if narrow is not None:
        gone = max(gone, min(narrow, limit))
    is_gone = value < gone
    # Review: on unseen scenes it failed a third of honest physics, too; see the table in README.md.
    return _made(check, passed, value, limit, reason, places, "reject" if is_gone else "review")


def _made(
    check: str,
    passed: bool | None,
    value: float | None,
    threshold: float | None,
    reason: str,
    places: tuple[Place, ...],
    severity: Literal["reject", "review", "info"],
) -> Finding:
    return Finding(
        check=check,
        passed=passed,
        value=value,
        threshold=threshold,
        unit="correlation",
        reason=reason,
        places=places,
        severity=severity,
    )
