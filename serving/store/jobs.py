"""Jobs: accepted once, worked on by one runner at a time, followed by anybody who may."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from serving.store.database import Database
from serving.store.rows import RANKS, progress_of, status_of
from serving.store.tables import EVENTS, JOBS, TABLES, VARIANTS, VERSION
from worldgen.errors import ServiceError
from worldgen.wire import FINAL, JobEvent, JobPage, JobRequest, JobState, JobStatus

SAME_FOR_SECONDS: Final = 24 * 3600
"""How long a request with the same fingerprint is the same job."""


class JobVersion(NamedTuple):
    """What changes whenever a job's status does, but for its place among those that wait."""

    state: JobState
    attempt: int
    last_event: int
    cancel_requested: bool


StopReason: TypeAlias = Literal["cancelled", "expired", "lost"]


class JobStore:
    """Job rows and their events. Synchronous: on an event loop call it through `asyncio.to_thread`.

    What a runner writes is fenced by the number of its attempt: a runner that was taken for dead and lives
    can change nothing any more.

    Args:
        database: Where the rows are; the tables are made when they are missing.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        database.prepare("jobs", VERSION, TABLES)

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
            if fingerprint and (same := _same(connection, owner, fingerprint, now - SAME_FOR_SECONDS)):
                return _statuses(connection, [same])[0], False
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
            _append(connection, job_id, 0, JobEvent(id=0, kind="state", state="queued"))
            return _statuses(connection, [_row(connection, job_id)])[0], True

    def get(self, job_id: str, *, owner: str | None = None) -> JobStatus:
        """Say what a job is doing.

        Raises:
            ServiceError: `not_found`, also for a job of another owner. None sees all.
        """
        with self.database.read() as connection:
            return _statuses(connection, [_row(connection, job_id, owner)])[0]

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
            return str(_row(connection, job_id)["owner"])

    def request(self, job_id: str) -> JobRequest:
        """Return what was asked for.

        Raises:
            ServiceError: `not_found`.
        """
        with self.database.read() as connection:
            return JobRequest.model_validate_json(_row(connection, job_id)["request"])

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
                last = _row(connection, after, owner)
                query = query.where(
                    sa.tuple_(JOBS.c.created, JOBS.c.id) < sa.tuple_(last["created"], last["id"])
                )
            rows = connection.execute(query).mappings().all()
            found = _statuses(connection, rows[:limit])
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

    def request_cancel(self, job_id: str, *, owner: str | None) -> JobStatus:
        """Cancel a job that waits; ask the runner of one that is worked on. A final one stays as it is.

        Raises:
            ServiceError: `not_found`.
        """
        with self.database.write() as connection:
            row = _row(connection, job_id, owner, lock=True)
            if row["state"] == "queued":
                _end(connection, self.database.now(connection), row, "cancelled")
            elif row["state"] not in FINAL:
                _update(connection, job_id, cancel_requested=True)
            return _statuses(connection, [_row(connection, job_id)])[0]

    def variants_owner(self, variant_id: str, owner: str | None) -> bool:
        """Say whether a job of this owner made (or reused) a variant; None sees all."""
        if owner is None:
            return True
        query = (
            sa.select(sa.literal(1))
            .select_from(VARIANTS.join(JOBS, JOBS.c.id == VARIANTS.c.job_id))
            .where(VARIANTS.c.variant_id == variant_id, JOBS.c.owner == owner)
            .limit(1)
        )
        with self.database.read() as connection:
            return connection.scalar(query) is not None

    def take(self, job_id: str, executor: str) -> int:
        """Take a job up as its only runner, in place of whoever had it.

        Returns:
            The number of this attempt; every other attempt can write nothing from now on.

        Raises:
            ServiceError: `not_found`; `forbidden` when it has ended.
        """
        with self.database.write() as connection:
            row = _row(connection, job_id, lock=True)
            if row["state"] in FINAL:
                message = f"job {job_id} is {row['state']} already"
                raise ServiceError(message, reason="forbidden")
            attempt = int(row["attempt"]) + 1
            started = row["started"] or self.database.now(connection)
            _update(connection, job_id, attempt=attempt, executor=executor, started=started)
            return attempt

    def emit(self, job_id: str, attempt: int, event: JobEvent) -> JobEvent:
        """Append an event, numbered, and move the job to its state.

        A variant that the job has already (made by an attempt that died before it could say so to anybody
        else) is not said twice: its event comes back with the number 0.

        Raises:
            ServiceError: `forbidden` when another attempt has the job, or it has ended.
        """
        with self.database.write() as connection:
            row = _fenced(connection, job_id, attempt)
            if event.variant is not None and not _keep_line(connection, row, event):
                return event.model_copy(update={"id": 0})
            changes: dict[str, Any] = {"state": event.state}
            if event.kind == "progress":
                changes["progress"] = progress_of(event)
            _update(connection, job_id, **changes)
            return _append(connection, job_id, row["last_event"], event)

    def cancel_requested(self, job_id: str) -> bool:
        """Say whether somebody asked to stop a job.

        Raises:
            ServiceError: `not_found`.
        """
        with self.database.read() as connection:
            return bool(_row(connection, job_id)["cancel_requested"])

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

    def finish(
        self, job_id: str, attempt: int, state: JobState, error: dict[str, str] | None = None
    ) -> JobStatus:
        """End a job.

        Raises:
            ServiceError: `forbidden` when another attempt has the job, or it has ended.
        """
        with self.database.write() as connection:
            row = _fenced(connection, job_id, attempt)
            _end(connection, self.database.now(connection), row, state, error)
            return _statuses(connection, [_row(connection, job_id)])[0]

    def counts(self) -> dict[str, int]:
        """Count jobs per state."""
        query = sa.select(JOBS.c.state, sa.func.count().label("jobs")).group_by(JOBS.c.state)
        with self.database.read() as connection:
            return {row.state: row.jobs for row in connection.execute(query)}

    def lapse(self) -> tuple[str, ...]:
        """Expire the jobs that still wait when their deadline is over, and name them."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            query = sa.select(JOBS).where(JOBS.c.state == "queued", JOBS.c.deadline < now).with_for_update()
            rows = connection.execute(query).mappings().all()
            for row in rows:
                _end(connection, now, row, "expired")
            return tuple(row["id"] for row in rows)

    def unfinished(self) -> dict[str, JobState]:
        """Name every job that has not ended, and its state, in the order of the queue."""
        query = (
            sa.select(JOBS.c.id, JOBS.c.state)
            .where(JOBS.c.state.not_in(FINAL))
            .order_by(JOBS.c.priority, JOBS.c.created, JOBS.c.id)
        )
        with self.database.read() as connection:
            return {row.id: row.state for row in connection.execute(query)}

    def expire(self, *, before: datetime) -> int:
        """Forget the jobs that ended before a moment; the variants stay in the catalogue.

        Returns:
            How many.
        """
        query = sa.delete(JOBS).where(JOBS.c.finished < before.timestamp(), JOBS.c.state.in_(FINAL))
        with self.database.write() as connection:
            return int(connection.execute(query).rowcount)

    def same(self, owner: str, fingerprint: str) -> JobStatus | None:
        """Find the job that `submit` would answer with in place of a new one."""
        with self.database.read() as connection:
            since = self.database.now(connection) - SAME_FOR_SECONDS
            found = _same(connection, owner, fingerprint, since)
            return None if found is None else _statuses(connection, [found])[0]

    def variant_ids(self, owner: str, after: str, limit: int) -> tuple[str, ...]:
        """Name variants that jobs of an owner made or reused, in the order of their ids."""
        query = (
            sa.select(VARIANTS.c.variant_id)
            .distinct()
            .select_from(VARIANTS.join(JOBS, JOBS.c.id == VARIANTS.c.job_id))
            .where(JOBS.c.owner == owner, VARIANTS.c.variant_id > after)
            .order_by(VARIANTS.c.variant_id)
            .limit(limit)
        )
        with self.database.read() as connection:
            return tuple(connection.scalars(query))

    def remove(self, job_id: str, *, owner: str | None) -> None:
        """Forget one job that has ended; its variants stay in the catalogue.

        Raises:
            ServiceError: `not_found`; `conflict` while it is being worked on.
        """
        with self.database.write() as connection:
            row = _row(connection, job_id, owner, lock=True)
            if row["state"] not in FINAL:
                message = f"job {job_id} is {row['state']}; it can be removed when it has ended"
                raise ServiceError(message, reason="conflict", hint="cancel it first")
            connection.execute(sa.delete(JOBS).where(JOBS.c.id == job_id))

    def sources(self) -> frozenset[str]:
        """Name everything that a kept job was asked to read: sources, labels, calibrations."""
        with self.database.read() as connection:
            requests = connection.scalars(sa.select(JOBS.c.request))
            read = (JobRequest.model_validate_json(text) for text in requests)
            return frozenset(name for r in read for name in (r.source, r.labels, r.calibration) if name)


def _row(
    connection: sa.Connection, job_id: str, owner: str | None = None, *, lock: bool = False
) -> sa.RowMapping:
    query = sa.select(JOBS).where(JOBS.c.id == job_id)
    if owner is not None:
        query = query.where(JOBS.c.owner == owner)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        message = f"no job {job_id!r}"
        raise ServiceError(message, reason="not_found")
    return row


def _fenced(connection: sa.Connection, job_id: str, attempt: int) -> sa.RowMapping:
    row = _row(connection, job_id, lock=True)
    if row["attempt"] != attempt:
        message = f"job {job_id} is at attempt {row['attempt']}; attempt {attempt} has lost it"
        raise ServiceError(message, reason="forbidden")
    if row["state"] in FINAL:
        message = f"job {job_id} is {row['state']}; nothing follows"
        raise ServiceError(message, reason="forbidden")
    return row


def _same(connection: sa.Connection, owner: str, fingerprint: str, since: float) -> sa.RowMapping | None:
    query = (
        sa.select(JOBS)
        .where(
            JOBS.c.owner == owner,
            JOBS.c.fingerprint == fingerprint,
            JOBS.c.created >= since,
            JOBS.c.state.not_in(("failed", "cancelled", "expired")),
        )
        .order_by(JOBS.c.created.desc())
        .limit(1)
    )
    return connection.execute(query).mappings().first()


def _statuses(connection: sa.Connection, rows: Sequence[sa.RowMapping]) -> list[JobStatus]:
    lines: dict[str, list[str]] = {row["id"]: [] for row in rows}
    query = (
        sa.select(VARIANTS.c.job_id, VARIANTS.c.line)
        .where(VARIANTS.c.job_id.in_(lines))
        .order_by(VARIANTS.c.job_id, VARIANTS.c.position)
    )
    for job_id, line in connection.execute(query) if rows else ():
        lines[job_id].append(line)
    positions = _positions(connection, [row for row in rows if row["state"] == "queued"])
    return [status_of(row, lines[row["id"]], positions.get(row["id"])) for row in rows]


def _positions(connection: sa.Connection, rows: Iterable[sa.RowMapping]) -> dict[str, int]:
    order = sa.tuple_(JOBS.c.priority, JOBS.c.created, JOBS.c.id)
    found = {}
    for row in rows:
        before = order < sa.tuple_(row["priority"], row["created"], row["id"])
        query = sa.select(sa.func.count()).where(JOBS.c.state == "queued", before)
        found[row["id"]] = connection.scalar(query) or 0
    return found


def _keep_line(connection: sa.Connection, row: sa.RowMapping, event: JobEvent) -> bool:
    """Store a finished spec; say whether it is news. A later answer replaces an earlier one."""
    assert event.variant is not None  # noqa: S101 -- the caller looked
    where = (VARIANTS.c.job_id == row["id"], VARIANTS.c.variant_id == event.variant.id)
    line = event.variant.model_dump_json()
    known = connection.scalar(sa.select(VARIANTS.c.line).where(*where))
    if known is not None:
        connection.execute(sa.update(VARIANTS).where(*where).values(line=line))
        return bool(known != line)
    place = {"job_id": row["id"], "variant_id": event.variant.id, "position": row["last_event"] + 1}
    connection.execute(sa.insert(VARIANTS).values(line=line, **place))
    return True


def _append(connection: sa.Connection, job_id: str, last: int, event: JobEvent) -> JobEvent:
    numbered = event.model_copy(update={"id": last + 1})
    connection.execute(
        sa.insert(EVENTS).values(job_id=job_id, id=numbered.id, body=numbered.model_dump_json())
    )
    _update(connection, job_id, last_event=numbered.id)
    return numbered


def _end(
    connection: sa.Connection,
    now: float,
    row: sa.RowMapping,
    state: JobState,
    error: dict[str, str] | None = None,
) -> None:
    if state not in FINAL:
        msg = f"a job ends as one of {', '.join(sorted(FINAL))}, not as {state!r}"
        raise ValueError(msg)
    text = json.dumps(error) if error else None
    _update(connection, row["id"], state=state, finished=now, error=text)
    _append(connection, row["id"], row["last_event"], JobEvent(id=0, kind="state", state=state))


def _update(connection: sa.Connection, job_id: str, **values: Any) -> None:  # noqa: ANN401 -- columns
    connection.execute(sa.update(JOBS).where(JOBS.c.id == job_id).values(**values))
