"""How far a long bench is: a bar where somebody looks, a line every half minute where a log is kept."""

import sys
import time
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_SECONDS: Final = 30.0


class BenchProgress:
    """Counts units on standard error, so that standard output stays one document.

    Args:
        what: Is counted, in the plural.
        total: Of them.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = self._counted = 0
        self._started = self._told = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> "BenchProgress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def skip(self, count: int) -> None:
        """Count what was done before; the time left is not estimated from it."""
        self._done += count
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)

    def advance(self) -> None:
        """Count one more."""
        self._done += 1
        self._counted += 1
        if self._bar is not None:
            self._bar.advance(self._task)
            return
        now = time.monotonic()
        if now - self._told >= _LINE_SECONDS or self._done == self._total:
            self._told = now
            left = (now - self._started) / self._counted * (self._total - self._done)
            sys.stderr.write(
                f"{self._done} of {self._total} {self._what}, about {left / 60:.0f} minutes left\n"
            )
            sys.stderr.flush()
