"""Technical: is it the right number of frames, and does it show anything?"""

import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import spans
from worldgen.datatypes import Finding, Place
from worldgen.imaging.residual import alike


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


def not_mirrored(evidence: Evidence) -> tuple[Finding, ...]:
    """The picture is not the source's mirror image."""
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None:
        return ()
    limit = evidence.thresholds.technical.mirrored_margin
    middle = len(view) // 2
    now, own = view.normalised(middle), source.normalised(middle)
    value = alike(now, np.ascontiguousarray(own[:, ::-1])) - alike(now, own)
    passed = value <= limit
    reason = (
        f"the picture fits the source better than its mirror image (by {-value:.2f})"
        if value <= 0
        else f"the mirror image fits better than the source by {value:.2f}"
    )
    whole = () if passed else (Place(first_frame=0, last_frame=len(view) - 1),)
    return (_finding("technical.mirrored", passed, value, limit, "correlation", reason, whole),)


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
        else f"the candidate is the source again (difference {value:.2f} levels) though a change was asked"
    )
    return (_finding("technical.copy", passed, value, limit, "levels", reason),)


def _clipped(small: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    extreme = (small >= 254.5) | (small <= 0.5)
    clipped = extreme[..., 0] & extreme[..., 1] & extreme[..., 2]
    return np.asarray(clipped.mean(axis=(1, 2)), np.float64)


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
