"""Remote steps: the spine's awaitables over Ray Serve handles."""

from collections.abc import AsyncGenerator
from typing import Any

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


class RemoteSteps:
    """Extract, generate and judge in other processes.

    Args:
        generator: Serve handle of a `Worker` that generates.
        critic: Serve handle of a `Worker` that extracts and judges.
    """

    def __init__(self, generator: Any, critic: Any) -> None:  # noqa: ANN401 -- Ray's handles are untyped
        self._generator = generator.options(stream=True)
        self._control = generator
        self._critic = critic

    async def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Extract far."""
        material: Material = await self._critic.extract.remote(source, kinds)
        return material

    async def generate(self, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        """Iterate the far stream, and cancel it explicitly when left early.

        Cancelling the awaiting task does not reach a Ray replica by itself.
        """
        response = self._generator.generate.remote(plan)
        ended = False
        try:
            async for event in response:
                yield event
            ended = True
        finally:
            if not ended:
                # A cancelled response returns before the replica has left the model; being told does not.
                await self._control.stop.remote(plan.attempt_id)
                response.cancel()

    async def judge(self, case: Case) -> Verdict:
        """Judge far."""
        verdict: Verdict = await self._critic.judge.remote(case)
        return verdict
