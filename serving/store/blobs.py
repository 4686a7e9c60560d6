"""Whose upload is whose: content is kept once, and only who has shown it may name it."""

from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from serving.store.database import METADATA, Database

_BLOBS: Final = sa.Table(
    "worldgen_blobs",
    METADATA,
    sa.Column("owner", sa.String(200), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("used", sa.String(32), nullable=False, index=True),
)


class BlobStore:
    """Owners of uploads; the content is in a folder.

    Args:
        database: Shared by all processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.prepare("blobs", 1, (_BLOBS,))

    def own(self, owner: str, sha256: str, size: int) -> None:
        """Note that an owner has shown this content, now."""
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        with self._database.write() as connection:
            where = (_BLOBS.c.owner == owner) & (_BLOBS.c.sha256 == sha256)
            known = connection.execute(sa.update(_BLOBS).where(where).values(used=stamp, size=size))
            if not known.rowcount:
                values = {"owner": owner, "sha256": sha256, "size": size, "used": stamp}
                connection.execute(_insert_if_absent(self._database, values))

    def owned(self, owner: str | None, names: tuple[str, ...]) -> frozenset[str]:
        """Return those of the names that this owner has shown; owner None: that anybody has."""
        query = sa.select(_BLOBS.c.sha256).where(_BLOBS.c.sha256.in_(names))
        if owner is not None:
            query = query.where(_BLOBS.c.owner == owner)
        with self._database.read() as connection:
            return frozenset(connection.scalars(query))

    def touch(self, sha256: str) -> None:
        """Note that a content is used now; at most one write in an hour."""
        now = datetime.now(UTC)
        stamp, old = (moment.isoformat(timespec="seconds") for moment in (now, now - timedelta(hours=1)))
        is_old = (_BLOBS.c.sha256 == sha256, _BLOBS.c.used < old)
        with self._database.read() as connection:
            if connection.scalar(sa.select(_BLOBS.c.used).where(*is_old).limit(1)) is None:
                return
        with self._database.write() as connection:
            connection.execute(sa.update(_BLOBS).where(*is_old).values(used=stamp))

    def shown(self, *, since: datetime) -> frozenset[str]:
        """Name the content that somebody has shown or used since."""
        stamp = since.astimezone(UTC).isoformat(timespec="seconds")
        with self._database.read() as connection:
            return frozenset(connection.scalars(sa.select(_BLOBS.c.sha256).where(_BLOBS.c.used >= stamp)))

    def unused(self, *, before: datetime) -> tuple[str, ...]:
        """Name the content that nobody has shown or used since."""
        stamp = before.astimezone(UTC).isoformat(timespec="seconds")
        query = (
            sa.select(_BLOBS.c.sha256).group_by(_BLOBS.c.sha256).having(sa.func.max(_BLOBS.c.used) < stamp)
        )
        with self._database.read() as connection:
            return tuple(connection.scalars(query))

    def forget(self, sha256: str) -> None:
        """Remove every owner of a content; the caller removes the file first."""
        with self._database.write() as connection:
            connection.execute(sa.delete(_BLOBS).where(_BLOBS.c.sha256 == sha256))


def _insert_if_absent(database: Database, values: dict[str, object]) -> sa.Insert:
    from sqlalchemy.dialects import postgresql, sqlite

    kind = sqlite.insert if database.is_sqlite else postgresql.insert
    return kind(_BLOBS).values(**values).on_conflict_do_nothing()
