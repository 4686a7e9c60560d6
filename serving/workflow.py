"""The durable workflow: prepared, then each variant as an idempotent step. DBOS keeps the journal.

What is journalled is small: the ids that were planned, and how each variant ended. Candidates are files,
results are in the catalogue, and progress is in the store of jobs. A step that was begun and not journalled
is begun again, and finds in the catalogue what was published already.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias

import sqlalchemy as sa

from serving.config import ServiceConfig
from serving.queue import APPLICATION_VERSION, WORKFLOW, queue_name, refuse_pickles
from serving.store.database import keep_wal
from worldgen.errors import ServiceError
from worldgen.wire import Priority

Journalled: TypeAlias = dict[str, Any]
"""What a step returns: JSON. With a key ``ended`` the job is over, in that state."""

_BATCH_POLLS: Final = 5
"""Nobody waits for a batch job: its queue is looked into so many times more rarely."""

_log = logging.getLogger("worldgen.serving")


class Attempt(Protocol):
    """One execution of a job by one runner. Its methods block; DBOS calls them in a thread."""

    def prepare(self) -> Journalled:
        """Open the source and name the variants: ``ids``, one per spec."""

    def variant(self, ids: list[str], index: int) -> Journalled:
        """See to it that a variant is published: return how it ended."""

    def finish(self, ended: Journalled) -> None:
        """End the job."""

    def close(self) -> None:
        """Leave everything: nothing of this attempt runs on after it."""


Take: TypeAlias = Callable[[str], Attempt]
"""Takes a job up, in place of whoever had it; raises `forbidden` when it has ended."""


class Durable:
    """DBOS in this process: the one executor of its name.

    Args:
        config: Of the service.
        executor: A name that is the same after a restart.
        take: Starts an attempt.
    """

    def __init__(self, config: ServiceConfig, executor: str, take: Take) -> None:
        from dbos import DBOS, DBOSPortableJSONSerializer

        refuse_pickles()
        keep_wal(config.workflows_url)
        self.config = config
        self.dbos: Any = DBOS
        self._instance: Any = DBOS(
            config={
                "name": config.name,
                "system_database_url": config.workflows_url,
                "application_version": APPLICATION_VERSION,
                "executor_id": executor,
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "WARNING",
                "use_listen_notify": False,
            }
        )

        # A job may outlive as many runners as its own limit says, which the store counts.
        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
        def job_workflow(job_id: str) -> str:
            return self._work(job_id, take)

        DBOS.launch()
        self._wait_for_database()
        seconds = config.runner.poll_seconds
        polls: dict[Priority, float] = {"interactive": seconds, "batch": _BATCH_POLLS * seconds}
        for priority, every in polls.items():
            DBOS.register_queue(
                queue_name(config.name, priority),
                worker_concurrency=config.runner.jobs_each,
                partition_concurrency=config.runner.jobs_per_owner,
                polling_interval_sec=every,
                on_conflict="always_update",
            )

    def _wait_for_database(self) -> None:
        # DBOS repeats what the loss of its database interrupted, but takes a failed connection for such a
        # loss only by the words in which TCP fails. On a Unix socket a workflow would end there, and never be
        # heard of again: its row says that this runner, which lives, works on it.
        sa.event.listen(self._instance._sys_db.engine, "handle_error", _is_lost)

    def _work(self, job_id: str, take: Take) -> str:
        try:
            attempt = take(job_id)
        except ServiceError as error:
            # Cancelled or expired while it waited, or forgotten: there is nothing to do.
            if error.reason in ("forbidden", "not_found"):
                return error.message
            raise
        try:
            state = self.dbos.run_step({"name": "prepare"}, attempt.prepare)
            ids = state.get("ids", [])
            for index in range(len(ids)):
                if "ended" in state:
                    break
                state = self.dbos.run_step({"name": f"variant {index}"}, attempt.variant, ids, index)
            attempt.finish(state)
            return str(state.get("ended", "completed"))
        finally:
            attempt.close()

    def recover(self, executors: tuple[str, ...]) -> int:
        """Put the workflows of dead executors back into the queue; twice is harmless.

        Returns:
            How many.
        """
        if not executors:
            return 0
        return len(self.dbos._recover_pending_workflows(list(executors)))

    def pause(self) -> None:
        """Take no more jobs from the queues; what is under way goes on."""
        for event in self._instance.background_thread_stop_events:
            event.set()

    def close(self) -> None:
        """Take no more, and stop DBOS; what is under way belongs to the next runner."""
        self.dbos.destroy(workflow_completion_timeout_sec=0)


def _is_lost(context: sa.engine.ExceptionContext) -> None:
    # Without a connection, it is one that could not be made.
    if context.connection is None and isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
        context.is_disconnect = True


class Lost(BaseException):
    """Another attempt has the job, or this runner is leaving: stop, and journal nothing.

    No `Exception`, because DBOS would journal that as how the step ended.
    """
