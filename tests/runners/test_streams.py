"""Progress and cancel are the same near and far: thread, actor, Serve."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.situations_jobs import planned
from worldgen.datatypes import Candidate, GenerationPlan, Progress
from worldgen.media.near import stream_in_thread

FRAMES = 12
STEPS = 240
Stream = Callable[[GenerationPlan], AsyncGenerator[Progress | Candidate, None]]


async def _events(stream: AsyncGenerator[Progress | Candidate, None]) -> list[Progress | Candidate]:
    return [event async for event in stream]


def _is_counted(events: list[Progress | Candidate], frames: int) -> None:
    steps = [e for e in events if isinstance(e, Progress)]
    assert isinstance(events[-1], Candidate)
    assert [e.step for e in steps] == list(range(1, steps[0].steps + 1))
    assert len(steps) == frames * steps[0].chunks
    assert events[-1].video.frames == frames


async def _leave_after(stream: AsyncGenerator[Progress | Candidate, None], count: int) -> int:
    seen = 0
    async with aclosing(stream):
        async for _ in stream:
            seen += 1
            if seen == count:
                break
    return seen


def _files(folder: Path) -> set[str]:
    return {p.name for p in (folder / "scratch").iterdir()}


@pytest.fixture
def prepared(tmp_path: Path):
    assembly, _, plan = planned(tmp_path, frames=FRAMES)
    yield tmp_path, assembly, plan
    assembly.close()


@pytest.fixture
def prepared_long(tmp_path: Path):
    """A generation of two minutes: whoever leaves after a few steps leaves long before its end."""
    assembly, _, plan = planned(tmp_path, frames=FRAMES, model="fake")
    long = {"steps": STEPS // 2, "chunks": 2, "step_seconds": 0.5}
    yield tmp_path, assembly, plan.model_copy(update={"parameters": long})
    assembly.close()


def _brief(plan: GenerationPlan) -> GenerationPlan:
    """The same without pauses, to be read to its end."""
    return plan.model_copy(update={"parameters": {**plan.parameters, "step_seconds": 0.0}})


def _is_fake_counted(events: list[Progress | Candidate]) -> None:
    steps = [e for e in events if isinstance(e, Progress)]
    assert isinstance(events[-1], Candidate)
    assert [(e.step, e.chunk) for e in steps] == [(i + 1, i // (STEPS // 2)) for i in range(STEPS)]


def test_a_thread_counts_every_step(prepared) -> None:
    _, assembly, plan = prepared
    _is_counted(asyncio.run(_events(stream_in_thread(assembly.model.generate, plan))), FRAMES)


def test_leaving_a_thread_stops_it_before_the_close_returns(prepared_long) -> None:
    folder, assembly, plan = prepared_long
    before = _files(folder)
    reached: list[int] = []

    def counted(plan, stop):
        for event in assembly.model.generate(plan, stop):
            reached.append(1)
            yield event

    async def leave() -> int:
        await _leave_after(stream_in_thread(counted, plan), 3)
        at_return = len(reached)
        await asyncio.sleep(0.3)
        return at_return

    at_return = asyncio.run(leave())
    assert len(reached) == at_return < STEPS, "the model went on after the stream was closed"
    assert _files(folder) == before, "a cancelled generation left a file"


def test_cancelling_the_reading_task_stops_the_thread(prepared_long) -> None:
    folder, assembly, plan = prepared_long
    before = _files(folder)

    async def cancel() -> None:
        task = asyncio.ensure_future(_events(stream_in_thread(assembly.model.generate, plan)))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert _files(folder) == before


def test_an_actor_counts_every_step_and_stops(prepared_long, local_ray) -> None:
    from cluster.remote import ActorSteps
    from worldgen.assembly import Worker

    folder, _, plan = prepared_long
    actor = (
        local_ray.remote(num_cpus=1)(Worker)
        .options(max_concurrency=8)
        .remote("fake", str(folder / "scratch"))
    )
    steps = ActorSteps(actor, actor)

    async def both() -> tuple[list[Progress | Candidate], int, int]:
        events = await _events(steps.generate(_brief(plan)))
        base = await actor.counted.remote()
        await _leave_after(steps.generate(plan), 2)
        at_return = await actor.counted.remote()
        await asyncio.sleep(0.5)
        later = await actor.counted.remote()
        return events, at_return - base, later - base

    events, at_return, later = asyncio.run(both())
    _is_fake_counted(events)
    assert later == at_return < STEPS, "the actor went on after the stream was closed"
    local_ray.kill(actor)


def test_serve_counts_every_step_and_stops(prepared_long, local_ray) -> None:
    from ray import serve

    from serving.remote import RemoteSteps
    from serving.replicas import Generator

    folder, _, plan = prepared_long
    serve.start(http_options={"host": "127.0.0.1", "port": 0})
    app = serve.deployment(Generator, name="generator", max_ongoing_requests=1).bind(
        "fake", str(folder / "scratch"), told_seconds=0.0
    )
    handle = serve.run(app, name="streams", route_prefix=None)
    steps = RemoteSteps({"fake": handle}, handle, folder / "scratch")
    before = _files(folder)

    async def both() -> tuple[list[Progress | Candidate], float]:
        events = await _events(steps.generate("fake", _brief(plan)))
        (folder / "scratch" / Path(events[-1].video.uri).name).unlink()
        await _leave_after(steps.generate("fake", plan), 2)
        at_return = _files(folder)
        await asyncio.sleep(0.5)
        return events, at_return == _files(folder) == before

    try:
        events, clean = asyncio.run(both())
    finally:
        serve.delete("streams")
    _is_fake_counted(events)
    assert clean, "the replica wrote a file after the stream was closed"
