"""What the HTTP application needs of the rest: nothing here knows Ray, DBOS or a world model's weights."""

from collections.abc import Mapping
from typing import Literal, Protocol

from serving.store.audit_log import AuditLog
from serving.store.batches import Batch, BatchStore
from serving.store.blobs import BlobStore
from serving.store.counters import Counters
from serving.store.database import Database
from serving.store.idempotency import IdempotencyStore
from serving.store.jobs import JobStore
from serving.store.keys import KeyStore
from serving.store.readings import Readings
from worldgen.catalog import Catalog
from worldgen.datatypes import ModelProfile
from worldgen.datatypes.digest import Value
from worldgen.wire import BatchState, Priority


class Readiness(Value):
    """Whether work can be done now."""

    state: Literal["ready", "loading", "broken"]
    why: str = ""
    notes: tuple[str, ...] = ()
    """What is configured and has no effect."""


class BatchRun(Value):
    """What a batch's submission is doing."""

    state: BatchState
    failed_sources: dict[str, int] = {}
    error: dict[str, str] | None = None


class BatchRunner(Protocol):
    """Runs `python -m cluster.bulk` somewhere. Its methods are synchronous."""

    def start(self, batch: Batch) -> None:
        """Submit a batch; one that is submitted already is left alone."""

    def look(self, batch: Batch) -> BatchRun | None:
        """Say what a submission is doing; None when nobody knows it, as after a restart of Ray."""

    def stop(self, batch: Batch) -> None:
        """Stop a submission and wait until it has ended; one that has ended is left alone."""


class Backend(Protocol):
    """Stores, queue and contracts. Its methods are synchronous and are called from worker threads."""

    jobs: JobStore
    keys: KeyStore
    idempotency: IdempotencyStore
    audit_log: AuditLog
    blobs: BlobStore
    counters: Counters
    readings: Readings
    batches: BatchStore
    catalog: Catalog

    def enqueue(self, job_id: str, priority: Priority) -> None:
        """Hand an accepted job to the runners; twice is harmless.

        A failure here loses nothing: a runner looks for accepted jobs that are in no queue.
        """

    def stop(self, job_id: str) -> None:
        """Tell whoever works on a job to look at its cancel flag now; may do nothing."""

    def profiles(self) -> tuple[ModelProfile, ...]:
        """Return the contracts of the world models that are served, the default first."""

    def batch_runner(self) -> BatchRunner:
        """Return what runs batches.

        Raises:
            ServiceError: `unsupported` where there is none.
        """

    def readiness(self) -> Readiness:
        """Say whether jobs can be worked on; cheap."""

    def gauges(self) -> Mapping[str, float]:
        """Return what is measured elsewhere, such as GPU memory in bytes; names as Prometheus has them."""


class Stores:
    """The stores of one database, for backends to inherit.

    Args:
        database: Shared by all processes.
    """

    def __init__(self, database: Database) -> None:
        self.jobs = JobStore(database)
        self.keys = KeyStore(database)
        self.idempotency = IdempotencyStore(database)
        self.audit_log = AuditLog(database)
        self.blobs = BlobStore(database)
        self.counters = Counters(database)
        self.readings = Readings(database)
        self.batches = BatchStore(database)
