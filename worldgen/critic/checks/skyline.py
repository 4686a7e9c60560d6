"""Skyline: nothing is in the sky that the source does not have there."""

from typing import Final

import numpy as np

from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import over_frames, over_tiles, square
from worldgen.critic.survey import Tiles
from worldgen.datatypes import Finding, Tag

_FRAMES: Final = 5
_SIDE: Final = 2
"""Frames and tiles (across and down) over which a place is judged."""


def sky_empty(evidence: Evidence) -> tuple[Finding, ...]:
    """Look for lasting edges without a cause in the source in the tiles of sky, over a few frames.

    Under most conditions a sky has hardly any, so that little is honest; it is judged only where it is known
    how much that is (`disturbance`): streaks and drops on the lens draw more in it than things do.
    """
    limit = evidence.narrower("sky.new")
    if limit is None or not evidence.comparable or evidence.tags is None:
        return ()
    survey = evidence.survey
    sky = evidence.tile_tags(survey.tile) == Tag.SKY
    usual = np.median(_mean(survey.new, 3, 3), axis=(1, 2)).mean()
    new = (_mean(survey.new * sky, _SIDE, _FRAMES) - usual) / (survey.edges.mean() + 0.3)
    at, row, column = (int(v) for v in np.unravel_index(int(new.argmax()), new.shape))
    value = float(new[at, row, column])
    passed = value <= limit
    last = min(at + _FRAMES, len(evidence.candidate)) - 1
    return (
        Finding(
            check="sky.new",
            passed=passed,
            value=value,
            threshold=limit,
            unit="of mean edge strength",
            reason=(
                "nothing is in the sky that the source does not have there"
                if passed
                else f"something is in the sky that the source does not have there, from frame {at}"
            ),
            places=() if passed else (evidence.place(at, last, square(row, column, _SIDE)),),
        ),
    )


def _mean(stack: Tiles, side: int, frames: int) -> Tiles:
    frames = min(frames, len(stack))
    return over_frames(over_tiles(stack, side) / np.float32(side * side), frames) / np.float32(frames)
