"""Structure kept: the edges that should survive are where they were; the worst tile decides."""

import numpy as np

from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import box_of
from worldgen.datatypes import Finding


def structure_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """Compare expected and measured alignment, in the whole picture and in every tile."""
    if not evidence.comparable:
        return ()
    limits = evidence.thresholds.structure
    weight = np.stack([c.weight for c in evidence.comparisons])
    kept = np.stack([c.kept for c in evidence.comparisons])
    frames = len(weight)
    whole = kept.sum(axis=(1, 2)) / np.maximum(weight.sum(axis=(1, 2)), 1e-6)
    worst = int(whole.argmin())
    passed = bool(whole[worst] >= limits.whole_kept)
    findings = [
        Finding(
            check="structure.whole",
            passed=passed,
            value=float(whole[worst]),
            threshold=limits.whole_kept,
            unit="share",
            reason=f"{max(whole[worst], 0):.0%} of the edges that should survive are kept in the worst frame, {worst}",
            places=() if passed else (evidence.place(worst, worst),),
        )
    ]
    span = min(limits.tile_frames, frames)
    window = np.ones(span)
    add = lambda a: np.apply_along_axis(lambda v: np.convolve(v, window, "valid"), 0, a)  # noqa: E731
    weight, kept = add(weight), add(kept)
    judged = weight >= limits.enough_structure * span
    share = np.where(judged, kept / np.maximum(weight, 1e-6), 1.0)
    at, row, column = np.unravel_index(int(share.argmin()), share.shape)
    value = float(share[at, row, column])
    lost = share < limits.tile_kept
    box = box_of(lost[at])
    passed = not lost.any()
    findings.append(
        Finding(
            check="structure.tiles",
            passed=passed,
            value=value,
            threshold=limits.tile_kept,
            unit="share",
            reason=(
                f"in the worst tile {max(value, 0):.0%} of the expected structure is kept"
                if passed
                else f"structure that should be visible is gone in {int(lost.any(axis=0).sum())} tiles"
            ),
            places=() if box is None else (evidence.place(int(at), int(at) + span - 1, box),),
        )
    )
    return tuple(findings)
