"""The runner: takes jobs from the queue and makes them near the generators. One process per name."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from serving.attempt import JobAttempt
from serving.chores import Chores
from serving.cleaning import Cleaner
from serving.config import ServiceConfig
from serving.patience import until_answered
from serving.queue import JobQueue
from serving.site import Site, Steps
from serving.store import Database, JobStore
from serving.store.runners import RunnerRegistry
from serving.workflow import Durable, Lost
from worldgen.errors import ServiceError
from worldgen.media.failpoint import failpoint

_log = logging.getLogger("worldgen.serving")


class Runner:
    """A runner replica: DBOS, the chores, and the attempts on this process's event loop.

    Args:
        config: Of the service.
        executor: A name that is the same after a restart.
        steps: Extract, generate and judge, near or far.
    """

    def __init__(self, config: ServiceConfig, executor: str, steps: Steps) -> None:
        database = Database(config.database_url)
        jobs = JobStore(database)
        self.site = Site(config, executor, jobs, steps, asyncio.get_running_loop())
        registry = RunnerRegistry(database, config.name)
        # First the name, then the work: whoever had it before can write nothing from here on.
        registry.join(executor, self.site.incarnation)
        # DBOS refuses to be started on an event loop; nothing that it starts can need this loop yet.
        with ThreadPoolExecutor(1) as elsewhere:
            self.durable = elsewhere.submit(Durable, config, executor, self.take).result()
        queue = JobQueue(config, jobs)
        self.chores = Chores(self.site, registry, queue, self.durable, Cleaner(config, jobs, queue))

    def take(self, job_id: str) -> JobAttempt:
        """Take a job up; called by DBOS in a thread of its own.

        Raises:
            ServiceError: `forbidden` when it has ended, or has ended too many runners; `not_found`.
            Lost: This runner is leaving.
        """
        if self.site.is_leaving:
            message = f"job {job_id} is left to the next runner"
            raise Lost(message)
        jobs, most = self.site.jobs, self.site.config.runner.attempts
        number = until_answered(lambda: jobs.take(job_id, self.site.executor), given_up=self._leaves)
        failpoint("runner.taken")
        if number > most:
            message = f"{most} runners died over this job; it is not tried again"
            error = {"code": "service.failed", "message": message, "hint": "is there enough memory?"}
            until_answered(lambda: jobs.finish(job_id, number, "failed", error), given_up=self._leaves)
            raise ServiceError(message, reason="forbidden")
        request = until_answered(lambda: jobs.request(job_id), given_up=self._leaves)
        attempt = JobAttempt(self.site, job_id, number, request)
        self.site.attempts.add(attempt)
        return attempt

    def _leaves(self) -> bool:
        return self.site.is_leaving

    async def drain(self) -> None:
        """Take nothing more, finish what is being generated, and hand the rest to whoever comes next.

        The heart beats until the end: whoever took the jobs over before would throw away what is done here.
        """
        if self.site.is_leaving:
            return
        self.site.is_leaving = True
        self.durable.pause()
        await self.site.leave(self.site.config.runner.drain_seconds)
        await asyncio.to_thread(self.chores.close)
        await asyncio.to_thread(self.durable.close)

    def check_health(self) -> None:
        """Answer Serve's health check: a runner whose chores have stopped is broken.

        Raises:
            RuntimeError: They have.
        """
        if not self.site.is_leaving and not self.chores.are_alive:
            message = f"the chores of {self.site.executor} have stopped"
            raise RuntimeError(message)
