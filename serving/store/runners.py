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


class Beat(Value):
    """What a runner learns when it says that it lives."""

    standing: Standing
    seconds_silent: float
    """Since its own last beat, by the database's clock: long when this runner, its machine or the database
    stood still."""


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

    def beat(self, executor: str, incarnation: str) -> Beat:
        """Say that one is alive, and learn what the others think."""
        with self.database.write() as connection:
            query = sa.select(_RUNNERS).where(_RUNNERS.c.executor == executor).with_for_update()
            row = connection.execute(query).mappings().first()
            now = self.database.now(connection)
            if row is None or row["incarnation"] != incarnation:
                return Beat(standing="replaced", seconds_silent=0.0)
            seconds = now - row["beat"]
            if row["is_dead"]:
                return Beat(standing="dead", seconds_silent=seconds)
            connection.execute(sa.update(_RUNNERS).where(_RUNNERS.c.executor == executor).values(beat=now))
            return Beat(standing="alive", seconds_silent=seconds)

    def leave(self, executor: str, incarnation: str) -> None:
        """Say that one has gone by itself, so that its jobs are taken over at once."""
        with self.database.write() as connection:
            connection.execute(
                sa.update(_RUNNERS)
                .where(_RUNNERS.c.executor == executor, _RUNNERS.c.incarnation == incarnation)
                .values(beat=0.0)
            )

    def dead(self, seconds: float, *, by: str, patience: float) -> tuple[str, ...]:
        """Declare dead whoever has been silent for so long, and name all the dead.

        Args:
            seconds: Of silence.
            by: The caller's executor, which is not looked at.
            patience: Seconds. Whose own last beat is older can say nothing about the others: what kept it
                (a machine that slept, a database that was away) may have kept them too.
        """
        others = (_RUNNERS.c.service == self.service, _RUNNERS.c.executor != by)
        own = sa.select(_RUNNERS.c.beat).where(_RUNNERS.c.executor == by)
        with self.database.write() as connection:
            now = self.database.now(connection)
            if (connection.scalar(own) or 0.0) < now - patience:
                return ()
            connection.execute(
                sa.update(_RUNNERS).where(*others, _RUNNERS.c.beat < now - seconds).values(is_dead=True)
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
