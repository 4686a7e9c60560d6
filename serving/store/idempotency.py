"""Idempotency keys: the answer to a request that was sent twice is the first one's.

The rules are Stripe's: a key belongs to one owner and route and holds for a day; the same key with another
body is refused; the same key while the first request is still being worked on is a conflict; what was
refused before anything began is not kept, so that a mended request may use its key again.
"""

from typing import Final

import sqlalchemy as sa

from serving.store.database import METADATA, Database
from worldgen.datatypes.digest import Value
from worldgen.errors import ServiceError

KEPT_SECONDS: Final = 24 * 3600.0
LEASE_SECONDS: Final = 60.0
"""After this long without an answer, whoever held the key is taken for dead."""

_ANSWERS: Final = sa.Table(
    "worldgen_idempotency",
    METADATA,
    sa.Column("owner", sa.String(200), primary_key=True),
    sa.Column("route", sa.String(100), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("body_sha256", sa.String(64), nullable=False),
    sa.Column("begun", sa.Float, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("job_id", sa.String(64)),
    sa.Column("body", sa.Text),
)


class Answer(Value):
    """What was answered the first time."""

    status: int
    job_id: str
    body: str


class IdempotencyStore:
    """First answers by owner, route and key.

    Args:
        database: Shared by all processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.prepare("idempotency", 1, (_ANSWERS,))

    def begin(self, owner: str, route: str, key: str, body_sha256: str) -> Answer | None:
        """Take a key, or get the answer that it already has.

        Returns:
            None when the caller shall go on, and call `finish` or `release`.

        Raises:
            ServiceError: `conflict` while the first request is being worked on; `invalid` when the key was
                used with another body.
        """
        where = _where(owner, route, key)
        with self._database.write(alone=True) as connection:
            now = self._database.now(connection)
            row = connection.execute(sa.select(_ANSWERS).where(where)).mappings().first()
            is_old = row is not None and now - row["begun"] > KEPT_SECONDS
            is_dead = row is not None and row["status"] is None and now - row["begun"] > LEASE_SECONDS
            if row is None or is_old:
                connection.execute(sa.delete(_ANSWERS).where(where))
                values = {"owner": owner, "route": route, "key": key, "body_sha256": body_sha256}
                connection.execute(sa.insert(_ANSWERS).values(begun=now, **values))
                return None
            if row["body_sha256"] != body_sha256:
                message = "this Idempotency-Key was used with another body"
                raise ServiceError(message, reason="invalid", hint="use a new key for another request")
            if row["status"] is not None:
                return Answer(status=row["status"], job_id=row["job_id"], body=row["body"])
            if not is_dead:
                message = "a request with this Idempotency-Key is being worked on"
                raise ServiceError(message, reason="conflict", hint="ask again in a second")
            connection.execute(sa.update(_ANSWERS).where(where).values(begun=now))
            return None

    def finish(self, owner: str, route: str, key: str, answer: Answer) -> None:
        """Keep the answer."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(_ANSWERS).where(_where(owner, route, key)).values(**answer.model_dump())
            )

    def release(self, owner: str, route: str, key: str) -> None:
        """Give a key back whose request was refused before anything began."""
        with self._database.write() as connection:
            connection.execute(
                sa.delete(_ANSWERS).where(_where(owner, route, key), _ANSWERS.c.status.is_(None))
            )

    def forget(self) -> int:
        """Remove the answers that are not kept any more; returns how many."""
        with self._database.write() as connection:
            old = self._database.now(connection) - KEPT_SECONDS
            return int(connection.execute(sa.delete(_ANSWERS).where(_ANSWERS.c.begun < old)).rowcount)


def _where(owner: str, route: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(_ANSWERS.c.owner == owner, _ANSWERS.c.route == route, _ANSWERS.c.key == key)
