"""Ground light: the ground's brightness against the source's does not jump from one frame to the next.

A wet road that is dry at first leaves the rest of the picture alone, so that the whole shows no flicker.
"""

import cv2
import numpy as np

from worldgen.critic.evidence import Evidence, nearest
from worldgen.datatypes import Finding, Place
from worldgen.datatypes.tags import FLAT
from worldgen.imaging.edges import LUMA

_SHARE = 0.008
"""Share of the picture that must be ground in both frames."""


def ground_steady(evidence: Evidence) -> tuple[Finding, ...]:
    """Measure the largest jump of the ground's median change against the source, in stops.

    Judged only where it is known how much is honest (`disturbance`): snow draws its cover anew, lamps pass.
    """
    limit = evidence.narrower("ground.step")
    source, tags, view = evidence.source, evidence.tags, evidence.candidate
    if limit is None or not evidence.comparable or source is None or tags is None or len(view) < 4:
        return ()
    small = nearest(tags, (view.small.shape[2], view.small.shape[1]))
    kernel = np.ones((3, 3), np.uint8)
    ground = [cv2.erode(np.isin(plane, list(FLAT)).astype(np.uint8), kernel) > 0 for plane in small]
    gain = np.log2((view.small @ LUMA + 8) / (source.small @ LUMA + 8))
    steps = np.zeros(len(view) - 1)
    for i in range(len(steps)):
        both = ground[i] & ground[i + 1]
        if both.mean() > _SHARE:
            steps[i] = float(np.median(gain[i + 1][both] - gain[i][both]))
    # What comes nearer brightens or darkens by as much in every frame.
    jump = np.abs(steps - np.median(steps))
    at = int(jump.argmax())
    value = float(jump[at])
    passed = value <= limit
    return (
        Finding(
            check="ground.step",
            passed=passed,
            value=value,
            threshold=limit,
            unit="stops",
            reason=(
                "the ground's brightness changes as the source's does"
                if passed
                else f"the ground jumps in brightness by {value:.2f} stops at frame {at + 1}"
            ),
            places=() if passed else (Place(first_frame=at, last_frame=at + 1),),
        ),
    )
