"""Latencies: many durations, told as percentiles."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Latencies:
    """Durations of requests of one kind, in seconds."""

    seconds: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.seconds)

    def percentile(self, share: float) -> float:
        """Say which duration a share of the requests stayed within, between two by linear interpolation.

        Args:
            share: Of the requests, 0 to 100.

        Returns:
            Seconds; NaN when there was no request.
        """
        return float(np.percentile(self.seconds, share)) if self.seconds else float("nan")

    @property
    def mean(self) -> float:
        """Seconds; NaN when there was no request."""
        return float(np.mean(self.seconds)) if self.seconds else float("nan")
