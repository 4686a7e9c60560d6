"""Temporal: what changes between frames that the source does not explain."""

import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import spans
from worldgen.datatypes import Finding, Place, Tag
from worldgen.datatypes.tags import EGO, FLAT
from worldgen.imaging.residual import alike
from worldgen.imaging.structure import tile_sum


def steady(evidence: Evidence) -> tuple[Finding, ...]:
    """Brightness and colour against the source: no jumps, no slow drift."""
    if not evidence.comparable or evidence.source is None or len(evidence.candidate) < 4:
        return ()
    limits = evidence.thresholds.temporal
    # The median place of what changes: lamps and trees that come into view are few, flicker is everywhere.
    before, after = evidence.source.small, evidence.candidate.small
    change = np.log2((after + 4) / (before + 4)).reshape(len(after), -1, 3)
    # Near black a level more is half a stop; it tells nothing.
    told = (after.min(axis=(0, -1)) > 12).reshape(-1)
    if told.sum() < 0.03 * told.size:
        told = (after.mean(axis=(0, -1)) >= np.quantile(after.mean(axis=(0, -1)), 0.8)).reshape(-1)
    steps = np.median(np.diff(change[:, told], axis=0), axis=1)
    jump = np.abs(steps).max(axis=1)
    worst = int(jump.argmax())
    gain = np.concatenate([np.zeros((1, 3), steps.dtype), np.cumsum(steps, axis=0)])
    grey = gain.mean(axis=1)
    drift = float(np.ptp(np.convolve(grey, np.ones(3) / 3, "valid")))
    hue = gain - grey[:, None]
    ends = max(1, len(hue) // 4)
    turn = float(np.abs(hue[-ends:].mean(axis=0) - hue[:ends].mean(axis=0)).max())
    last = len(gain) - 1
    # In the dark the light is the car's own: what comes near brightens.
    dark = 4.0 if evidence.asked.is_dark else 1.0
    return (
        _finding(
            "temporal.flicker",
            float(jump[worst]),
            limits.flicker_stops * dark,
            "stops",
            f"brightness against the source jumps by {jump[worst]:.3f} stops at frame {worst + 1}",
            (Place(first_frame=worst, last_frame=worst + 1),),
        ),
        _finding(
            "temporal.drift",
            drift,
            limits.drift_stops * (8.0 if evidence.asked.is_dark else 1.0),
            "stops",
            f"brightness against the source drifts by {drift:.3f} stops",
            (Place(first_frame=0, last_frame=last),),
        ),
        _finding(
            "temporal.hue_drift",
            turn,
            limits.hue_drift_stops * (4.0 if evidence.asked.is_dark else 1.0),
            "stops",
            f"one colour channel drifts by {turn:.3f} stops against the others",
            (Place(first_frame=0, last_frame=last),),
        ),
    )


def moving(evidence: Evidence) -> tuple[Finding, ...]:
    """No frozen or doubled frame where the source moves."""
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None or len(view) < 3:
        return ()
    limits = evidence.thresholds.temporal
    moved = source.change >= limits.still_source_level
    if moved.sum() < 2:
        reason = "the source stands still: a frozen frame would look the same"
        return (
            Finding(
                check="temporal.still",
                passed=True,
                value=None,
                threshold=limits.still_ratio,
                severity="info",
                reason=reason,
            ),
        )
    share = view.change / np.maximum(source.change, 0.3)
    # The upper half is what moves: a clip that is mostly frozen must not set its own standard.
    share = share / max(float(np.quantile(share[moved], 0.75)), 1e-6)
    share = np.where(moved, share, 1.0)
    frozen = share < limits.still_ratio
    places = tuple(Place(first_frame=a + 1, last_frame=b + 1) for a, b in spans(frozen))
    value = float(share.min())
    passed = not places
    reason = (
        f"every frame moves where the source does (least {value:.0%} of what is usual)"
        if passed
        else f"{int(frozen.sum())} frames repeat the one before, from {places[0].first_frame} on"
    )
    return (
        Finding(
            check="temporal.still",
            passed=passed,
            value=value,
            threshold=limits.still_ratio,
            unit="of usual change",
            reason=reason,
            places=places,
        ),
    )


def in_order(evidence: Evidence) -> tuple[Finding, ...]:
    """Every frame shows the source's moment, not its neighbour's."""
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None or len(view) < 3:
        return ()
    limit = evidence.thresholds.temporal.order_margin
    margins = np.zeros(len(view))
    for i in range(len(view)):
        now = view.normalised(i)
        own = alike(now, source.normalised(i))
        others = [alike(now, source.normalised(j)) for j in (i - 1, i + 1) if 0 <= j < len(view)]
        margins[i] = max(others) - own
    worst = int(margins.argmax())
    value = float(margins[worst])
    passed = value <= limit
    reason = (
        "every frame fits its own source frame best"
        if passed
        else f"frame {worst} shows its neighbour's moment: frames are out of order, doubled or late"
    )
    places = tuple(Place(first_frame=a, last_frame=b) for a, b in spans(margins > limit))
    return (_finding("temporal.order", value, limit, "correlation", reason, places),)


def boiling(evidence: Evidence) -> tuple[Finding, ...]:
    """Texture must not change from frame to frame beyond what the source, noise and particles do.

    Rain and flakes only brighten, so what darkens for one frame is the measure.
    """
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None or len(view) < 5:
        return ()
    limit = evidence.thresholds.temporal.boiling_levels
    if evidence.asked.has_particles:
        limit *= 2.6  # flakes before what is bright darken, too
    limit = evidence.at_most("temporal.boiling", limit)
    survey = evidence.survey
    has = survey.energy > 64 * survey.tile
    where = _trackable(evidence, has)
    before = source.transient_tiles(survey.tile)[1]
    own, known = (
        np.median([plane[on].mean() for plane, on in zip(planes, where, strict=True)])
        for planes in (survey.below, before)
    )
    left = float(np.median(survey.ratio[has])) if has.any() else 1.0
    known = float(known) * min(left, 1.2)
    # White noise of deviation s darkens a pixel below both interpolated neighbours by 0.2 s on average.
    noise = 0.2 * float(np.median(view.noise))
    value = 100 * max(0.0, float(own) - known - noise) / (float(view.luma.std()) + 3)
    reason = (
        f"texture changes from frame to frame by {value:.1f}% of the picture's contrast beyond the source"
    )
    return (
        _finding(
            "temporal.boiling", value, limit, "%", reason, (Place(first_frame=0, last_frame=len(view) - 1),)
        ),
    )


def _trackable(evidence: Evidence, has: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tiles of the inner frames whose texture the source's motion carries along; all where they are few.

    Snow and mirror images on a plain road have no motion in the source to be followed by, and flakes before a
    bright sky darken it.
    """
    inner = has[1:-1]
    whole = np.ones_like(inner)
    if evidence.tags is None or not (evidence.asked.is_ground_changed or evidence.asked.has_particles):
        return whole
    other = np.isin(evidence.tile_tags(evidence.survey.tile)[1:-1], [*FLAT, Tag.SKY, EGO])
    upright = ~other
    return upright if upright.sum(axis=(1, 2)).min() >= 8 else whole


def not_stuck(evidence: Evidence) -> tuple[Finding, ...]:
    """Fine structure must travel with the scene, not stand on the screen."""
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None or len(view) < 5:
        return ()
    limits, tile = evidence.thresholds.temporal, evidence.survey.tile
    moves = source.travel(tile) > limits.stuck_motion_share * view.size[0]
    if evidence.tags is not None and evidence.asked.is_ground_covered:
        # Wheel tracks in snow lie along the road: they stand while it passes.
        ground = np.isin(evidence.tile_tags(tile), [*FLAT, EGO]).mean(axis=0) > 0.5
        moves &= ~ground
    if moves.mean() < 0.05:
        return ()
    still_c, spread_c = view.standing
    still_s, _ = source.standing
    shared = tile_sum(still_c * still_s, tile) / np.maximum(tile_sum(still_s * still_s, tile), 1)
    rest = tile_sum(still_c * still_c, tile) - shared * shared * tile_sum(still_s * still_s, tile)
    standing = np.sqrt(np.maximum(rest, 0)) / tile
    whole = np.sqrt(tile_sum(spread_c, tile)) / tile
    value = float(np.median((standing / (whole + 0.5))[moves]))
    reason = f"{value:.0%} of the fine structure stands still on the screen while the source moves"
    return (
        _finding(
            "temporal.stuck",
            value,
            limits.stuck_share,
            "share",
            reason,
            (Place(first_frame=0, last_frame=len(view) - 1),),
        ),
    )


def _finding(
    check: str, value: float, threshold: float, unit: str, reason: str, places: tuple[Place, ...]
) -> Finding:
    passed = value <= threshold
    return Finding(
        check=check,
        passed=passed,
        value=value,
        threshold=threshold,
        unit=unit,
        reason=reason,
        places=() if passed else places,
    )
