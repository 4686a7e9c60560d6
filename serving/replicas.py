"""Replicas: plain classes that Serve wraps. The near steps, and what a far caller needs to stop them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from serving.config import ServiceConfig
from serving.gpu_memory import GpuReporter
from serving.remote import RemoteSteps, mark_of
from serving.runner import Runner
from serving.thinning import Thinning
from worldgen.assembly import Worker
from worldgen.datatypes import Candidate, GenerationPlan, Progress
from worldgen.media.failpoint import failpoint

_TOLD_SECONDS: Final = 0.1
"""Between two steps that leave a generator; the runner thins further what it writes."""


class Generator(Worker):
    """Generates, one at a time, and marks in the scratch folder what it is at.

    Every step that is told is a message between processes, so few are: a frame of physics takes less than
    the message does.

    Cancelling the remote stream reaches this replica and no other, but returns before the model has been
    left. The mark says when that was: it is a file, because a second call may reach another replica.

    Args:
        model: Name of the world model.
        scratch: Folder that runner and critic can read.
        parameters: Of the model, in place of its own.
        database_url: Where the memory of its GPUs is told; empty: nowhere.
        told_seconds: Between two steps that are told; 0 tells every one.
        cache_bytes: As `Worker`.
    """

    def __init__(
        self,
        model: str,
        scratch: str,
        parameters: Mapping[str, float | int | str | bool] | None = None,
        database_url: str = "",
        told_seconds: float = _TOLD_SECONDS,
        *,
        cache_bytes: int = 1 << 30,
    ) -> None:
        super().__init__(model, scratch, parameters, cache_bytes=cache_bytes)
        self._told_seconds = told_seconds
        self._scratch = Path(scratch)
        self._gpus = GpuReporter(database_url) if database_url else None

    async def generate(self, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        """Stream a generation."""
        mark = mark_of(self._scratch, plan.attempt_id)
        mark.touch()
        thinning = Thinning(self._told_seconds)
        try:
            async with aclosing(super().generate(plan)) as stream:
                async for event in stream:
                    failpoint("generator.step" if isinstance(event, Progress) else "generator.candidate")
                    if isinstance(event, Candidate) or thinning.tells(event):
                        yield event
        finally:
            mark.unlink(missing_ok=True)


class Critic(Worker):
    """Extracts and judges."""


class FarRunner(Runner):
    """A runner whose steps are other replicas.

    Args:
        config: Of the service.
        executor: A name that is the same after a restart.
        generators: World model -> Serve handle of a `Generator`.
        critic: Serve handle of a `Critic`.
    """

    def __init__(
        self,
        config: ServiceConfig,
        executor: str,
        generators: Mapping[str, Any],  # Ray's handles are untyped
        critic: Any,  # noqa: ANN401 -- as above
    ) -> None:
        super().__init__(config, executor, RemoteSteps(generators, critic, config.scratch))

    async def __del__(self) -> None:
        """Drain when Serve stops this replica."""
        await self.drain()
