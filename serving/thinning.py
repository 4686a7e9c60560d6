"""Thinning: progress is told often enough for people, not as often as it is made."""

import math
import time

from worldgen.datatypes import Progress


class Thinning:
    """Lets the first step through, then one after so many seconds, and always the last of a stage.

    Args:
        seconds: Between two that are told.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._told = -math.inf

    def tells(self, step: Progress) -> bool:
        """Say whether to tell this step; it counts as told then."""
        now = time.monotonic()
        if step.step != step.steps and now - self._told < self._seconds:
            return False
        self._told = now
        return True
