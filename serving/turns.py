"""Turns: who generates next. Interactive variants go before batch variants, also those of a job that runs."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A semaphore that wakes the lowest rank first, and among equals whoever waited longest.

    Args:
        width: How many may have their turn at once.
    """

    def __init__(self, width: int) -> None:
        self._free = width
        self._is_closed = False
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    def close(self) -> None:
        """Give no more turns; whoever has one keeps it."""
        self._is_closed = True

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Args:
            rank: Lower goes first.
        """
        if self._free > 0 and not self._waiting and not self._is_closed:
            self._free -= 1
        else:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (rank, next(self._order), mine))
            try:
                await mine
            except asyncio.CancelledError:
                if mine.done() and not mine.cancelled():
                    self._pass_on()
                raise
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting and not self._is_closed:
            _, _, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)
                return
        self._free += 1
