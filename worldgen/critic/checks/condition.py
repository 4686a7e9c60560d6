"""Condition: the asked weather or light is there, everywhere, and no other."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.difference import Difference
from worldgen.critic.evidence import Evidence
from worldgen.datatypes import ConditionClass, Finding, Place

# Classes that satisfy an asked class: neighbours that one clip cannot always tell apart.
_FITS: Final[dict[ConditionClass, frozenset[ConditionClass]]] = {
    "clear": frozenset({"clear", "overcast", "low_sun"}),
    "overcast": frozenset({"overcast", "clear", "wet"}),
    "fog": frozenset({"fog"}),
    "rain": frozenset({"rain", "wet"}),
    "snow": frozenset({"snow"}),
    "low_sun": frozenset({"low_sun", "dusk"}),
    "dusk": frozenset({"dusk", "night", "low_sun"}),
    "night": frozenset({"night"}),
    "wet": frozenset({"wet", "rain", "overcast"}),
}


def condition_visible(evidence: Evidence) -> tuple[Finding, ...]:
    """The class that was asked for can be told from the source, and is not plainly another."""
    asked = evidence.spec.asks_for if evidence.spec is not None else None
    if asked is None or not evidence.comparable:
        return ()
    limits = evidence.thresholds.condition
    there = shows(evidence.difference, _fog_loss(evidence))[asked]
    if asked == "fog":
        there = max(there, _veiled(evidence))
    seen = evidence.recognition
    named = sum(score for name, score in seen.scores.items() if name in _FITS[asked])
    words, other = asked.replace("_", " "), seen.label.replace("_", " ")
    # Heavy rain and snow veil the distance as fog does; then what else they bring decides.
    veiled = asked in ("rain", "snow") and seen.label == "fog" and there >= limits.veiled
    told = there >= limits.visible
    fits = named >= limits.named or veiled
    return (
        Finding(
            check="condition.visible",
            passed=told,
            value=there,
            threshold=limits.visible,
            unit="0..1",
            reason=_telling(words, there, limits.visible),
        ),
        Finding(
            check="condition.named",
            passed=fits,
            value=named,
            threshold=limits.named,
            unit="probability",
            reason=_naming(words, other, named, limits.named, fits, seen.label in _FITS[asked]),
        ),
    )


def _telling(words: str, there: float, least: float) -> str:
    if there >= least:
        return f"{words} was asked for and can be told from the source"
    if there > 0:
        return f"{words} was asked for, {words} is seen, but too weak ({there:.2f} below {least:.2f})"
    return f"{words} was asked for and cannot be told from the source"


def _naming(words: str, other: str, named: float, least: float, fits: bool, is_seen: bool) -> str:
    if is_seen and not fits:
        return f"{words} was asked for, {other} is seen, but too weak ({named:.2f} below {least:.2f})"
    return f"{words} was asked for; the candidate looks like {other}"


def shows(d: Difference, faint: float = 1.4) -> dict[ConditionClass, float]:
    """How well the difference from the source fits each class, 0..1; several may fit, as rain and wet do.

    Every class is what must be there and what must not: the weaker of the two decides.

    Args:
        d: Candidate against source.
        faint: Loss of contrast in the distance (log2) that shows fog beyond doubt.
    """
    night = max(_rise(-d.sky_stops, 2.0, 4.0), _rise(-d.stops, 1.0, 2.0) * _rise(-d.sky_stops, -0.5, 0.5))
    dim = max(_rise(-d.sky_stops, 0.2, 0.8), _rise(-d.stops, 0.2, 0.8))
    warm = _rise(d.warmth, 0.0, 0.2)
    glow = min(warm, _rise(d.sky_warmth, 0.2, 0.6))
    tinted = min(_rise(d.warmth, 0.4, 0.8), _rise(d.tint, 0.4, 0.8))
    grey = _rise(abs(d.sky_warmth) + abs(d.sky_stops), 0.05, 0.2)
    dull = _rise(-d.saturation, 0.05, 0.2)
    far = _rise(-d.contrast_far, 0.4 * faint, faint)
    soft = _rise(-d.contrast_far, 0.1, 0.5)
    haze = _rise(-d.contrast_far, 1.5, 2.5)
    white = max(_rise(d.white_ground, 0.0, 0.06), _rise(d.ground_stops, 0.4, 0.9))
    fall = max(_rise(d.particles, 0.02, 0.12), _rise(d.mirror, 0.005, 0.03))
    wet = max(
        _rise(d.dark_ground, 0.02, 0.2),
        _rise(d.mirror, 0.002, 0.02),
        _rise(abs(d.ground_stops), 0.05, 0.2),
        _rise(d.changed_ground, 0.05, 0.3),
    )
    bright = 1 - night
    return {
        "night": night,
        "dusk": min(max(dim, glow), 1 - _rise(-d.sky_stops, 4.0, 6.0)),
        "low_sun": min(max(glow, warm), 1 - _rise(-d.sky_stops, 1.5, 3.0), 1 - haze),
        "fog": min(far, bright, 1 - _rise(d.white_ground, 0.25, 0.6)),
        "snow": min(max(white, fall), bright, 1 - _rise(d.warmth, 0.4, 0.8)),
        "rain": min(
            max(fall, _rise(d.dark_ground, 0.05, 0.3), soft, 0.5 * min(grey, dull)),
            bright,
            1 - _rise(d.white_ground, 0.15, 0.4),
            1 - tinted,
        ),
        "wet": min(max(wet, grey), bright, 1 - haze, 1 - _rise(d.white_ground, 0.3, 0.6), 1 - tinted),
        "overcast": min(
            max(grey, dull),
            bright,
            1 - _rise(-d.contrast_far, 0.6, 1.2),
            1 - tinted,
            1 - _rise(d.white_ground, 0.1, 0.3),
        ),
        "clear": min(bright, 1 - haze),
    }


def _veiled(evidence: Evidence) -> float:
    """How well a veil on the geometry's depth, of about the asked range, explains what changed, 0..1."""
    spec, geometry = evidence.spec, evidence.geometry
    asked = None if spec is None else spec.fog_mor_m or spec.dust_mor_m
    if evidence.veil is None or geometry is None or asked is None:
        return 0.0
    fit = evidence.veil[0]
    low, high = geometry.scale_interval
    times = evidence.thresholds.condition.fog_amount_times
    near = asked * low / times <= fit.mor_m <= asked * high * times
    return _rise(1 - fit.unexplained, 0.5, 0.7) if near and fit.airlight > 0 and fit.gain > 0 else 0.0


def _fog_loss(evidence: Evidence) -> float:
    """Loss of contrast in the distance that the asked fog predicts, log2, with a margin for the geometry."""
    light = evidence.predicted_transmission
    if light is None:
        return 1.4
    through = light[:, ::8, ::8]
    seen = through[through > 0]
    if not seen.size:
        return 1.4
    return float(np.clip(-0.5 * np.log2(np.quantile(seen, 0.25)), 0.25, 1.4))


def _rise(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`, linear between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def uniform(evidence: Evidence) -> tuple[Finding, ...]:
    """No straight upright seam through the picture that the source does not have."""
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None or evidence.asked.is_dark:
        return ()  # headlight cones have upright borders, and lit walls end at corners
    limit = evidence.thresholds.condition.seam_stops
    shown = np.log2(view.small.mean(axis=-1) + 4).mean(axis=0)
    gain = shown - np.log2(source.small.mean(axis=-1) + 4).mean(axis=0)
    if evidence.veil is not None:
        # What haze explains at the depth of every pixel is no seam; the rest of the step is.
        gain = gain - evidence.veil[1]
        excused = np.zeros((gain.shape[0], gain.shape[1] - 3), np.bool_)
    else:
        excused = _near_before_far(evidence, gain.shape)
    value, at = _straight_step(gain, shown, excused)
    passed = value <= limit
    reason = (
        "no straight seam across the picture"
        if passed
        else f"a straight upright seam at {at:.0%} of the picture's width, {value:.2f} stops high"
    )
    whole = () if passed else (Place(first_frame=0, last_frame=len(view) - 1),)
    return (
        Finding(
            check="condition.seam",
            passed=passed,
            value=value,
            threshold=limit,
            unit="stops",
            reason=reason,
            places=whole,
        ),
    )


def fog_amount(evidence: Evidence) -> tuple[Finding, ...]:
    """The optical range that the candidate shows against the asked one; for information, never a reject.

    Only where depth is metric and the haze model explains what changed.
    """
    spec, geometry, veil = evidence.spec, evidence.geometry, evidence.veil
    if not evidence.comparable or spec is None or veil is None or geometry is None or not geometry.is_metric:
        return ()
    asked = spec.fog_mor_m or spec.dust_mor_m
    fit, times = veil[0], evidence.thresholds.condition.fog_amount_times
    if asked is None or fit.airlight <= 0 or fit.gain <= 0:
        return ()
    low, high = fit.interval_m
    return (
        Finding(
            check="condition.fog_amount",
            passed=low / times <= asked <= high * times,
            value=fit.mor_m,
            threshold=asked,
            unit="m",
            severity="info",
            reason=(
                f"an optical range of {asked:.0f} m was asked for; {low:.0f} to {high:.0f} m is measured "
                f"({fit.unexplained:.0%} of the change is not explained by haze)"
            ),
        ),
    )


def _near_before_far(evidence: Evidence, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Where haze steps with depth, as at a house's corner, in the small picture."""
    light = evidence.haze_light
    if light is None:
        return np.zeros((shape[0], shape[1] - 3), np.bool_)
    mean = light[:: max(1, len(light) // 5)].mean(axis=0)
    small = cv2.resize(mean, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    wide = cv2.dilate(np.abs(small[:, 3:] - small[:, :-3]), np.ones((1, 5), np.uint8))
    return np.asarray(wide > 0.04)


def _straight_step(
    gain: npt.NDArray[np.float32], shown: npt.NDArray[np.float32], excused: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """Largest step between columns that most rows share, against its surroundings, and where (0..1)."""
    change, visible = gain[:, 3:] - gain[:, :-3], shown[:, 3:] - shown[:, :-3]
    # A house that fog swallows leaves its outline in the gain, and none in the picture.
    change = np.where(change * visible > 0, np.sign(change) * np.minimum(np.abs(change), np.abs(visible)), 0)
    step = np.median(np.where(excused, 0, change), axis=0)
    if len(step) < 16:
        return 0.0, 0.0
    # Shading and haze change over many columns; a seam in three.
    smooth = np.convolve(np.pad(step, 6, mode="edge"), np.ones(13) / 13, "valid")
    height = np.abs(step - smooth)
    at = int(height[2:-2].argmax()) + 2
    return float(height[at]), (at + 1.5) / gain.shape[1]
