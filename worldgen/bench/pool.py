"""Work of a bench that is spread over processes."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from worldgen.errors import WorldgenError

T = TypeVar("T")


def finished(waiting: Mapping["Future[T]", str]) -> Iterator[tuple[str, T]]:
    """Yield the name and the result of each piece of work as it is done.

    Args:
        waiting: Work given to a pool of processes, and the name of each piece.

    Raises:
        WorldgenError: A process died; the first missing piece is named (another may be the cause).
    """
    for done in as_completed(waiting):
        try:
            yield waiting[done], done.result()
        except BrokenProcessPool as error:
            message = f"a worker process died at {waiting[done]} or at what ran beside it"
            hint = (
                "it was killed (memory?) or crashed in native code; run again, and what was recorded is kept"
            )
            raise WorldgenError(message, hint=hint) from error
