"""Events of a job as they happen: server-sent events, taken up again where a connection broke."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from worldgen.client.connection import Call
from worldgen.client.http import Http, Patience, read_value
from worldgen.errors import ServiceError
from worldgen.wire import FINAL, JobEvent, JobStatus

_KINDS: Final = frozenset({"state", "progress", "variant"})
_SILENT_SECONDS: Final = 60.0
"""A stream that brings not even a heartbeat for so long is opened again; nothing is lost by it."""
_AGAIN_SECONDS: Final = 0.5


class EventParser:
    """Reads `text/event-stream` from bytes in any pieces, after the WHATWG HTML standard, section 9.2.6."""

    def __init__(self) -> None:
        self._rest = b""
        self._kind = ""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[JobEvent]:
        """Take more bytes and return the events that are complete now.

        Raises:
            ServiceError: `bad_answer` when an event of a known kind is no event of ours.
        """
        # Lines end as the standard says and nowhere else: a text may hold what str.splitlines takes for one.
        # A CR at the very end may be half of a CRLF and waits for the next piece.
        rest = self._rest + piece
        held = b"\r" if rest.endswith(b"\r") else b""
        text = rest[: len(rest) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, last = text.split(b"\n")
        self._rest = last + held
        return [event for line in lines if (event := self._line(line.decode("utf-8", "replace"))) is not None]

    def _line(self, line: str) -> JobEvent | None:
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                self._kind = value
            elif field == "data":
                self._data.append(value)
            return None
        kind, data = self._kind, "\n".join(self._data)
        self._kind, self._data = "", []
        # Kinds that a newer server adds are passed over.
        return read_value(JobEvent, data) if data and kind in _KINDS else None


async def follow(
    http: Http, job_id: str, after: int = 0, *, deadline: float | None = None
) -> AsyncGenerator[JobEvent]:
    """Yield a job's events after number `after`, to its final state.

    Args:
        http: The server.
        job_id: The job.
        after: Number of the last event that is known.
        deadline: On `time.monotonic`'s clock; None waits as long as the job takes.

    Raises:
        ServiceError: The server was out of reach for longer than the client's patience, or refused;
            `timeout` at the deadline.
    """
    seen, patience = after, Patience(http, time.monotonic)
    while True:
        start = seen
        try:
            async with aclosing(_stream(http, job_id, seen, deadline)) as stream:
                async for event in stream:
                    patience.reached()
                    if event is None or event.id <= seen:
                        continue
                    patience.restore()
                    seen = event.id
                    yield event
                    if event.kind == "state" and event.state in FINAL:
                        return
            # A stream that ends early is a server that is being replaced, or one without more to say.
            status = await http.value(JobStatus, Call(method="GET", path=f"/v1/jobs/{job_id}"))
        except ServiceError as error:
            _check(deadline, job_id)
            await patience.endure(error)
            continue
        if status.state in FINAL and seen == start:
            return
        await http.connection.sleep(_AGAIN_SECONDS)


async def _stream(
    http: Http, job_id: str, after: int, deadline: float | None
) -> AsyncGenerator[JobEvent | None]:
    """Yield events, and None for every other sign of life."""
    silent = max(_SILENT_SECONDS, http.settings.timeout_seconds)
    if deadline is not None:
        silent = min(silent, max(0.05, deadline - time.monotonic()))
    headers = {"Last-Event-ID": str(after), "Accept": "text/event-stream", "Cache-Control": "no-store"}
    call = Call(method="GET", path=f"/v1/jobs/{job_id}/events", headers=headers, read_seconds=silent)
    parser = EventParser()
    async with http.stream(call) as arriving:
        yield None
        async with aclosing(arriving.pieces()) as pieces:
            async for piece in pieces:
                _check(deadline, job_id)
                yield None
                for event in parser.feed(piece):
                    yield event


def _check(deadline: float | None, job_id: str) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        message = f"job {job_id} was not finished in the time given; it goes on"
        raise ServiceError(message, reason="timeout", hint="job.wait() again, or job.cancel()")
