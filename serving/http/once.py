"""Once per Idempotency-Key: taken, answered, and given back, also when the store is away."""

import asyncio
import hashlib
from typing import Final

from fastapi import Request

from serving.http.logs import LOGGER
from serving.http.problems import Refused
from serving.store.idempotency import LEASE_SECONDS, Answer, IdempotencyStore
from worldgen.datatypes import canonical_json
from worldgen.datatypes.digest import Value
from worldgen.errors import ServiceError

_AGAIN_SECONDS: Final = 1.0


class Turn(Value):
    """One request's use of a key."""

    owner: str
    route: str
    name: str
    """The Idempotency-Key; empty: there is none, and nothing is kept."""


class Once:
    """The first answer to a key is the answer.

    What protects a job from being made twice is its fingerprint; a key that is held tells a client that its
    first request is still being worked on. So one whose request has failed is always given back, or the
    client's next try would be told to wait for nobody.

    Args:
        store: First answers.
    """

    def __init__(self, store: IdempotencyStore) -> None:
        self._store = store
        self._giving_back: set[asyncio.Task[None]] = set()

    async def begin(self, turn: Turn, wanted: Value) -> Answer | None:
        """Take a key, or get the answer that it already has.

        Raises:
            ServiceError: `conflict` while the first request is being worked on.
            Refused: The key was used with another body.
        """
        if not turn.name:
            return None
        body = hashlib.sha256(canonical_json(wanted).encode()).hexdigest()
        try:
            return await asyncio.to_thread(self._store.begin, turn.owner, turn.route, turn.name, body)
        except ServiceError as error:
            if error.reason == "invalid":
                raise Refused(error.message, status=422, hint=error.hint) from error
            if error.reason == "unreachable":
                # It may be taken: the answer was lost, not what was asked.
                self._give_back_later(turn)
            raise

    async def finish(self, turn: Turn, answer: Answer) -> None:
        """Keep the answer."""
        if not turn.name:
            return
        try:
            await asyncio.to_thread(self._store.finish, turn.owner, turn.route, turn.name, answer)
        except ServiceError:
            self._give_back_later(turn)
            raise

    async def give_back(self, turn: Turn) -> None:
        """Let the key be used again; what cannot be done now is done later."""
        if not turn.name:
            return
        try:
            await asyncio.to_thread(self._store.release, turn.owner, turn.route, turn.name)
        except ServiceError:
            self._give_back_later(turn)

    def _give_back_later(self, turn: Turn) -> None:
        task = asyncio.get_running_loop().create_task(self._give_back(turn))
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)

    async def _give_back(self, turn: Turn) -> None:
        # After its lease the key is free by itself.
        for _ in range(int(LEASE_SECONDS / _AGAIN_SECONDS)):
            await asyncio.sleep(_AGAIN_SECONDS)
            try:
                await asyncio.to_thread(self._store.release, turn.owner, turn.route, turn.name)
            except ServiceError:
                continue
            return
        LOGGER.warning("an idempotency key was not given back")


def turn_of(request: Request, owner: str, route: str) -> Turn:
    """Read a request's Idempotency-Key.

    Raises:
        ServiceError: `invalid`.
    """
    name = request.headers.get("idempotency-key")
    if name is not None and not (0 < len(name) <= 255 and all("\x21" <= sign <= "\x7e" for sign in name)):
        message = "an Idempotency-Key has 1 to 255 visible characters of ASCII"
        raise ServiceError(message, reason="invalid")
    return Turn(owner=owner, route=route, name=name or "")
