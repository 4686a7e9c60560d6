"""Readings: what replicas measure now, such as the memory of a GPU; gone when nobody measures it any more."""

import json
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from serving.store.database import METADATA, Database
from worldgen.datatypes.digest import Value

FRESH_SECONDS: Final = 60.0
"""A reading that is older is of a replica that is not there any more."""
_READINGS: Final = sa.Table(
    "worldgen_readings",
    METADATA,
    sa.Column("process", sa.String(100), primary_key=True),
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("labels", sa.String(300), primary_key=True),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)


class Reading(Value):
    """One figure of one thing."""

    name: str
    """As Prometheus has it."""
    labels: Mapping[str, str]
    value: float


class Readings:
    """The latest readings of every process.

    Args:
        database: Shared by all processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.prepare("readings", 1, (_READINGS,))

    def tell(self, process: str, readings: tuple[Reading, ...]) -> None:
        """Replace what a process has told; what nobody has told for long is removed."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            is_over = (_READINGS.c.process == process) | (_READINGS.c.at < now - FRESH_SECONDS)
            connection.execute(sa.delete(_READINGS).where(is_over))
            for found in readings:
                labels = json.dumps(dict(found.labels), sort_keys=True)
                values = {"process": process, "name": found.name, "labels": labels}
                connection.execute(sa.insert(_READINGS).values(value=found.value, at=now, **values))

    def read(self) -> tuple[Reading, ...]:
        """Read what is fresh; of a thing that several processes see, such as a shared GPU, the highest."""
        highest = sa.func.max(_READINGS.c.value).label("highest")
        query = sa.select(_READINGS.c.name, _READINGS.c.labels, highest)
        order = (_READINGS.c.name, _READINGS.c.labels)
        with self._database.read() as connection:
            since = self._database.now(connection) - FRESH_SECONDS
            fresh = query.where(_READINGS.c.at >= since).group_by(*order).order_by(*order)
            rows = connection.execute(fresh).all()
        return tuple(Reading(name=n, labels=json.loads(labels), value=value) for n, labels, value in rows)
