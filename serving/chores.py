"""Chores of a runner: heartbeat, taking over, finding what is in no queue, and clean-up."""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Set
from typing import Final

from serving.cleaning import Cleaner
from serving.queue import JobQueue
from serving.site import Site
from serving.store.runners import RunnerRegistry
from serving.workflow import Durable
from worldgen.errors import ServiceError

_SWEEP_SECONDS: Final = 5.0
_CLEAN_SECONDS: Final = 3600.0
_ORPHAN_SWEEPS: Final = 3
"""A job that this runner has by the journal and does not work on is begun again after so many looks: between
the journal and the work lie moments, on a full machine seconds."""

_log = logging.getLogger("worldgen.serving")


class Chores:
    """Threads beside the event loop, so that a busy loop is not a dead runner.

    Args:
        site: Of the runner.
        registry: Who is alive.
        queue: Where jobs wait.
        durable: DBOS of this process.
        cleaner: Forgets what is old.
    """

    def __init__(
        self, site: Site, registry: RunnerRegistry, queue: JobQueue, durable: Durable, cleaner: Cleaner
    ) -> None:
        self.site = site
        self.registry = registry
        self.queue = queue
        self.durable = durable
        self._stop = threading.Event()
        self._steady_since = time.monotonic()
        self._orphans: Counter[str] = Counter()
        runner = site.config.runner
        self._threads = [
            self._every(runner.beat_seconds, self.beat),
            self._every(2 * runner.beat_seconds, self.take_over),
            self._every(_SWEEP_SECONDS, self.sweep),
            self._every(_CLEAN_SECONDS, cleaner.clean),
        ]

    @property
    def are_alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Stop, and say that this runner has left."""
        self._stop.set()
        try:
            self.registry.leave(self.site.executor, self.site.incarnation)
        except ServiceError:
            _log.warning("%s could not say that it leaves", self.site.executor)

    def beat(self) -> None:
        """Say that this runner lives."""
        beat = self.registry.beat(self.site.executor, self.site.incarnation)
        if beat.seconds_silent > self._patience:
            self._steady_since = time.monotonic()
        if beat.standing == "replaced":
            # Serve has started another process under this name: two would fight for the same jobs.
            _log.error("%s was replaced by another process; leaving", self.site.executor)
            os._exit(1)
        if beat.standing == "dead":
            _log.warning("%s was taken for dead; its jobs belong to others now", self.site.executor)
            self.registry.join(self.site.executor, self.site.incarnation)

    def take_over(self) -> None:
        """Put the jobs of dead runners back into the queue, and expire what has waited too long.

        Whose own heart has not beaten steadily for a while says of nobody that he is dead: it was the
        database that was silent, or the machine that stood still, and the others may need a moment more.
        """
        self.site.jobs.lapse()
        seconds = self.site.config.runner.dead_after_seconds
        if time.monotonic() - self._steady_since < seconds:
            return
        dead = self.registry.dead(seconds, by=self.site.executor, patience=self._patience)
        recovered = self.durable.recover(dead)
        if recovered:
            _log.warning("%s puts back %d jobs of %s", self.site.executor, recovered, ", ".join(dead))

    def sweep(self) -> None:
        """Enqueue the jobs that were accepted and are in no queue, or whose workflow broke."""
        before, self._orphans = self._orphans, Counter()
        unfinished = self.site.jobs.unfinished()
        missing = unfinished.keys() - self.queue.in_flight() if unfinished else ()
        for job_id in missing:
            _log.warning("job %s is in no queue; enqueueing it", job_id)
            self.queue.enqueue_again(job_id)
        if unfinished and not self.site.is_leaving:
            self._see_to_orphans(unfinished.keys() & self.queue.held(self.site.executor), before)

    def _see_to_orphans(self, held: Set[str], before: Counter[str]) -> None:
        # A workflow that could write neither its step nor its end (a disk was full) is over, and its row says
        # for ever that this runner works on it.
        worked_on = {attempt.job_id for attempt in tuple(self.site.attempts)}
        for job_id in held - worked_on:
            if before[job_id] + 1 < _ORPHAN_SWEEPS:
                self._orphans[job_id] = before[job_id] + 1
                continue
            _log.warning("job %s is worked on by nobody; beginning it again", job_id)
            self.queue.begin_again(job_id)

    @property
    def _patience(self) -> float:
        # Less than what makes a runner dead by more than a beat: the others may beat that much later.
        return self.site.config.runner.dead_after_seconds / 2

    def _every(self, seconds: float, chore: Callable[[], None]) -> threading.Thread:
        def work() -> None:
            while not self._stop.wait(seconds):
                try:
                    chore()
                except Exception:  # noqa: BLE001 -- a chore that failed is done again; the runner goes on
                    _log.warning("%s failed; again in %.0f s", chore.__name__, seconds, exc_info=True)

        thread = threading.Thread(target=work, name=f"worldgen-{chore.__name__}", daemon=True)
        thread.start()
        return thread
