"""Requests that are sent until they are answered: retries, waits, keys against doing things twice."""

import random
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from worldgen.client.connection import Arriving, Call, Connection
from worldgen.client.errors import Refused, is_passing, refusal
from worldgen.client.settings import Settings
from worldgen.errors import ServiceError

_FIRST_SECONDS: Final = 0.5
_MOST_SECONDS: Final = 8.0
_LONGEST_ASKED_SECONDS: Final = 60.0
"""A server that asks for a longer wait (a spent daily quota) is not waited for."""

M = TypeVar("M", bound=BaseModel)


class Http:
    """A server, spoken to by coroutines over either kind of connection.

    Every request may be sent again after a failure: reading and uploading by content change nothing when done
    twice, and every POST carries an Idempotency-Key, the same for all its tries.

    Args:
        connection: Blocking or asynchronous.
        settings: Where and how patient.
    """

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self.connection = connection
        self.settings = settings

    async def ask(self, call: Call) -> httpx2.Response:
        """Send until answered.

        Raises:
            ServiceError: `unreachable` after all tries.
            Refused: The server answered with an error that will not pass, or has not passed.
        """
        if call.method == "POST":
            call = replace(call, headers={"Idempotency-Key": uuid.uuid4().hex, **call.headers})
        attempt = 0
        while True:
            try:
                return await self.once(call)
            except ServiceError as error:
                seconds = pause(attempt, error)
                if attempt >= self.settings.retries or seconds is None:
                    raise
            attempt += 1
            await self.connection.sleep(seconds)

    async def value(self, kind: type[M], call: Call) -> M:
        """Send until answered, and read the answer as a value.

        Raises:
            ServiceError: As `ask`; `bad_answer` when the answer is something else.
        """
        return read_value(kind, (await self.ask(call)).content)

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncGenerator[Arriving]:
        """Send once and hand over the answer as it comes.

        Raises:
            ServiceError: `unreachable`, also when the connection is lost on the way.
            Refused: The server answered with an error.
        """
        try:
            async with self.connection.stream(call) as arriving:
                if not arriving.response.is_success:
                    await arriving.read()
                    raise refusal(arriving.response)
                yield arriving
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error

    async def once(self, call: Call) -> httpx2.Response:
        """Send one time.

        Raises:
            ServiceError: `unreachable`.
            Refused: The server answered with an error.
        """
        try:
            answer = await self.connection.send(call)
        except httpx2.RequestError as error:
            raise self._unreachable(error) from error
        if answer.is_success:
            return answer
        raise refusal(answer)

    def _unreachable(self, error: httpx2.RequestError) -> ServiceError:
        what = str(error) or type(error).__name__
        hint = "is `worldgen serve` running there?"
        return ServiceError(f"{self.settings.url} did not answer: {what}", reason="unreachable", hint=hint)


class Patience:
    """How long something that breaks is taken up again: until it has been out of reach for too long.

    Args:
        http: The server.
        clock: Seconds, rising.
    """

    def __init__(self, http: Http, clock: Callable[[], float]) -> None:
        self._http = http
        self._clock = clock
        self._since: float | None = None
        self._broken = 0

    def restore(self) -> None:
        """Note that it goes on."""
        self._since, self._broken = None, 0

    def reached(self) -> None:
        """Note that the server is there; whether it goes on is not known yet."""
        self._since = None

    async def endure(self, error: ServiceError) -> None:
        """Wait before the next try.

        Raises:
            ServiceError: The same, when it will not pass or has lasted too long.
        """
        seconds = pause(self._broken, error)
        now = self._clock()
        self._since = now if self._since is None else self._since
        if seconds is None or now - self._since + seconds > self._http.settings.patience_seconds:
            raise error
        self._broken += 1
        await self._http.connection.sleep(seconds)


def pause(attempt: int, error: ServiceError) -> float | None:
    """Return the seconds to wait before the next try, with jitter; None when there should be none.

    Args:
        attempt: How many failed before this one.
        error: What went wrong; its Retry-After is honoured.
    """
    if not is_passing(error):
        return None
    own = min(_MOST_SECONDS, _FIRST_SECONDS * 2.0 ** min(attempt, 10)) * (0.5 + 0.5 * random.random())
    asked = error.retry_after_seconds if isinstance(error, Refused) else None
    if asked is None:
        return own
    return asked + own if asked <= _LONGEST_ASKED_SECONDS else None


def read_value(kind: type[M], body: bytes | str) -> M:
    """Read JSON as a value; fields that a newer server adds are passed over.

    Raises:
        ServiceError: `bad_answer`.
    """
    try:
        return kind.model_validate_json(body, extra="ignore")
    except ValidationError as error:
        message = f"the server's answer is no {kind.__name__}: {error.errors(include_url=False)[0]['msg']}"
        hint = "is this a worldgen server, of a version near this client's?"
        raise ServiceError(message, reason="bad_answer", hint=hint) from error
