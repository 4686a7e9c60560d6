"""Tries: how often an address may be wrong in a while."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

_ADDRESSES: Final = 4096
"""That are remembered; whoever comes from more of them than this has cheaper ways."""


class Tries:
    """Counts tries by address, of this process; safe on one event loop.

    Args:
        most: So many are let through...
        seconds: ...within so long.
        clock: Seconds, rising.
    """

    def __init__(self, most: int, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, address: str) -> int:
        """Count a try before it is made: 0, or whole seconds after which the next one is let through."""
        now = self._clock()
        made = self._tries.setdefault(address, deque())
        self._tries.move_to_end(address)
        while len(self._tries) > _ADDRESSES:
            self._tries.popitem(last=False)
        while made and now - made[0] >= self._seconds:
            made.popleft()
        if len(made) >= self._most:
            return max(1, math.ceil(made[0] + self._seconds - now))
        made.append(now)
        return 0

    def forgive(self, address: str) -> None:
        """Take the latest try back: it was right."""
        made = self._tries.get(address)
        if made:
            made.pop()
