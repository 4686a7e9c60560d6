"""Technical: is it the right number of frames, and does it show anything?"""

import numpy as np

from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import spans
from worldgen.datatypes import Finding, Place


def frames_match(evidence: Evidence) -> tuple[Finding, ...]:
    """Frame for frame: count, size and time stamps are the source's."""
    if evidence.source is None:
        return ()
    source, candidate = evidence.source.clip, evidence.candidate.clip
    whole = (Place(first_frame=0, last_frame=len(candidate) - 1),)
    if len(source) != len(candidate):
        reason = f"the source has {len(source)} frames, the candidate {len(candidate)}"
        return (
            _finding("technical.frame_count", False, len(candidate), len(source), "frames", reason, whole),
        )
    if source.size != candidate.size:
        reason = "the source is {}x{}, the candidate {}x{}".format(*source.size, *candidate.size)
        return (
            _finding("technical.size", False, candidate.size[0], source.size[0], "pixels", reason, whole),
        )
    limit = evidence.thresholds.technical.timestamp_tolerance_frames
    off = np.abs(
        (candidate.timestamps_seconds - candidate.timestamps_seconds[0])
        - (source.timestamps_seconds - source.timestamps_seconds[0])
    ) * max(source.fps, 1e-6)
    worst = int(off.argmax())
    value = float(off[worst])
    passed = value <= limit
    reason = (
        "every frame is shown at the source's time"
        if passed
        else f"frame {worst} is shown {value:.1f} frame durations away from the source's time"
    )
    places = () if passed else (Place(first_frame=worst, last_frame=worst),)
    return (_finding("technical.frames", passed, value, limit, "frames", reason, places),)


def not_blank(evidence: Evidence) -> tuple[Finding, ...]:
    """Every frame shows something, where the source's does."""
    limits = evidence.thresholds.technical
    contrast = evidence.candidate.luma.std(axis=(1, 2))
    empty = contrast < limits.blank_contrast
    if evidence.source is not None and len(evidence.source) == len(contrast):
        empty &= evidence.source.luma.std(axis=(1, 2)) >= limits.blank_source_contrast
    worst = float(contrast.min())
    if not empty.any():
        reason = f"every frame shows something (least contrast {worst:.1f} levels)"
        return (_finding("technical.blank", True, worst, limits.blank_contrast, "levels", reason),)
    places = tuple(Place(first_frame=a, last_frame=b) for a, b in spans(empty))
    reason = f"{int(empty.sum())} of {len(contrast)} frames are blank, first at frame {places[0].first_frame}"
    return (_finding("technical.blank", False, worst, limits.blank_contrast, "levels", reason, places),)


def not_clipped(evidence: Evidence) -> tuple[Finding, ...]:
    """No more of the picture is crushed to black or burnt to white than the condition explains."""
    limit = evidence.thresholds.technical.clipped_share
    share = _clipped(evidence.candidate.small)
    if evidence.source is not None and len(evidence.source) == len(share):
        share = np.maximum(share - _clipped(evidence.source.small), 0)
    worst = int(share.argmax())
    value = float(share[worst])
    passed = value <= limit
    reason = f"{value:.0%} of frame {worst} is clipped beyond the source"
    places = () if passed else tuple(Place(first_frame=a, last_frame=b) for a, b in spans(share > limit))
    return (_finding("technical.clipping", passed, value, limit, "share", reason, places),)


def not_still(evidence: Evidence) -> tuple[Finding, ...]:
    """No frozen or doubled frame where the source moves."""
    limits = evidence.thresholds.technical
    view, source = evidence.candidate, evidence.source
    if source is None or len(source) != len(view) or len(view) < 2:
        return ()
    moved = source.change >= limits.still_source_level
    still = view.change < limits.still_level * np.minimum(1, source.change / limits.still_source_level)
    frozen = moved & still
    value = float(view.change[moved].min()) if moved.any() else 0.0
    if not moved.any():
        reason = "the source itself stands still; a frozen frame could not be told"
        return (_finding("technical.frozen", True, value, limits.still_level, "levels", reason),)
    if not frozen.any():
        reason = f"every frame moves where the source does (least change {value:.2f} levels)"
        return (_finding("technical.frozen", True, value, limits.still_level, "levels", reason),)
    places = tuple(Place(first_frame=a + 1, last_frame=b + 1) for a, b in spans(frozen))
    reason = f"{int(frozen.sum())} frames repeat the one before while the source moves, first frame {places[0].first_frame}"
    return (_finding("technical.frozen", False, value, limits.still_level, "levels", reason, places),)


def not_a_copy(evidence: Evidence) -> tuple[Finding, ...]:
    """Something changed, where a change was asked."""
    source, spec = evidence.source, evidence.spec
    if source is None or spec is None or not spec.changes or not evidence.comparable:
        return ()
    limit = evidence.thresholds.technical.copy_level
    value = float(np.abs(source.small - evidence.candidate.small).mean())
    passed = value > limit
    reason = (
        f"differs from the source by {value:.1f} levels on average"
        if passed
        else f"the candidate is the source again (mean difference {value:.2f} levels) though a change was asked"
    )
    return (_finding("technical.copy", passed, value, limit, "levels", reason),)


def _clipped(small: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(((small >= 254.5) | (small <= 0.5)).all(axis=-1).mean(axis=(1, 2)))


def _finding(
    check: str,
    passed: bool | None,
    value: float,
    threshold: float,
    unit: str,
    reason: str,
    places: tuple[Place, ...] = (),
) -> Finding:
    return Finding(
        check=check, passed=passed, value=value, threshold=threshold, unit=unit, reason=reason, places=places
    )
