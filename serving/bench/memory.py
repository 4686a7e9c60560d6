"""Memory: resident bytes of every process of a service, over time."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from serving.bench.processes import by_name, processes_under

SAMPLE_SECONDS: Final = 5.0
WARM_UP: Final = 0.25
"""Share of a run in which caches and pools are filled; at most ten minutes."""
_WARM_UP_SECONDS: Final = 600.0
_SHARE: Final = 0.2
"""Of what follows the warm-up: its first and its last part are compared."""


@dataclass(slots=True)
class Memory:
    """Samples."""

    seconds: list[float] = field(default_factory=list)
    resident: list[Mapping[str, int]] = field(default_factory=list)
    """Bytes by name of process."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every process that was seen."""
        return tuple(sorted({name for sample in self.resident for name in sample}))

    def series(self, name: str = "") -> tuple[int, ...]:
        """Return the bytes of one process, or of all together; 0 while it was not there."""
        if not name:
            return tuple(sum(sample.values()) for sample in self.resident)
        return tuple(sample.get(name, 0) for sample in self.resident)

    def growth(self, name: str = "") -> float:
        """Say by how much memory grew after the warm-up, in percent."""
        return growth_percent(self.seconds, self.series(name))

    def table(self) -> dict[str, Any]:
        """Return all samples, in MB, for a program to read."""
        megabytes = {name: [round(b / 1e6, 1) for b in self.series(name)] for name in self.names}
        return {"seconds": [round(s, 1) for s in self.seconds], "resident_mb": megabytes}


def growth_percent(seconds: Sequence[float], values: Sequence[float]) -> float:
    """Compare the median of the last fifth with that of the first fifth, after the warm-up.

    Returns:
        Percent of the earlier; NaN where there are fewer than two samples after the warm-up, or it was 0.
    """
    at, held = np.asarray(seconds, np.float64), np.asarray(values, np.float64)
    if len(at) == 0:
        return float("nan")
    warm = at >= at[0] + min(_WARM_UP_SECONDS, WARM_UP * (at[-1] - at[0]))
    held = held[warm]
    count = max(1, round(_SHARE * len(held)))
    before = float(np.median(held[:count]))
    if len(held) < 2 or before == 0:
        return float("nan")
    return 100.0 * (float(np.median(held[-count:])) / before - 1.0)


@contextmanager
def remembering(pid: int, every: float = SAMPLE_SECONDS) -> Iterator[Memory]:
    """Sample a process and its descendants until the block is left."""
    memory, ended, started = Memory(), threading.Event(), time.monotonic()

    def work() -> None:
        while True:
            memory.resident.append(by_name(processes_under(pid)))
            memory.seconds.append(time.monotonic() - started)
            if ended.wait(every):
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()
