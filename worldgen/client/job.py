"""A job on the server."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, nullcontext
from pathlib import Path
from typing import Any, TypeAlias

from worldgen.client import calls, saving
from worldgen.client.connection import Blocking, drive, iterate
from worldgen.client.following import follow
from worldgen.client.http import Http
from worldgen.client.notebook import job_page
from worldgen.client.progress import JobBars, is_watched
from worldgen.client.uploads import Given
from worldgen.client.variant import AsyncVariant, Variant
from worldgen.wire import JobEvent, JobStatus, VariantLine

Watch: TypeAlias = bool | Callable[[JobEvent], None] | None
"""True: bars; False: nothing; None: bars where somebody would see them; or what is told of every event."""


class _Known:
    """What both kinds of job know without asking.

    Args:
        http: The server.
        status: As last seen.
        source: What it is made from, where this client submitted it.
    """

    def __init__(self, http: Http, status: JobStatus, source: Given | None = None) -> None:
        self._http = http
        self._last = status
        self.id = status.id
        self.source = source

    def __repr__(self) -> str:
        last = self._last
        return (
            f"{type(self).__name__}({self.id[:8]}, {last.state}, {last.variants_done}/{last.variants_total})"
        )

    def _repr_html_(self) -> str:
        # A notebook asks for this outside any coroutine, so a connection of its own fetches what is shown.
        connection = Blocking(self._http.settings)
        http = Http(connection, self._http.settings)

        async def page() -> str:
            self._last = await calls.status(http, self.id)
            return await job_page(http, self._last, self.source)

        try:
            return drive(page())
        finally:
            drive(connection.close())

    def _bars(self, progress: Watch) -> Any:  # noqa: ANN401 -- a context manager around a callable
        if callable(progress):
            return nullcontext(progress)
        is_shown = is_watched() if progress is None else progress
        return JobBars(self._last.variants_total) if is_shown else nullcontext(_ignore)

    async def _wait(self, progress: Watch, seconds: float | None) -> JobStatus:
        with self._bars(progress) as observe:
            self._last = await calls.wait(self._http, self.id, observe, seconds=seconds)
        return self._last

    async def _status(self) -> JobStatus:
        self._last = await calls.status(self._http, self.id)
        return self._last

    async def _cancel(self) -> JobStatus:
        self._last = await calls.cancel(self._http, self.id)
        return self._last

    async def _save(self, out: str | Path) -> list[Path]:
        lines = (await self._status()).variants
        return [await saving.save(self._http, line, Path(out)) for line in lines if line.files]


class Job(_Known):
    """One source and its specs, on the server."""

    def status(self) -> JobStatus:
        """Ask how it is going."""
        return drive(self._status())

    def events(self, after: int = 0) -> Iterator[JobEvent]:
        """Follow it as it goes; a lost connection or a restarted server is taken up where it broke.

        Args:
            after: Number of the last event that is known.

        Raises:
            ServiceError: The server was out of reach for longer than the client's patience, or refused.
        """
        return iterate(follow(self._http, self.id, after))

    def variants(self) -> Iterator[Variant]:
        """Yield what became of each spec, as it is finished."""
        for line in iterate(calls.finished(self._http, self.id)):
            yield self.variant(line)

    def variant(self, line: VariantLine) -> Variant:
        """Make a variant of a line of an event or a status."""
        return Variant(self._http, line, self.source)

    def wait(self, *, progress: Watch = None, timeout_seconds: float | None = None) -> JobStatus:
        """Wait for the end: completed, cancelled or expired.

        Args:
            progress: True: bars on standard error; False: nothing; None: bars where somebody would see them;
                or a callable that is told of every event.
            timeout_seconds: None waits as long as the job takes.

        Raises:
            Refused: With the job's own code when it failed.
            ServiceError: `timeout`; `unreachable` for longer than the client's patience.
        """
        return drive(self._wait(progress, timeout_seconds))

    def cancel(self) -> JobStatus:
        """Ask for it to be stopped; finished variants stay."""
        return drive(self._cancel())

    def save(self, out: str | Path) -> list[Path]:
        """Fetch the files of every variant that is finished into ``out/variants/``; returns the folders.

        Raises:
            ServiceError: The server refused, was out of reach for too long, or sent other content.
            OutputError: The folder cannot be written.
        """
        return drive(self._save(out))


class AsyncJob(_Known):
    """One source and its specs, on the server."""

    async def status(self) -> JobStatus:
        """Ask how it is going."""
        return await self._status()

    async def events(self, after: int = 0) -> AsyncGenerator[JobEvent]:
        """Follow it as it goes; see `Job.events`."""
        async with aclosing(follow(self._http, self.id, after)) as events:
            async for event in events:
                yield event

    async def variants(self) -> AsyncGenerator[AsyncVariant]:
        """Yield what became of each spec, as it is finished."""
        async with aclosing(calls.finished(self._http, self.id)) as lines:
            async for line in lines:
                yield self.variant(line)

    def variant(self, line: VariantLine) -> AsyncVariant:
        """Make a variant of a line of an event or a status."""
        return AsyncVariant(self._http, line, self.source)

    async def wait(self, *, progress: Watch = None, timeout_seconds: float | None = None) -> JobStatus:
        """Wait for the end: completed, cancelled or expired; see `Job.wait`."""
        return await self._wait(progress, timeout_seconds)

    async def cancel(self) -> JobStatus:
        """Ask for it to be stopped; finished variants stay."""
        return await self._cancel()

    async def save(self, out: str | Path) -> list[Path]:
        """Fetch the files of every variant that is finished into ``out/variants/``; returns the folders."""
        return await self._save(out)


def _ignore(event: JobEvent) -> None:
    del event
