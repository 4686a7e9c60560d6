"""The store of batches: whose, which manifest, which submission to Ray, and how it ended."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from serving.store.database import METADATA, Database
from serving.store.tables import BATCH_VARIANTS
from worldgen.datatypes.digest import Value
from worldgen.errors import ServiceError
from worldgen.wire import BatchState

_BATCHES: Final = sa.Table(
    "worldgen_batches",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("submission", sa.String(100), nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("runners", sa.Integer, nullable=False),
    sa.Column("sources", sa.Integer, nullable=False),
    sa.Column("variants_total", sa.Integer, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("finished", sa.Double),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("failed_sources", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Index("worldgen_batches_by_owner", "owner", "created", "id"),
)
"""Times are seconds since 1970. Ids are ``batch-`` and random; a submission is named after its batch."""


class Batch(Value):
    """One row."""

    id: str
    owner: str
    submission: str
    """Name of Ray's job."""
    manifest: str
    """Path of the file that the batch was written to."""
    model: str
    runners: int
    sources: int
    variants_total: int
    created: float = 0.0
    finished: float | None = None
    state: BatchState = "queued"
    failed_sources: dict[str, int] = {}
    """Code -> how many sources could not be opened; known at the end."""
    error: dict[str, str] | None = None


class BatchStore:
    """Batches, durable before they are answered.

    Args:
        database: Shared by all processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[str, set[str]] = {}
        database.prepare("batches", 1, (_BATCHES, BATCH_VARIANTS))

    def add(self, batch: Batch, *, limit: int) -> Batch:
        """Insert a batch; the time is the store's.

        Raises:
            ServiceError: `busy` when the owner has `limit` batches that have not ended.
        """
        with self._database.write(alone=True) as connection:
            is_open = sa.and_(_BATCHES.c.owner == batch.owner, _BATCHES.c.finished.is_(None))
            count = connection.scalar(sa.select(sa.func.count()).where(is_open)) or 0
            if count >= limit:
                message = f"{count} batches of this key have not ended; {limit} may be under way"
                raise ServiceError(message, reason="busy", hint="try again when one has ended, or cancel one")
            batch = batch.model_copy(update={"created": self._database.now(connection)})
            connection.execute(sa.insert(_BATCHES).values(**_columns(batch)))
        return batch

    def get(self, batch_id: str, *, owner: str | None) -> Batch:
        """Find a batch.

        Raises:
            ServiceError: `not_found`, also for another's. None sees all.
        """
        query = sa.select(_BATCHES).where(_BATCHES.c.id == batch_id)
        if owner is not None:
            query = query.where(_BATCHES.c.owner == owner)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            message = "no batch of that id"
            raise ServiceError(message, reason="not_found")
        return _batch(row)

    def page(
        self, *, owner: str | None, after: str | None, limit: int
    ) -> tuple[tuple[Batch, ...], str | None]:
        """List batches, newest first, and say after which one the next page begins.

        Raises:
            ServiceError: `not_found` when there is no batch `after`.
        """
        query = sa.select(_BATCHES).order_by(_BATCHES.c.created.desc(), _BATCHES.c.id.desc())
        if owner is not None:
            query = query.where(_BATCHES.c.owner == owner)
        if after is not None:
            last = self.get(after, owner=owner)
            query = query.where(
                sa.or_(
                    _BATCHES.c.created < last.created,
                    sa.and_(_BATCHES.c.created == last.created, _BATCHES.c.id < last.id),
                )
            )
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit + 1)).mappings().all()
        found = tuple(_batch(row) for row in rows[:limit])
        return found, found[-1].id if len(rows) > limit else None

    def unfinished(self) -> tuple[Batch, ...]:
        """Return every batch that has not ended, oldest first."""
        query = sa.select(_BATCHES).where(_BATCHES.c.finished.is_(None)).order_by(_BATCHES.c.created)
        with self._database.read() as connection:
            return tuple(_batch(row) for row in connection.execute(query).mappings())

    def end(
        self,
        batch_id: str,
        state: BatchState,
        *,
        failed_sources: dict[str, int] | None = None,
        error: dict[str, str] | None = None,
    ) -> None:
        """Say how a batch ended; the first to say so is right."""
        with self._database.write() as connection:
            values = {
                "state": state,
                "finished": self._database.now(connection),
                "failed_sources": json.dumps(failed_sources or {}),
                "error": json.dumps(error) if error else None,
            }
            is_open = sa.and_(_BATCHES.c.id == batch_id, _BATCHES.c.finished.is_(None))
            connection.execute(sa.update(_BATCHES).where(is_open).values(**values))

    def own(self, owner: str, variant_ids: Iterable[str]) -> None:
        """Note variants that an owner's batches made or reused; those that are noted already stay."""
        noted = self._noted.setdefault(owner, set())
        wanted = set(variant_ids) - noted
        if not wanted:
            return
        column = BATCH_VARIANTS.c.variant_id
        with self._database.write(alone=True) as connection:
            known = connection.scalars(sa.select(column).where(BATCH_VARIANTS.c.owner == owner))
            new = [{"owner": owner, "variant_id": name} for name in sorted(wanted.difference(known))]
            if new:
                connection.execute(sa.insert(BATCH_VARIANTS), new)
        noted |= wanted

    def forget(self, *, before: datetime) -> tuple[str, ...]:
        """Forget the batches that ended before a moment.

        Returns:
            Their manifests: nobody names these files any more.
        """
        is_old = _BATCHES.c.finished < before.timestamp()
        with self._database.write() as connection:
            manifests = connection.scalars(sa.select(_BATCHES.c.manifest).where(is_old)).all()
            connection.execute(sa.delete(_BATCHES).where(is_old))
        return tuple(manifests)


def _columns(batch: Batch) -> dict[str, Any]:
    values = batch.model_dump()
    values["failed_sources"] = json.dumps(batch.failed_sources)
    values["error"] = json.dumps(batch.error) if batch.error else None
    return values


def _batch(row: sa.RowMapping) -> Batch:
    values = dict(row)
    values["failed_sources"] = json.loads(values["failed_sources"])
    values["error"] = json.loads(values["error"]) if values["error"] else None
    return Batch(**values)
