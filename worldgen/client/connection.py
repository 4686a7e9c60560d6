"""Two ways to one server, blocking and asynchronous, behind one interface.

What the client does is written once, as coroutines over a `Connection`. The asynchronous client awaits them.
A blocking connection never suspends, so the blocking client runs the same coroutines to their end in one go
(`drive`, `iterate`): without an event loop, without a thread, and with an ordinary traceback.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import httpx2

from worldgen.client.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as often as it has to be sent."""

    method: str
    path: str
    json: Any = None
    content: Callable[[], Iterator[bytes]] | None = None
    """Called anew for every try."""
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    read_seconds: float | None = None
    """How long to wait for the answer's next bytes; None: the client's timeout."""
    follow: bool = False
    """Whether the server may point elsewhere, as to a bucket; the key does not go along."""

    def arguments(self, settings: Settings) -> dict[str, Any]:
        """Return what httpx2 takes, but for the content."""
        timeout = settings.timeout
        if self.read_seconds is not None:
            timeout = httpx2.Timeout(settings.timeout_seconds, read=self.read_seconds)
        return {
            "json": self.json,
            "headers": dict(self.headers),
            "params": dict(self.params) or None,
            "timeout": timeout,
            "follow_redirects": self.follow,
        }


class Arriving(Protocol):
    """An answer whose body is still coming."""

    response: httpx2.Response

    def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the body as it comes."""

    async def read(self) -> None:
        """Read the rest."""


class Connection(Protocol):
    """What the coroutines of this package need."""

    async def send(self, call: Call) -> httpx2.Response:
        """Send and read the whole answer."""

    def stream(self, call: Call) -> AbstractAsyncContextManager[Arriving]:
        """Send and read the head."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def work(self, task: Callable[[], T]) -> T:
        """Do what blocks (files, hashes) where it holds nobody up."""

    async def close(self) -> None:
        """Close the connections."""


class Blocking:
    """A connection that never suspends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = httpx2.Client(**settings.connection)

    async def send(self, call: Call) -> httpx2.Response:
        """Send and read the whole answer."""
        content = call.content() if call.content else None
        return self._http.request(call.method, call.path, content=content, **call.arguments(self._settings))

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncGenerator[Arriving]:
        """Send and read the head."""
        with self._http.stream(call.method, call.path, **call.arguments(self._settings)) as response:
            yield _BlockingArriving(response)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)  # noqa: ASYNC251 -- never run by an event loop

    async def work(self, task: Callable[[], T]) -> T:
        """Do it here and now."""
        return task()

    async def close(self) -> None:
        """Close the connections."""
        self._http.close()


class Asynchronous:
    """A connection for an asyncio event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = httpx2.AsyncClient(**settings.connection)

    async def send(self, call: Call) -> httpx2.Response:
        """Send and read the whole answer."""
        content = self._away(call.content()) if call.content else None
        return await self._http.request(
            call.method, call.path, content=content, **call.arguments(self._settings)
        )

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncGenerator[Arriving]:
        """Send and read the head."""
        async with self._http.stream(call.method, call.path, **call.arguments(self._settings)) as response:
            yield _AsynchronousArriving(response)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def work(self, task: Callable[[], T]) -> T:
        """Do it in a thread."""
        return await asyncio.to_thread(task)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _away(self, pieces: Iterator[bytes]) -> AsyncGenerator[bytes]:
        """Read a file in a thread."""
        while piece := await self.work(lambda: next(pieces, b"")):
            yield piece


class _BlockingArriving:
    def __init__(self, response: httpx2.Response) -> None:
        self.response = response

    async def pieces(self) -> AsyncGenerator[bytes]:
        for piece in self.response.iter_bytes():
            yield piece

    async def read(self) -> None:
        self.response.read()


class _AsynchronousArriving:
    def __init__(self, response: httpx2.Response) -> None:
        self.response = response

    async def pieces(self) -> AsyncGenerator[bytes]:
        async for piece in self.response.aiter_bytes():
            yield piece

    async def read(self) -> None:
        await self.response.aread()


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over a blocking connection to its end."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    message = "a coroutine over a blocking connection was suspended"
    raise RuntimeError(message)


def iterate(stream: AsyncGenerator[T]) -> Iterator[T]:
    """Iterate an asynchronous generator over a blocking connection; leaving early closes it."""
    try:
        while True:
            try:
                item = drive(_next(stream))
            except StopAsyncIteration:
                return
            yield item
    finally:
        drive(stream.aclose())


async def _next(stream: AsyncGenerator[T]) -> T:
    return await anext(stream)
