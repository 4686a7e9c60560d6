"""A runner in a process of its own, with near steps: what a replica does, without Ray around it.

Run as ``python -m tests.runners.near_runner CONFIG.json EXECUTOR``; it says "ready" and works until killed.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from serving.config import ServiceConfig
from serving.runner import Runner
from worldgen.assembly import Worker
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


class NearSteps:
    """The steps of `Worker` in this process."""

    def __init__(self, config: ServiceConfig) -> None:
        self._workers = {
            model.name: Worker(model.name, str(config.scratch), model.parameters) for model in config.models
        }
        self._critic = next(iter(self._workers.values()))

    async def extract(self, source: Source, kinds: frozenset[ControlKind]) -> Material:
        return await self._critic.extract(source, kinds)

    def generate(self, model: str, plan: GenerationPlan) -> AsyncGenerator[Progress | Candidate, None]:
        return self._workers[model].generate(plan)

    async def judge(self, case: Case) -> Verdict:
        return await self._critic.judge(case)


async def main() -> None:
    config = ServiceConfig.model_validate_json(Path(sys.argv[1]).read_bytes())
    runner = Runner(config, sys.argv[2], NearSteps(config))
    print("ready", flush=True)
    while True:
        await asyncio.sleep(0.5)
        runner.check_health()


if __name__ == "__main__":
    asyncio.run(main())
