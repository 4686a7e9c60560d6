"""Remote steps: the spine's awaitables over Ray actors."""

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


class ActorSteps:
    """Extract, generate and judge in actors that several runners share.

    Args:
        generator: Actor handle of a `cluster.workers.Worker` that generates.
        critic: Actor handle of one that extracts and judges.
    """

    def __init__(self, generator: Any, critic: Any) -> None:  # noqa: ANN401 -- Ray's handles are untyped
        self._generator = generator
        self._critic = critic

    async def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        """Extract far."""
        material: Material = await self._critic.extract.remote(source, kinds)
        return material

    async def generate(self, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        """Iterate the far stream; stop it explicitly when left early.

        Cancelling the awaiting task does not reach a Ray actor, so the actor is told, and the call
        returns when the model has been left.
        """
        stream = self._generator.generate.options(num_returns="streaming").remote(plan)
        ended = False
        try:
            async for reference in stream:
                yield await reference
            ended = True
        finally:
            if not ended:
                await self._generator.stop.remote(plan.attempt_id)

    async def judge(self, case: Case) -> Verdict:
        """Judge far."""
        verdict: Verdict = await self._critic.judge.remote(case)
        return verdict
