"""The clients: one connection to a server, blocking or asynchronous."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from worldgen.client import calls
from worldgen.client.batch import AsyncBatch, Batch, batch_request
from worldgen.client.calls import Specs, Submission
from worldgen.client.connection import Asynchronous, Blocking, drive, iterate
from worldgen.client.http import Http
from worldgen.client.job import AsyncJob, Job
from worldgen.client.settings import settings
from worldgen.client.uploads import Given, Sent, ignore, missing_bytes, send_all
from worldgen.client.variant import AsyncVariant, Variant
from worldgen.datatypes.profile import ModelProfile
from worldgen.wire import BatchLine, JobState, Priority

_PAGE = 100


class _Connected:
    """What both clients are told, and know without asking."""

    _kind: ClassVar[type[Blocking] | type[Asynchronous]]

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        retries: int = 4,
        patience_seconds: float = 120.0,
    ) -> None:
        self._settings = settings(
            url, key, timeout_seconds=timeout_seconds, retries=retries, patience_seconds=patience_seconds
        )
        self._http = Http(self._kind(self._settings), self._settings)

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._settings.url

    def __repr__(self) -> str:
        """Show the address, never the key."""
        return f"{type(self).__name__}({self.url})"


class Client(_Connected):
    """A connection to a worldgen server.

    Every request that was not answered, or answered with `later`, is sent again with growing, jittered waits;
    no job is submitted twice by that.

    Args:
        url: Its address; default the environment variable WORLDGEN_URL, else http://127.0.0.1:8000.
        key: Where the server asks for one; default the environment variable WORLDGEN_KEY.
        timeout_seconds: For connecting, and for every pause in an answer.
        retries: How often a request is sent again.
        patience_seconds: How long a job that is followed, or a download, may be out of reach.

    Raises:
        ConfigError: `invalid` when the address is none.
    """

    _kind = Blocking

    def __enter__(self) -> Self:
        """Use as a context."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        drive(self._http.connection.close())

    def submit(
        self,
        source: Given,
        specs: Specs,
        *,
        model: str = "",
        seed: int = 0,
        camera: str | None = None,
        labels: Given | None = None,
        calibration: Given | None = None,
        priority: Priority = "interactive",
        deadline_seconds: float | None = None,
        upload: bool = True,
        on_upload: Sent = ignore,
    ) -> Job:
        """Submit one source with its specs; a local file is uploaded first, unless the server has it.

        Args:
            source: A local file, its content, ``blob:<sha256>``, or an https or s3 address that the server
                allows.
            specs: Words ("heavy rain at night"), preset names or typed specs.
            model: A world model that the server has; empty: its default.
            seed: Same seed, same frames.
            camera: Of a recording.
            labels: Beside the clip, named as `source` is.
            calibration: Beside the clip, named as `source` is.
            priority: interactive, or batch, which waits behind it.
            deadline_seconds: From submission on; what is not finished then is given up.
            upload: False: strings and paths are names on the server.
            on_upload: Called as (what, bytes that the server has, bytes in all).

        Raises:
            SourceError: A local file is not there, is empty, or changed while it was sent.
            RefusedInput: The server cannot use what was given; `code` and `nearest` say more.
            ServiceError: The server refused, or did not answer.
        """
        wanted = Submission(
            source=source,
            specs=specs,
            model=model,
            seed=seed,
            camera=camera,
            labels=labels,
            calibration=calibration,
            priority=priority,
            deadline_seconds=deadline_seconds,
            upload=upload,
        )
        return Job(self._http, drive(calls.submit(self._http, wanted, on_upload)), source)

    def upload(self, content: str | Path | bytes, *, on_upload: Sent = ignore) -> str:
        """Upload a file or its content, unless the server has it, and return its ``blob:`` name."""
        given = content if isinstance(content, bytes) else Path(content)
        return drive(send_all(self._http, [given], on_upload))[0].name

    def job(self, job_id: str) -> Job:
        """Find a job again."""
        return Job(self._http, drive(calls.status(self._http, job_id)))

    def jobs(self, *states: JobState) -> Iterator[Job]:
        """Yield jobs, newest first, as far as you iterate.

        Args:
            states: Only jobs in these; none: all.
        """
        for status in iterate(calls.jobs(self._http, states=states, page=_PAGE)):
            yield Job(self._http, status)

    def variant(self, variant_id: str) -> Variant:
        """Find a variant again."""
        return Variant(self._http, calls.view_line(drive(calls.variant(self._http, variant_id))))

    def variants(self, **filters: Any) -> Iterator[Variant]:  # noqa: ANN401 -- those of the API
        """Yield the variants of the server's catalogue, as far as you iterate.

        Args:
            filters: Those of ``GET /v1/variants``, such as ``state="accepted"``.
        """
        for view in iterate(calls.variants(self._http, page=_PAGE, filters=filters)):
            yield Variant(self._http, calls.view_line(view))

    def submit_batch(
        self,
        lines: Iterable[BatchLine | Mapping[str, Any]] = (),
        *,
        manifest: str = "",
        model: str = "",
        runners: int = 2,
    ) -> Batch:
        """Submit many sources that are in folders which the server allows.

        Args:
            lines: One per source, such as ``{"source": "/data/a.mp4", "specs": ["fog"]}``.
            manifest: Path on the server of a JSON-lines file of such lines, in place of `lines`.
            model: A world model that the server has; empty: its default.
            runners: Sources in flight.

        Raises:
            ConfigError: `invalid`: a line that is none, or more than 10,000.
            RefusedInput: The server cannot use what was given.
            ServiceError: The server takes no batches, refused, or did not answer.
        """
        wanted = batch_request(lines, manifest=manifest, model=model, runners=runners)
        return Batch(self._http, drive(calls.submit_batch(self._http, wanted)))

    def batch(self, batch_id: str) -> Batch:
        """Find a batch again."""
        return Batch(self._http, drive(calls.batch_status(self._http, batch_id)))

    def batches(self) -> Iterator[Batch]:
        """Yield batches, newest first, as far as you iterate."""
        for status in iterate(calls.batches(self._http, page=_PAGE)):
            yield Batch(self._http, status)

    def models(self) -> tuple[ModelProfile, ...]:
        """List the contracts of the server's world models."""
        return drive(calls.models(self._http))

    def model(self, name: str = "") -> ModelProfile:
        """Find one contract; empty: that of the server's default.

        Raises:
            ContractError: `unknown_model`, naming those that the server has.
        """
        return drive(calls.model(self._http, name))

    def missing_bytes(self, content: str | Path | bytes) -> int:
        """Say how much of a file the server would have to be sent; nothing is sent."""
        given = content if isinstance(content, bytes) else Path(content)
        return drive(missing_bytes(self._http, given))


class AsyncClient(_Connected):
    """A connection to a worldgen server, for an asyncio event loop; see `Client` for everything it does."""

    _kind = Asynchronous

    async def __aenter__(self) -> Self:
        """Use as a context."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.connection.close()

    async def submit(
        self,
        source: Given,
        specs: Specs,
        *,
        model: str = "",
        seed: int = 0,
        camera: str | None = None,
        labels: Given | None = None,
        calibration: Given | None = None,
        priority: Priority = "interactive",
        deadline_seconds: float | None = None,
        upload: bool = True,
        on_upload: Sent = ignore,
    ) -> AsyncJob:
        """Submit one source with its specs; see `Client.submit`."""
        wanted = Submission(
            source=source,
            specs=specs,
            model=model,
            seed=seed,
            camera=camera,
            labels=labels,
            calibration=calibration,
            priority=priority,
            deadline_seconds=deadline_seconds,
            upload=upload,
        )
        return AsyncJob(self._http, await calls.submit(self._http, wanted, on_upload), source)

    async def upload(self, content: str | Path | bytes, *, on_upload: Sent = ignore) -> str:
        """Upload a file or its content, unless the server has it, and return its ``blob:`` name."""
        given = content if isinstance(content, bytes) else Path(content)
        return (await send_all(self._http, [given], on_upload))[0].name

    async def job(self, job_id: str) -> AsyncJob:
        """Find a job again."""
        return AsyncJob(self._http, await calls.status(self._http, job_id))

    async def jobs(self, *states: JobState) -> AsyncGenerator[AsyncJob]:
        """Yield jobs, newest first, as far as you iterate; see `Client.jobs`."""
        async with aclosing(calls.jobs(self._http, states=states, page=_PAGE)) as found:
            async for status in found:
                yield AsyncJob(self._http, status)

    async def variant(self, variant_id: str) -> AsyncVariant:
        """Find a variant again."""
        return AsyncVariant(self._http, calls.view_line(await calls.variant(self._http, variant_id)))

    async def variants(self, **filters: Any) -> AsyncGenerator[AsyncVariant]:  # noqa: ANN401 -- those of the API
        """Yield the variants of the server's catalogue; see `Client.variants`."""
        async with aclosing(calls.variants(self._http, page=_PAGE, filters=filters)) as found:
            async for view in found:
                yield AsyncVariant(self._http, calls.view_line(view))

    async def submit_batch(
        self,
        lines: Iterable[BatchLine | Mapping[str, Any]] = (),
        *,
        manifest: str = "",
        model: str = "",
        runners: int = 2,
    ) -> AsyncBatch:
        """Submit many sources that are in folders which the server allows; see `Client.submit_batch`."""
        wanted = batch_request(lines, manifest=manifest, model=model, runners=runners)
        return AsyncBatch(self._http, await calls.submit_batch(self._http, wanted))

    async def batch(self, batch_id: str) -> AsyncBatch:
        """Find a batch again."""
        return AsyncBatch(self._http, await calls.batch_status(self._http, batch_id))

    async def batches(self) -> AsyncGenerator[AsyncBatch]:
        """Yield batches, newest first, as far as you iterate."""
        async with aclosing(calls.batches(self._http, page=_PAGE)) as found:
            async for status in found:
                yield AsyncBatch(self._http, status)

    async def models(self) -> tuple[ModelProfile, ...]:
        """List the contracts of the server's world models."""
        return await calls.models(self._http)

    async def model(self, name: str = "") -> ModelProfile:
        """Find one contract; see `Client.model`."""
        return await calls.model(self._http, name)

    async def missing_bytes(self, content: str | Path | bytes) -> int:
        """Say how much of a file the server would have to be sent; nothing is sent."""
        given = content if isinstance(content, bytes) else Path(content)
        return await missing_bytes(self._http, given)
