"""The queue: jobs by name, to whichever runner has room. Whoever enqueues never launches DBOS."""

import logging
from datetime import datetime
from typing import Any, Final

from serving.config import ServiceConfig
from serving.store.jobs import JobStore
from serving.store.rows import RANKS
from worldgen.media.failpoint import failpoint
from worldgen.wire import Priority

APPLICATION_VERSION: Final = "1"
"""Of the workflow's steps, not of the code: a job goes on under newer code. It changes only when the order of
the steps does, and then what old runners began is begun again, from the catalogue."""

WORKFLOW: Final = "worldgen.job"
_IN_FLIGHT: Final = ("ENQUEUED", "PENDING", "DELAYED")

_log = logging.getLogger("worldgen.serving")


def refuse_pickles() -> None:
    """Make DBOS refuse a row that says it is a pickle, whoever wrote it; ours are all JSON."""
    from dbos import _serialization

    def refuse(self: object, text: str) -> Any:  # noqa: ANN401 -- the signature of DBOS
        del self, text
        msg = "a pickle in the journal of workflows is not read"
        raise TypeError(msg)

    setattr(_serialization.DefaultSerializer, "deserialize", refuse)  # noqa: B010 -- mypy sees the types


def queue_name(service: str, priority: Priority) -> str:
    """Name the queue of a priority: a runner looks into each, and interactive variants go first."""
    return f"{service}-{priority}"


class JobQueue:
    """Puts jobs into the queue of DBOS through its client.

    Args:
        config: Where the journal is.
        jobs: Says whose a job is.
    """

    def __init__(self, config: ServiceConfig, jobs: JobStore) -> None:
        from dbos import DBOSClient, DBOSPortableJSONSerializer

        refuse_pickles()
        self.config = config
        self.jobs = jobs
        self.client: Any = DBOSClient(
            system_database_url=config.workflows_url,
            serializer=DBOSPortableJSONSerializer(),
            application_name=config.name,
            lazy=True,
            retry_connection_errors=False,
        )

    def enqueue(self, job_id: str, priority: Priority) -> bool:
        """Enqueue a job that was accepted; twice is harmless.

        Returns:
            Whether it worked. A job that could not be enqueued is not lost: runners look for such jobs.
        """
        failpoint("ingress.accepted")
        try:
            self._enqueue(job_id, job_id, priority)
        except Exception:  # noqa: BLE001 -- whatever the driver raises: the job is accepted
            _log.warning("job %s is accepted but not enqueued; a runner will find it", job_id, exc_info=True)
            return False
        return True

    def enqueue_again(self, job_id: str) -> None:
        """Enqueue a job that is in no queue; under a new name when its workflow is over and it is not."""
        known = self.client.list_workflows(
            workflow_id_prefix=job_id, load_input=False, load_output=False, limit=1000
        )
        if any(workflow.status in _IN_FLIGHT for workflow in known):
            return  # Another runner was a moment faster.
        # Two runners that do this at once choose the same name, so the job is enqueued once.
        workflow_id = f"{job_id}.{len(known)}" if known else job_id
        self._enqueue(workflow_id, job_id, self.jobs.get(job_id).priority)

    def in_flight(self) -> frozenset[str]:
        """Name the jobs that wait in a queue or that a runner, alive or dead, works on."""
        found = self.client.list_workflows(
            status=list(_IN_FLIGHT), name=WORKFLOW, load_input=False, load_output=False
        )
        return frozenset(workflow.workflow_id.partition(".")[0] for workflow in found)

    def held(self, executor: str) -> frozenset[str]:
        """Name the jobs that a runner works on by the journal."""
        found = self.client.list_workflows(
            status="PENDING", name=WORKFLOW, executor_id=executor, load_input=False, load_output=False
        )
        return frozenset(workflow.workflow_id.partition(".")[0] for workflow in found)

    def begin_again(self, job_id: str) -> None:
        """Give up whatever workflow has a job, and enqueue the job under a new name."""
        known = self.client.list_workflows(workflow_id_prefix=job_id, load_input=False, load_output=False)
        for workflow in known:
            if workflow.status in _IN_FLIGHT:
                self.client.cancel_workflow(workflow.workflow_id)
        self.enqueue_again(job_id)

    def _enqueue(self, workflow_id: str, job_id: str, priority: Priority) -> None:
        options = {
            "workflow_name": WORKFLOW,
            "queue_name": queue_name(self.config.name, priority),
            "workflow_id": workflow_id,
            "app_version": APPLICATION_VERSION,
            "priority": RANKS[priority],
            "queue_partition_key": self.jobs.owner(job_id),
        }
        self.client.enqueue(options, job_id)

    def forget(self, before: datetime) -> int:
        """Remove the journal of workflows that ended before a moment.

        Returns:
            How many; at most 1000 at a time.
        """
        old = self.client.list_workflows(
            completed_before=before.isoformat(), load_input=False, load_output=False, limit=1000
        )
        ids = [workflow.workflow_id for workflow in old]
        if ids:
            self.client.delete_workflows(ids)
        return len(ids)

    def close(self) -> None:
        """Give back the connections."""
        self.client.destroy()
