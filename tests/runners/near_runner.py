"""Runners with near steps and ingresses, in processes of their own: what replicas do, without Ray around them.

``python -m tests.runners.near_runner`` is a nursery: it imports everything once and forks a runner (or an
ingress) for each line on its standard input, because importing takes longer than any of the tests. It has no
threads itself.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import uvicorn
from dbos import DBOS, DBOSClient  # noqa: F401 -- imported here once, for all that are forked

from serving.backend import ServiceBackend
from serving.config import ServiceConfig
from serving.ingress import build_ingress
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
    """Be a runner until killed, or until SIGTERM, which means drain and leave."""
    runner = Runner(config, executor, NearSteps(config))
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    ready.touch()
    while not told.is_set():
        await asyncio.sleep(0.05)
        runner.check_health()
    await runner.drain()


async def answer(config: ServiceConfig, ready: Path) -> None:
    """Be an ingress replica until killed; the ready-file says on which port."""
    server = uvicorn.Server(
        uvicorn.Config(
            build_ingress(config, ServiceBackend(config)), port=0, access_log=False, server_header=False
        )
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the server ended"
        await asyncio.sleep(0.02)
    partial = ready.with_suffix(".partial")
    partial.write_text(str(server.servers[0].sockets[0].getsockname()[1]))
    partial.rename(ready)
    await serving


def born(order: dict[str, str]) -> None:
    """Live as a runner or an ingress, in a fork."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ[FILE_VARIABLE] = order["trap"]
    config = ServiceConfig.model_validate_json(order["config"])
    ready = Path(order["ready"])
    asyncio.run(work(config, order["executor"], ready) if order["executor"] else answer(config, ready))
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
