"""Banding: shading that is smooth in the source is smooth in the candidate."""

import numpy as np

from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Finding
from worldgen.imaging.banding import levels_left_out

_FRAMES = 5
_SMOOTH = 0.3
"""A tile of the source that leaves out less of its levels than this is smooth."""
_STEPPED = 0.55
"""A tile of the candidate that leaves out more of its levels than this consists of steps."""


def not_banded(evidence: Evidence) -> tuple[Finding, ...]:
    """Few places that are smooth in the source consist of steps in the candidate."""
    source, view = evidence.source, evidence.candidate
    if source is None or not evidence.comparable:
        return ()
    limits = evidence.thresholds.technical
    smooth = stepped = 0
    for i in np.unique(np.linspace(0, len(view) - 1, _FRAMES).round().astype(int)):
        before, levels = levels_left_out(source.rgb[i])
        after, span = levels_left_out(view.rgb[i])
        # In pairs: below five there is no comb to see; above thirty a tile holds an edge, not shading.
        judged = (levels >= 3) & (before < _SMOOTH) & (span >= 5) & (span < 30)
        smooth += int(judged.sum())
        stepped += int((judged & (after > _STEPPED)).sum())
    if smooth < limits.banded_tiles:
        return ()
    value = stepped / smooth
    narrow = evidence.narrower("technical.banding")
    limit = limits.banded_share if narrow is None else min(narrow, limits.banded_share)
    passed = value <= limit
    reason = f"{value:.0%} of {smooth} smooth places consist of steps in brightness"
    return (
        Finding(
            check="technical.banding",
            passed=passed,
            value=value,
            threshold=limit,
            unit="share",
            # Other libraries' rain, which people accept, is banded a little too: somebody should look.
            severity="review" if narrow is None else "reject",
            reason=reason,
        ),
    )
