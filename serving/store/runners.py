"""Runners: who is alive. A runner that is silent is dead, and only one other may take over its jobs."""

from typing import Final, Literal, TypeAlias

import sqlalchemy as sa

from serving.store.database import METADATA, Database
from worldgen.datatypes.digest import Value

_RUNNERS: Final = sa.Table(
    "worldgen_runners",
    METADATA,
    sa.Column("executor", sa.String(100), primary_key=True),
    sa.Column("incarnation", sa.String(64), nullable=False),
    sa.Column("service", sa.String(64), nullable=False),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("beat", sa.Double, nullable=False),
    sa.Column("is_dead", sa.Boolean, nullable=False),
)


Standing: TypeAlias = Literal["alive", "dead", "replaced"]
"""Dead: others have its jobs. Replaced: another process has its name."""


class RunnerState(Value):
    """A runner as the others see it."""

    executor: str
    seconds_silent: float
    is_dead: bool


class RunnerRegistry:
    """Heartbeats of the runners of one service.

    Args:
        database: Shared by all of them.
        service: Name of the service.
    """

    def __init__(self, database: Database, service: str) -> None:
        self.database = database
        self.service = service
        database.prepare("runners", 1, [_RUNNERS])

    def join(self, executor: str, incarnation: str) -> None:
        """Be the one process behind an executor's name; the process that was it before is fenced out."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            values = {
                "incarnation": incarnation,
                "service": self.service,
                "started": now,
                "beat": now,
                "is_dead": False,
            }
            changed = connection.execute(
                sa.update(_RUNNERS).where(_RUNNERS.c.executor == executor).values(**values)
            )
            if changed.rowcount == 0:
                connection.execute(sa.insert(_RUNNERS).values(executor=executor, **values))

    def beat(self, executor: str, incarnation: str) -> Standing:
        """Say that one is alive, and learn what the others think."""
        with self.database.write() as connection:
            query = sa.select(_RUNNERS).where(_RUNNERS.c.executor == executor).with_for_update()
            row = connection.execute(query).mappings().first()
            if row is None or row["incarnation"] != incarnation:
                return "replaced"
            if row["is_dead"]:
                return "dead"
            connection.execute(
                sa.update(_RUNNERS)
                .where(_RUNNERS.c.executor == executor)
                .values(beat=self.database.now(connection))
            )
            return "alive"

    def leave(self, executor: str, incarnation: str) -> None:
        """Say that one has gone by itself, so that its jobs are taken over at once."""
        with self.database.write() as connection:
            connection.execute(
                sa.update(_RUNNERS)
                .where(_RUNNERS.c.executor == executor, _RUNNERS.c.incarnation == incarnation)
                .values(beat=0.0)
            )

    def dead(self, seconds: float, *, by: str) -> tuple[str, ...]:
        """Declare dead whoever has been silent for so long, and name all the dead.

        Args:
            seconds: Of silence.
            by: The caller's executor, which is not looked at.
        """
        others = (_RUNNERS.c.service == self.service, _RUNNERS.c.executor != by)
        with self.database.write() as connection:
            silent = self.database.now(connection) - seconds
            connection.execute(
                sa.update(_RUNNERS).where(*others, _RUNNERS.c.beat < silent).values(is_dead=True)
            )
            query = sa.select(_RUNNERS.c.executor).where(*others, _RUNNERS.c.is_dead.is_(True))
            return tuple(connection.scalars(query))

    def states(self) -> tuple[RunnerState, ...]:
        """List the runners that ever joined."""
        query = sa.select(_RUNNERS).where(_RUNNERS.c.service == self.service).order_by(_RUNNERS.c.executor)
        with self.database.read() as connection:
            now = self.database.now(connection)
            return tuple(
                RunnerState(
                    executor=row["executor"], seconds_silent=now - row["beat"], is_dead=row["is_dead"]
                )
                for row in connection.execute(query).mappings()
            )
