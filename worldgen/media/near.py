"""Near: a world model in this process, as the async stream that the spine reads."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor
from typing import TypeAlias

from worldgen.datatypes import Candidate, GenerationPlan, Progress

Run: TypeAlias = Callable[[GenerationPlan, threading.Event], Iterator[Progress | Candidate]]


async def stream_in_thread(
    run: Run, plan: GenerationPlan, executor: Executor | None = None
) -> AsyncGenerator[Progress | Candidate, None]:
    """Run a generation in a worker thread and yield its events.

    Closing the stream (or cancelling the task that reads it) sets the stop flag and waits until the thread
    has left the model, so that no event and no file comes after the close returns.
    """
    loop = asyncio.get_running_loop()
    stop = threading.Event()
    events: asyncio.Queue[Progress | Candidate | BaseException | None] = asyncio.Queue()

    def post(event: Progress | Candidate | BaseException | None) -> None:
        loop.call_soon_threadsafe(events.put_nowait, event)

    def work() -> None:
        try:
            for event in run(plan, stop):
                post(event)
        except BaseException as error:  # noqa: BLE001 -- carried to the reader, whatever it is
            post(error)
        else:
            post(None)

    done = loop.run_in_executor(executor, work)
    try:
        while (event := await events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
    finally:
        stop.set()
        await asyncio.shield(done)
