"""The database: one engine, SQLite beside the results or Postgres by URL, the same statements for both."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from worldgen.errors import ConfigError, ServiceError

METADATA: Final = sa.MetaData()
_VERSIONS: Final = sa.Table(
    "worldgen_schema",
    METADATA,
    sa.Column("part", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
_POSTGRES: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""Of libpq, seconds and milliseconds: a server whose machine is gone does not say so."""
_LOCK: Final = 0x776F726C
"""Key of the Postgres lock that makes "count, then insert" one act; SQLite has one writer anyway."""


class Database:
    """An engine and its transactions. Safe for many threads and many processes.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user@host/name``.

    Raises:
        ConfigError: The address is none of the two kinds.
    """

    def __init__(self, url: str) -> None:
        self.url = engine_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        patience = {name: value for name, value in _POSTGRES.items() if name not in self.url.query}
        options: dict[str, Any] = {"pool_pre_ping": True, "connect_args": patience}
        if self.is_sqlite:
            Path(self.url.database or "").parent.mkdir(parents=True, exist_ok=True)
            options = {"connect_args": {"timeout": 30.0}}
        self.engine = sa.create_engine(self.url, **options)
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _set_up_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Read in one transaction: what it sees does not change under it in SQLite."""
        with _reported(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, alone: bool = False) -> Iterator[sa.Connection]:
        """Write in one transaction; it is durable when this returns.

        Args:
            alone: No other `alone` transaction of any process runs meanwhile.
        """
        with _reported(), self.engine.connect() as connection:
            connection.execution_options(worldgen_writes=True)
            with connection.begin():
                if alone and not self.is_sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                yield connection

    def prepare(self, part: str, version: int, tables: Sequence[sa.Table]) -> None:
        """Make the tables of one part of the store, or check that those there are are of this version.

        Raises:
            ConfigError: Another version of worldgen wrote them.
        """
        with self.write(alone=True) as connection:
            METADATA.create_all(connection, tables=[_VERSIONS, *tables], checkfirst=True)
            there = connection.scalar(sa.select(_VERSIONS.c.version).where(_VERSIONS.c.part == part))
            if there is None:
                connection.execute(sa.insert(_VERSIONS).values(part=part, version=version))
            elif there != version:
                message = f"the database holds {part} of version {there}; this worldgen reads {version}"
                raise ConfigError(message, reason="invalid", hint="start on another database")

    def now(self, connection: sa.Connection) -> float:
        """Return seconds since 1970 by the one clock that all processes share."""
        if self.is_sqlite:
            return time.time()
        return float(connection.scalar(sa.select(sa.func.extract("epoch", sa.func.clock_timestamp()))) or 0.0)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def engine_url(url: str) -> sa.URL:
    """Read an address and name its driver.

    Raises:
        ConfigError: Neither a SQLite file nor Postgres.
    """
    allowed = "sqlite:///path/to/file or postgresql://user@host/name"
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        message = f"this is not the address of a database; allowed: {allowed}"
        raise ConfigError(message, reason="invalid") from None
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    message = f"no database of kind {kind!r} without a file or server; allowed: {allowed}"
    raise ConfigError(message, reason="invalid")


def keep_wal(url: str) -> None:
    """Switch a SQLite file that others open to write-ahead logging, which stays: readers never wait then."""
    parsed = engine_url(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(str(parsed.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=30.0)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        # The driver's text names hosts and statements; the class says enough to whoever reads an answer.
        what = type(getattr(error, "orig", None) or error).__name__
        message = f"the database of jobs does not answer ({what})"
        raise ServiceError(message, reason="unreachable", hint="try again in a few seconds") from error


def _set_up_sqlite(connection: Any, record: Any) -> None:  # noqa: ANN401 -- the driver's own types
    del record
    # The driver would open transactions by itself, and late; `_begin_sqlite` opens them.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A write that starts as a read cannot be upgraded while another writes: it would fail, not wait.
    writes = connection.get_execution_options().get("worldgen_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
