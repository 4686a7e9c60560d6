"""Jobs: accepted once, worked on by one runner at a time, followed by anybody who may."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from serving.store.job_queries import SAME_FOR_SECONDS, JobQueries
from serving.store.job_rows import (
    append_event,
    end_job,
    fenced_row,
    keep_line,
    row_of,
    same_row,
    statuses_of,
    update_job,
)
from serving.store.rows import RANKS, progress_of
from serving.store.tables import JOBS
from worldgen.errors import ServiceError
from worldgen.wire import FINAL, JobEvent, JobRequest, JobState, JobStatus


class JobStore(JobQueries):
    """Job rows and their events. Synchronous: on an event loop call it through `asyncio.to_thread`.

    What a runner writes is fenced by the number of its attempt: a runner that was taken for dead and lives
    can change nothing any more.

    Args:
        database: Where the rows are; the tables are made when they are missing.
    """

    def submit(
        self,
        request: JobRequest,
        *,
        job_id: str,
        owner: str,
        variants_total: int,
        fingerprint: str,
        limit: int,
    ) -> tuple[JobStatus, bool]:
        """Accept a job: it is durable when this returns.

        Args:
            request: Checked by the caller.
            job_id: New.
            owner: Who asked.
            variants_total: How many specs the request names.
            fingerprint: Of the request's content; empty: never the same as another.
            limit: How many jobs may wait.

        Returns:
            The job and whether it is new: the same owner's same request within 24 h that did not fail and
            was not stopped is the job that is there already.

        Raises:
            ServiceError: `busy` when `limit` jobs are waiting.
        """
        with self.database.write(alone=True) as connection:
            now = self.database.now(connection)
            if fingerprint and (same := same_row(connection, owner, fingerprint, now - SAME_FOR_SECONDS)):
                return statuses_of(connection, [same])[0], False
            waiting = sa.select(sa.func.count()).where(JOBS.c.state == "queued")
            if (count := connection.scalar(waiting) or 0) >= limit:
                message = f"{count} jobs are waiting; the queue takes {limit}"
                raise ServiceError(message, reason="busy", hint="try again later")
            seconds = request.deadline_seconds
            connection.execute(
                sa.insert(JOBS).values(
                    id=job_id,
                    owner=owner,
                    fingerprint=fingerprint,
                    request=request.model_dump_json(),
                    model=request.model,
                    source=request.source,
                    priority=RANKS[request.priority],
                    state="queued",
                    created=now,
                    deadline=None if seconds is None else now + seconds,
                    variants_total=variants_total,
                )
            )
            append_event(connection, job_id, 0, JobEvent(id=0, kind="state", state="queued"))
            return statuses_of(connection, [row_of(connection, job_id)])[0], True

    def request_cancel(self, job_id: str, *, owner: str | None) -> JobStatus:
        """Cancel a job that waits; ask the runner of one that is worked on. A final one stays as it is.

        Raises:
            ServiceError: `not_found`.
        """
        with self.database.write() as connection:
            row = row_of(connection, job_id, owner, lock=True)
            if row["state"] == "queued":
                end_job(connection, self.database.now(connection), row, "cancelled")
            elif row["state"] not in FINAL:
                update_job(connection, job_id, cancel_requested=True)
            return statuses_of(connection, [row_of(connection, job_id)])[0]

    def take(self, job_id: str, executor: str) -> int:
        """Take a job up as its only runner, in place of whoever had it.

        Returns:
            The number of this attempt; every other attempt can write nothing from now on.

        Raises:
            ServiceError: `not_found`; `forbidden` when it has ended.
        """
        with self.database.write() as connection:
            row = row_of(connection, job_id, lock=True)
            if row["state"] in FINAL:
                message = f"job {job_id} is {row['state']} already"
                raise ServiceError(message, reason="forbidden")
            attempt = int(row["attempt"]) + 1
            started = row["started"] or self.database.now(connection)
            update_job(connection, job_id, attempt=attempt, executor=executor, started=started)
            return attempt

    def emit(self, job_id: str, attempt: int, event: JobEvent) -> JobEvent:
        """Append an event, numbered, and move the job to its state.

        A variant that the job has already (made by an attempt that died before it could say so to anybody
        else) is not said twice, nor is a state in which the job is: the event comes back with the number 0.

        Raises:
            ServiceError: `forbidden` when another attempt has the job, or it has ended.
        """
        with self.database.write() as connection:
            row = fenced_row(connection, job_id, attempt)
            if event.kind == "state" and event.state == row["state"]:
                return event.model_copy(update={"id": 0})
            if event.variant is not None and not keep_line(connection, row, event):
                return event.model_copy(update={"id": 0})
            changes: dict[str, Any] = {"state": event.state}
            if event.kind == "progress":
                changes["progress"] = progress_of(event)
            update_job(connection, job_id, **changes)
            return append_event(connection, job_id, row["last_event"], event)

    def finish(
        self, job_id: str, attempt: int, state: JobState, error: dict[str, str] | None = None
    ) -> JobStatus:
        """End a job; to say the same again changes nothing.

        Raises:
            ServiceError: `forbidden` when another attempt has the job, or it has ended.
        """
        with self.database.write() as connection:
            row = row_of(connection, job_id, lock=True)
            if (row["attempt"], row["state"]) == (attempt, state) and state in FINAL:
                return statuses_of(connection, [row])[0]
            row = fenced_row(connection, job_id, attempt)
            end_job(connection, self.database.now(connection), row, state, error)
            return statuses_of(connection, [row_of(connection, job_id)])[0]

    def lapse(self) -> tuple[str, ...]:
        """Expire the jobs that still wait when their deadline is over, and name them."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            query = sa.select(JOBS).where(JOBS.c.state == "queued", JOBS.c.deadline < now).with_for_update()
            rows = connection.execute(query).mappings().all()
            for row in rows:
                end_job(connection, now, row, "expired")
            return tuple(row["id"] for row in rows)

    def expire(self, *, before: datetime) -> int:
        """Forget the jobs that ended before a moment; the variants stay in the catalogue.

        Returns:
            How many.
        """
        query = sa.delete(JOBS).where(JOBS.c.finished < before.timestamp(), JOBS.c.state.in_(FINAL))
        with self.database.write() as connection:
            return int(connection.execute(query).rowcount)

    def remove(self, job_id: str, *, owner: str | None) -> None:
        """Forget one job that has ended; its variants stay in the catalogue.

        Raises:
            ServiceError: `not_found`; `conflict` while it is being worked on.
        """
        with self.database.write() as connection:
            row = row_of(connection, job_id, owner, lock=True)
            if row["state"] not in FINAL:
                message = f"job {job_id} is {row['state']}; it can be removed when it has ended"
                raise ServiceError(message, reason="conflict", hint="cancel it first")
            connection.execute(sa.delete(JOBS).where(JOBS.c.id == job_id))
