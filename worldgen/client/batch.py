"""A batch on the server: many sources, one name."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from worldgen.client import calls
from worldgen.client.connection import drive
from worldgen.client.http import Http
from worldgen.wire import BatchLine, BatchRequest, BatchStatus

_EVERY_SECONDS = 2.0


class _Known:
    """What both kinds of batch know without asking.

    Args:
        http: The server.
        status: As last seen.
    """

    def __init__(self, http: Http, status: BatchStatus) -> None:
        self._http = http
        self.id = status.id
        self.last = status

    def __repr__(self) -> str:
        last = self.last
        done = f"{last.variants_done}/{last.variants_total}"
        return f"{type(self).__name__}({self.id[:14]}, {last.state}, {done})"

    async def _status(self) -> BatchStatus:
        self.last = await calls.batch_status(self._http, self.id)
        return self.last

    async def _cancel(self) -> BatchStatus:
        self.last = await calls.cancel_batch(self._http, self.id)
        return self.last

    async def _wait(self, observe: Callable[[BatchStatus], None], seconds: float | None) -> BatchStatus:
        self.last = await calls.wait_for_batch(
            self._http, self.id, observe, every_seconds=_EVERY_SECONDS, seconds=seconds
        )
        return self.last


class Batch(_Known):
    """Many sources and their specs, on the server."""

    def status(self) -> BatchStatus:
        """Ask how it is going."""
        return drive(self._status())

    def wait(
        self, observe: Callable[[BatchStatus], None] | None = None, *, timeout_seconds: float | None = None
    ) -> BatchStatus:
        """Wait for the end: completed, failed or cancelled.

        Args:
            observe: Told of every look, one each two seconds.
            timeout_seconds: None waits as long as the batch takes.

        Raises:
            ServiceError: `timeout`; `unreachable` for longer than the client's patience.
        """
        return drive(self._wait(observe or _ignore, timeout_seconds))

    def cancel(self) -> BatchStatus:
        """Stop it; what is published stays."""
        return drive(self._cancel())


class AsyncBatch(_Known):
    """Many sources and their specs, on the server."""

    async def status(self) -> BatchStatus:
        """Ask how it is going."""
        return await self._status()

    async def wait(
        self, observe: Callable[[BatchStatus], None] | None = None, *, timeout_seconds: float | None = None
    ) -> BatchStatus:
        """Wait for the end: completed, failed or cancelled; see `Batch.wait`."""
        return await self._wait(observe or _ignore, timeout_seconds)

    async def cancel(self) -> BatchStatus:
        """Stop it; what is published stays."""
        return await self._cancel()


def batch_request(
    lines: Iterable[BatchLine | Mapping[str, Any]], *, manifest: str, model: str, runners: int
) -> BatchRequest:
    """Put a request together.

    Raises:
        ConfigError: `invalid`, with what is wrong.
    """
    # Loaded when it is needed: importing the client must stay quick.
    from worldgen.config import validated

    read = tuple(
        line if isinstance(line, BatchLine) else validated(BatchLine, **dict(line)) for line in lines
    )
    return validated(BatchRequest, lines=read, manifest=manifest, model=model, runners=runners)


def _ignore(status: BatchStatus) -> None:
    del status
