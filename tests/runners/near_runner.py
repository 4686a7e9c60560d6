"""Runners in processes of their own, with near steps: what a replica does, without Ray around it.

``python -m tests.runners.near_runner`` is a nursery: it imports everything once and forks a runner for each
line on its standard input, because importing takes longer than any of the tests. It has no threads itself.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from dbos import DBOS, DBOSClient  # noqa: F401 -- imported here once, for all that are forked

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
from worldgen.media.failpoint import FILE_VARIABLE


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


async def work(config: ServiceConfig, executor: str, ready: Path) -> None:
    """Be a runner until killed, or until the ready-file is taken away, which means drain and leave."""
    runner = Runner(config, executor, NearSteps(config))
    ready.touch()
    while ready.exists():
        await asyncio.sleep(0.05)
        runner.check_health()
    await runner.drain()


def born(order: dict[str, str]) -> None:
    """Live as a runner, in a fork."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ[FILE_VARIABLE] = order["trap"]
    config = ServiceConfig.model_validate_json(order["config"])
    asyncio.run(work(config, order["executor"], Path(order["ready"])))
    os._exit(0)


def waited(pid: int, seconds: float) -> int | None:
    """How a runner ended, as `subprocess` says it; None while it lives."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    return None


def main() -> None:
    print("loaded", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(json.dumps(waited(order["wait"], order["seconds"])), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            born(order)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
