"""Remote steps: the spine's awaitables over Ray Serve handles."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, TypeVar

from worldgen.datatypes import (
    Candidate,
    Case,
    ControlKind,
    GenerationPlan,
    Material,
    Progress,
    Source,
    Verdict,
)
from worldgen.errors import ExtractError, GenerationError, JudgeError, WorldgenError

T = TypeVar("T")

_TIMES: Final = 5
"""How often a step whose replica died is begun again: the same plan gives the same frames."""
_LEAVING_SECONDS: Final = 120.0
"""A step of denoising is shorter than this; a replica that needs longer to leave is dead or stuck."""

_log = logging.getLogger("worldgen.serving")


class RemoteSteps:
    """Extract, generate and judge in other processes, also when such a process dies meanwhile.

    Args:
        generators: World model -> Serve handle of a `Generator`.
        critic: Serve handle of a `Critic`.
        scratch: Folder that all of them can read.
    """

    def __init__(self, generators: Mapping[str, Any], critic: Any, scratch: Path) -> None:  # noqa: ANN401 -- Ray's handles are untyped
        self._generators = {name: handle.options(stream=True) for name, handle in generators.items()}
        self._critic = critic
        self._scratch = scratch

    async def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Extract far."""
        return await _again(
            lambda: self._critic.extract.remote(source, kinds), ExtractError("the critic died")
        )

    async def judge(self, case: Case) -> Verdict:
        """Judge far."""
        return await _again(lambda: self._critic.judge.remote(case), JudgeError("the critic died"))

    async def generate(self, model: str, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        """Iterate the far stream; a stream whose replica died is begun again."""
        for time_ in range(1, _TIMES + 1):
            try:
                async with aclosing(self._stream(model, plan)) as stream:
                    async for event in stream:
                        yield event
            except died() as error:
                _log.warning("generator of %s died (%s); time %d", model, type(error).__name__, time_)
                await asyncio.sleep(min(8.0, 0.5 * 2**time_))
            else:
                return
        message = f"the replica of {model} died {_TIMES} times while it generated this"
        raise GenerationError(message, reason="unavailable", hint="is there enough memory?")

    async def _stream(self, model: str, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        response = self._generators[model].generate.remote(plan)
        try:
            async for event in response:
                yield event
        except died():
            mark_of(self._scratch, plan.attempt_id).unlink(missing_ok=True)
            raise
        except BaseException:
            # Cancelling the awaiting task does not reach a replica by itself, and a cancelled response
            # returns before the replica has left the model.
            response.cancel()
            await self._has_left(plan.attempt_id)
            raise

    async def _has_left(self, attempt_id: str) -> None:
        mark, end = mark_of(self._scratch, attempt_id), time.monotonic() + _LEAVING_SECONDS
        while mark.exists() and time.monotonic() < end:  # noqa: ASYNC110 -- a file of another process
            await asyncio.sleep(0.02)


def mark_of(scratch: Path, attempt_id: str) -> Path:
    """Name the file that is there while an attempt is being generated."""
    return scratch / f"generating-{attempt_id}"


async def _again(call: Callable[[], Awaitable[T]], given_up: WorldgenError) -> T:
    for time_ in range(1, _TIMES + 1):
        try:
            return await call()
        except died() as error:
            _log.warning("%s (%s); time %d", given_up.message, type(error).__name__, time_)
            await asyncio.sleep(min(8.0, 0.5 * 2**time_))
    raise given_up


def died() -> tuple[type[BaseException], ...]:
    """Name the errors that say that a process is gone, and nothing about what it was asked."""
    from ray import exceptions
    from ray.serve.exceptions import DeploymentUnavailableError

    return (
        exceptions.RayActorError,
        exceptions.WorkerCrashedError,
        exceptions.NodeDiedError,
        exceptions.ObjectLostError,
        DeploymentUnavailableError,
    )
