"""Temporal: what changes between frames that the source does not explain."""

import numpy as np

from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Finding


def flicker(evidence: Evidence) -> tuple[Finding, ...]:
    """Brightness must not jump from frame to frame where the source's does not."""
    if len(evidence.candidate) < 3:
        return ()
    limit = evidence.thresholds.temporal.flicker_levels
    bend = np.abs(np.diff(evidence.candidate.brightness, n=2))
    if evidence.comparable and evidence.source is not None:
        bend = np.maximum(bend - np.abs(np.diff(evidence.source.brightness, n=2)), 0)
    worst = int(bend.argmax())
    value = float(bend[worst])
    passed = value <= limit
    return (
        Finding(
            check="temporal.flicker",
            passed=passed,
            value=value,
            threshold=limit,
            unit="levels",
            reason=f"mean brightness jumps by {value:.1f} levels beyond the source at frame {worst + 1}",
            places=() if passed else (evidence.place(worst, worst + 2),),
        ),
    )
