"""Questions about jobs: nothing is changed by asking."""

import json
from collections.abc import Collection
from typing import Final, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from serving.store.database import Database
from serving.store.job_rows import row_of, same_row, statuses_of
from serving.store.tables import BATCH_VARIANTS, EVENTS, JOBS, TABLES, VARIANTS, VERSION
from worldgen.errors import ServiceError
from worldgen.wire import FINAL, JobEvent, JobPage, JobRequest, JobState, JobStatus

SAME_FOR_SECONDS: Final = 24 * 3600
"""How long a request with the same fingerprint is the same job."""

StopReason: TypeAlias = Literal["cancelled", "expired", "lost"]


class JobVersion(NamedTuple):
    """What changes whenever a job's status does, but for its place among those that wait."""

    state: JobState
    attempt: int
    last_event: int
    cancel_requested: bool


class JobQueries:
    """What can be asked of the rows of jobs.

    Args:
        database: Where the rows are; the tables are made when they are missing.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        database.prepare("jobs", VERSION, TABLES)

    def get(self, job_id: str, *, owner: str | None = None) -> JobStatus:
        """Say what a job is doing.

        Raises:
            ServiceError: `not_found`, also for a job of another owner. None sees all.
        """
        with self.database.read() as connection:
            return statuses_of(connection, [row_of(connection, job_id, owner)])[0]

    def version(self, job_id: str, *, owner: str | None = None) -> JobVersion:
        """Say whether a job's status has changed, by one small row.

        Raises:
            ServiceError: `not_found`, also for a job of another owner. None sees all.
        """
        query = sa.select(JOBS.c.state, JOBS.c.attempt, JOBS.c.last_event, JOBS.c.cancel_requested)
        query = query.where(JOBS.c.id == job_id)
        if owner is not None:
            query = query.where(JOBS.c.owner == owner)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            message = f"no job {job_id!r}"
            raise ServiceError(message, reason="not_found")
        return JobVersion(*row)

    def owner(self, job_id: str) -> str:
        """Say whose a job is.

        Raises:
            ServiceError: `not_found`.
        """
        with self.database.read() as connection:
            return str(row_of(connection, job_id)["owner"])

    def request(self, job_id: str) -> JobRequest:
        """Return what was asked for.

        Raises:
            ServiceError: `not_found`.
        """
        with self.database.read() as connection:
            return JobRequest.model_validate_json(row_of(connection, job_id)["request"])

    def page(
        self, *, owner: str | None, after: str | None, limit: int, states: frozenset[JobState] | None = None
    ) -> JobPage:
        """List jobs, newest first.

        Args:
            owner: Whose; None: everybody's.
            after: The last job of the page before.
            limit: At most so many.
            states: Only these; None: all.

        Raises:
            ServiceError: `not_found` when there is no job `after`.
        """
        with self.database.read() as connection:
            query = sa.select(JOBS).order_by(JOBS.c.created.desc(), JOBS.c.id.desc()).limit(limit + 1)
            if owner is not None:
                query = query.where(JOBS.c.owner == owner)
            if states is not None:
                query = query.where(JOBS.c.state.in_(states))
            if after is not None:
                last = row_of(connection, after, owner)
                query = query.where(
                    sa.tuple_(JOBS.c.created, JOBS.c.id) < sa.tuple_(last["created"], last["id"])
                )
            rows = connection.execute(query).mappings().all()
            found = statuses_of(connection, rows[:limit])
        return JobPage(data=tuple(found), next=found[-1].id if len(rows) > limit else None)

    def events(self, job_id: str, after: int, limit: int = 500) -> tuple[JobEvent, ...]:
        """Read the events that follow number `after`, in order; none for a job that is not there."""
        query = (
            sa.select(EVENTS.c.body)
            .where(EVENTS.c.job_id == job_id, EVENTS.c.id > after)
            .order_by(EVENTS.c.id)
            .limit(limit)
        )
        with self.database.read() as connection:
            return tuple(JobEvent.model_validate_json(body) for body in connection.scalars(query))

    def variants_owner(self, variant_id: str, owner: str | None) -> bool:
        """Say whether a job or batch of this owner made (or reused) a variant; None sees all."""
        if owner is None:
            return True
        query = _variants_of(owner).where(sa.column("variant_id") == variant_id).limit(1)
        with self.database.read() as connection:
            return connection.scalar(query) is not None

    def variant_ids(self, owner: str, after: str, limit: int) -> tuple[str, ...]:
        """Name variants that jobs and batches of an owner made or reused, in the order of their ids."""
        variant_id = sa.column("variant_id")
        query = _variants_of(owner).where(variant_id > after).order_by(variant_id).limit(limit)
        with self.database.read() as connection:
            return tuple(connection.scalars(query))

    def cancel_requested(self, job_id: str) -> bool:
        """Say whether somebody asked to stop a job.

        Raises:
            ServiceError: `not_found`.
        """
        with self.database.read() as connection:
            return bool(row_of(connection, job_id)["cancel_requested"])

    def why_stop(self, job_id: str, attempt: int) -> StopReason | None:
        """Say why an attempt must end now, if it must."""
        query = sa.select(JOBS.c.attempt, JOBS.c.state, JOBS.c.cancel_requested, JOBS.c.deadline)
        with self.database.read() as connection:
            row = connection.execute(query.where(JOBS.c.id == job_id)).first()
            if row is None or row.attempt != attempt or row.state in FINAL:
                return "lost"
            if row.cancel_requested:
                return "cancelled"
            is_over = row.deadline is not None and row.deadline < self.database.now(connection)
            return "expired" if is_over else None

    def counts(self) -> dict[str, int]:
        """Count jobs per state."""
        query = sa.select(JOBS.c.state, sa.func.count().label("jobs")).group_by(JOBS.c.state)
        with self.database.read() as connection:
            return {row.state: row.jobs for row in connection.execute(query)}

    def unfinished(self) -> dict[str, JobState]:
        """Name every job that has not ended, and its state, in the order of the queue."""
        query = (
            sa.select(JOBS.c.id, JOBS.c.state)
            .where(JOBS.c.state.not_in(FINAL))
            .order_by(JOBS.c.priority, JOBS.c.created, JOBS.c.id)
        )
        with self.database.read() as connection:
            return {row.id: row.state for row in connection.execute(query)}

    def same(self, owner: str, fingerprint: str) -> JobStatus | None:
        """Find the job that `submit` would answer with in place of a new one."""
        with self.database.read() as connection:
            since = self.database.now(connection) - SAME_FOR_SECONDS
            found = same_row(connection, owner, fingerprint, since)
            return None if found is None else statuses_of(connection, [found])[0]

    def source_names(self, sources: Collection[str], owner: str | None) -> dict[str, str]:
        """Return the names that clients gave to sources, the latest of each; None knows everybody's.

        Args:
            sources: As jobs name them.
            owner: Whose names.
        """
        if not sources:
            return {}
        is_asked = JOBS.c.source.in_(sources)
        if owner is not None:
            is_asked = sa.and_(is_asked, JOBS.c.owner == owner)
        last = sa.select(sa.func.max(JOBS.c.created)).where(is_asked).group_by(JOBS.c.source)
        query = sa.select(JOBS.c.source, JOBS.c.request).where(is_asked, JOBS.c.created.in_(last))
        with self.database.read() as connection:
            found = {
                source: json.loads(text).get("source_name", "") for source, text in connection.execute(query)
            }
        return {source: name for source, name in found.items() if name}

    def sources(self) -> frozenset[str]:
        """Name everything that a kept job was asked to read: sources, labels, calibrations."""
        with self.database.read() as connection:
            requests = connection.scalars(sa.select(JOBS.c.request))
            read = (JobRequest.model_validate_json(text) for text in requests)
            return frozenset(name for r in read for name in (r.source, r.labels, r.calibration) if name)


def _variants_of(owner: str) -> "sa.Select[tuple[str]]":
    of_jobs = (
        sa.select(VARIANTS.c.variant_id)
        .select_from(VARIANTS.join(JOBS, JOBS.c.id == VARIANTS.c.job_id))
        .where(JOBS.c.owner == owner)
    )
    of_batches = sa.select(BATCH_VARIANTS.c.variant_id).where(BATCH_VARIANTS.c.owner == owner)
    both = sa.union(of_jobs, of_batches).subquery()
    return sa.select(both.c.variant_id)
