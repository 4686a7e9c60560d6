"""Rows of jobs: what reading and writing them have in common, inside one transaction."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from serving.store.rows import status_of
from serving.store.tables import EVENTS, JOBS, VARIANTS
from worldgen.errors import ServiceError
from worldgen.wire import FINAL, JobEvent, JobState, JobStatus


def row_of(
    connection: sa.Connection, job_id: str, owner: str | None = None, *, lock: bool = False
) -> sa.RowMapping:
    """Find a job's row.

    Args:
        connection: Of the transaction.
        job_id: Of the job.
        owner: Whose it must be; None: anybody's.
        lock: Nobody else changes it until the transaction ends.

    Raises:
        ServiceError: `not_found`.
    """
    query = sa.select(JOBS).where(JOBS.c.id == job_id)
    if owner is not None:
        query = query.where(JOBS.c.owner == owner)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        message = f"no job {job_id!r}"
        raise ServiceError(message, reason="not_found")
    return row


def fenced_row(connection: sa.Connection, job_id: str, attempt: int) -> sa.RowMapping:
    """Lock the row of a job that this attempt still has.

    Raises:
        ServiceError: `forbidden` when another attempt has it, or it has ended.
    """
    row = row_of(connection, job_id, lock=True)
    if row["attempt"] != attempt:
        message = f"job {job_id} is at attempt {row['attempt']}; attempt {attempt} has lost it"
        raise ServiceError(message, reason="forbidden")
    if row["state"] in FINAL:
        message = f"job {job_id} is {row['state']}; nothing follows"
        raise ServiceError(message, reason="forbidden")
    return row


def same_row(connection: sa.Connection, owner: str, fingerprint: str, since: float) -> sa.RowMapping | None:
    """Find the owner's latest job of the same content that was not in vain."""
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


def statuses_of(connection: sa.Connection, rows: Sequence[sa.RowMapping]) -> list[JobStatus]:
    """Summarise jobs, with their finished specs and their places in the queue."""
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


def keep_line(connection: sa.Connection, row: sa.RowMapping, event: JobEvent) -> bool:
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


def append_event(connection: sa.Connection, job_id: str, last: int, event: JobEvent) -> JobEvent:
    """Store an event under the number after `last`."""
    numbered = event.model_copy(update={"id": last + 1})
    connection.execute(
        sa.insert(EVENTS).values(job_id=job_id, id=numbered.id, body=numbered.model_dump_json())
    )
    update_job(connection, job_id, last_event=numbered.id)
    return numbered


def end_job(
    connection: sa.Connection,
    now: float,
    row: sa.RowMapping,
    state: JobState,
    error: dict[str, str] | None = None,
) -> None:
    """End a job, and say so in its events.

    Raises:
        ValueError: That is no state in which a job ends.
    """
    if state not in FINAL:
        msg = f"a job ends as one of {', '.join(sorted(FINAL))}, not as {state!r}"
        raise ValueError(msg)
    text = json.dumps(error) if error else None
    update_job(connection, row["id"], state=state, finished=now, error=text)
    append_event(connection, row["id"], row["last_event"], JobEvent(id=0, kind="state", state=state))


def update_job(connection: sa.Connection, job_id: str, **values: Any) -> None:  # noqa: ANN401 -- columns
    """Change columns of a job."""
    connection.execute(sa.update(JOBS).where(JOBS.c.id == job_id).values(**values))
