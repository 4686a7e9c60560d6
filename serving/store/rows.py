"""Rows to wire values."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from worldgen.wire import JobEvent, JobStatus, Priority, VariantLine

RANKS: dict[Priority, int] = {"interactive": 1, "batch": 10}
"""Rank of each priority in the queue: lower goes first."""

_PRIORITIES: dict[int, Priority] = {rank: name for name, rank in RANKS.items()}
_PROGRESS = ("stage", "step", "steps", "chunk", "chunks", "seconds_left")


def progress_of(event: JobEvent) -> str:
    """Keep what a status says of the latest step."""
    return json.dumps({name: getattr(event, name) for name in _PROGRESS})


def status_of(row: sa.RowMapping, lines: Sequence[str], queue_position: int | None) -> JobStatus:
    """Summarise a job.

    Args:
        row: Of the table of jobs.
        lines: JSON of its finished specs, in the order in which they were finished.
        queue_position: How many go before it; None when it does not wait.
    """
    variants = tuple(VariantLine.model_validate_json(line) for line in lines)
    progress: dict[str, Any] = json.loads(row["progress"])
    return JobStatus(
        id=row["id"],
        state=row["state"],
        created=iso_of(row["created"]) or "",
        started=iso_of(row["started"]),
        finished=iso_of(row["finished"]),
        model=row["model"],
        source=row["source"],
        source_name=json.loads(row["request"]).get("source_name", ""),
        priority=_PRIORITIES[row["priority"]],
        queue_position=queue_position,
        cancel_requested=row["cancel_requested"],
        attempt=row["attempt"],
        variants_total=row["variants_total"],
        variants_done=len(variants),
        counts=dict(Counter(line.state for line in variants)),
        variants=variants,
        error=json.loads(row["error"]) if row["error"] else None,
        **progress,
    )


def iso_of(seconds: float | None) -> str | None:
    """Write seconds since 1970 as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
