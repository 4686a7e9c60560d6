"""The audit log: who did what, when, with which outcome. Lines are added and never changed."""

from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from serving.store.database import METADATA, Database
from worldgen.datatypes.digest import Value

_LINES: Final = sa.Table(
    "worldgen_audit_log",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.String(32), nullable=False, index=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("key_id", sa.String(12), nullable=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("subject", sa.String(100), nullable=False),
    sa.Column("outcome", sa.String(60), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
)


class LogLine(Value):
    """One line: an action of a key on a subject."""

    at: str
    """ISO 8601, UTC."""
    owner: str
    key_id: str
    action: str
    """job.submit, job.cancel, blob.put, variant.audit, video.delete, key.create, key.revoke, key.refused."""
    subject: str = ""
    """Id of the job, variant, blob or key."""
    outcome: str = "ok"
    """``ok``, or a stable error code."""
    address: str = ""
    """Of the client, as the connection shows it."""
    request_id: str = ""


class AuditLog:
    """Lines of the audit log.

    Args:
        database: Shared by all processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.prepare("audit_log", 1, (_LINES,))

    def add(
        self,
        action: str,
        *,
        owner: str,
        key_id: str,
        subject: str = "",
        outcome: str = "ok",
        address: str = "",
        request_id: str = "",
    ) -> LogLine:
        """Add a line; the time is the server's."""
        line = LogLine(
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            owner=owner,
            key_id=key_id[:12],
            action=action,
            subject=subject[:100],
            outcome=outcome,
            address=address[:64],
            request_id=request_id[:64],
        )
        with self._database.write() as connection:
            connection.execute(sa.insert(_LINES).values(**line.model_dump()))
        return line

    def last(self, limit: int = 100, *, owner: str | None = None) -> tuple[LogLine, ...]:
        """Read the newest lines, newest first."""
        query = sa.select(_LINES).order_by(_LINES.c.id.desc()).limit(limit)
        if owner is not None:
            query = query.where(_LINES.c.owner == owner)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(LogLine(**{name: row[name] for name in row if name != "id"}) for row in rows)

    def forget(self, days: float) -> int:
        """Remove lines older than this; returns how many."""
        before = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")
        with self._database.write() as connection:
            return int(connection.execute(sa.delete(_LINES).where(_LINES.c.at < before)).rowcount)
