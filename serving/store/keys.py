"""Keys: who may ask for what. Only digests of secrets are kept."""

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import sqlalchemy as sa
from pydantic import Field

from serving.store.database import METADATA, Database
from serving.store.tables import JOBS
from worldgen.datatypes.digest import Value
from worldgen.errors import ConfigError, ServiceError
from worldgen.wire import FINAL, Scope

SCOPES: Final[tuple[Scope, ...]] = ("submit", "read", "audit", "admin")
_TOKEN: Final = re.compile(r"wg_([0-9a-f]{12})_([0-9a-f]{48})")
_NOBODY: Final = "0" * 64
_KEYS: Final = sa.Table(
    "worldgen_keys",
    METADATA,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("secret_sha256", sa.String(64), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("scopes", sa.String(100), nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("revoked", sa.String(32)),
    sa.Column("jobs_in_flight", sa.Integer),
    sa.Column("variants_per_day", sa.Integer),
)
_USAGE: Final = sa.Table(
    "worldgen_usage",
    METADATA,
    sa.Column("owner", sa.String(200), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("variants", sa.Integer, nullable=False),
)


_SECRETS: Final = sa.Table(
    "worldgen_secrets",
    METADATA,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(128), nullable=False),
)


class Key(Value):
    """A key without its secret."""

    id: str
    name: str
    """For people."""
    owner: str
    """Whose jobs it sees; several keys may share one owner."""
    scopes: frozenset[Scope]
    created: str
    revoked: str | None = None
    jobs_in_flight: Annotated[int, Field(gt=0)] | None = None
    """In place of the service's."""
    variants_per_day: Annotated[int, Field(gt=0)] | None = None
    """In place of the service's."""

    def may(self, scope: Scope) -> bool:
        """Whether the key has a scope; admin has all."""
        return scope in self.scopes or "admin" in self.scopes

    @property
    def sees(self) -> str | None:
        """The owner whose jobs and variants it sees; None: everybody's."""
        return None if "admin" in self.scopes else self.owner


LOCAL: Final = Key(
    id="local", name="local", owner="local", scopes=frozenset(SCOPES), created="1970-01-01T00:00:00+00:00"
)
"""Who asks where no keys are asked for."""


class Allowance(Value):
    """What is left of a day's quota."""

    granted: bool
    limit: int
    left: int
    resets_seconds: int
    """Until the next day in UTC."""


class KeyStore:
    """Keys and what their owners used today.

    Args:
        database: Shared by all processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.prepare("keys", 1, (_KEYS, _USAGE, _SECRETS))

    def create(
        self,
        name: str,
        scopes: frozenset[Scope],
        *,
        owner: str | None = None,
        jobs_in_flight: int | None = None,
        variants_per_day: int | None = None,
    ) -> tuple[Key, str]:
        """Make a key.

        Args:
            name: For people, 1 to 200 characters.
            scopes: What it may do.
            owner: Whose jobs it sees; default: an owner of its own.
            jobs_in_flight: In place of the service's.
            variants_per_day: In place of the service's.

        Returns:
            The key, and the token ``wg_<id>_<secret>``, which cannot be shown again.

        Raises:
            ConfigError: `invalid`: no name, or no scope.
        """
        if not name or len(name) > 200 or len(owner or "") > 200:
            message = "a key needs a name of 1 to 200 characters, and its owner has at most 200"
            raise ConfigError(message, reason="invalid")
        if not scopes:
            message = f"a key needs a scope: {', '.join(SCOPES)}"
            raise ConfigError(message, reason="invalid")
        key_id, secret = secrets.token_hex(6), secrets.token_hex(24)
        key = Key(
            id=key_id,
            name=name,
            owner=owner or f"key-{key_id}",
            scopes=scopes,
            created=_now().isoformat(timespec="seconds"),
            jobs_in_flight=jobs_in_flight,
            variants_per_day=variants_per_day,
        )
        row = key.model_dump(exclude={"scopes"}) | {
            "scopes": ",".join(sorted(scopes)),
            "secret_sha256": _digest(secret),
        }
        with self._database.write() as connection:
            connection.execute(sa.insert(_KEYS).values(**row))
        return key, f"wg_{key_id}_{secret}"

    def list(self) -> tuple[Key, ...]:
        """Read every key, revoked ones too, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(_KEYS).order_by(_KEYS.c.created, _KEYS.c.id)).mappings()
            return tuple(_key(row) for row in rows)

    def revoke(self, key_id: str) -> Key:
        """Make a key useless from now on; a second time changes nothing.

        Raises:
            ServiceError: `not_found`.
        """
        with self._database.write() as connection:
            stamp = _now().isoformat(timespec="seconds")
            connection.execute(
                sa.update(_KEYS).where(_KEYS.c.id == key_id, _KEYS.c.revoked.is_(None)).values(revoked=stamp)
            )
            row = connection.execute(sa.select(_KEYS).where(_KEYS.c.id == key_id)).mappings().first()
        if row is None:
            message = f"no key {key_id!r}"
            raise ServiceError(message, reason="not_found", hint="worldgen keys list")
        return _key(row)

    def authenticate(self, token: str) -> Key | None:
        """Find the key that a token belongs to; None when there is none, or it was revoked.

        The comparison takes the same time whether or not the id is known.
        """
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        key_id, secret = parts.groups()
        with self._database.read() as connection:
            row = connection.execute(sa.select(_KEYS).where(_KEYS.c.id == key_id)).mappings().first()
        expected = str(row["secret_sha256"]) if row is not None else _NOBODY
        is_same = hmac.compare_digest(_digest(secret), expected)
        if row is None or not is_same or row["revoked"] is not None:
            return None
        return _key(row)

    def find(self, key_id: str) -> Key | None:
        """Find a key that was not revoked."""
        query = sa.select(_KEYS).where(_KEYS.c.id == key_id, _KEYS.c.revoked.is_(None))
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return _key(row) if row is not None else None

    def session_secret(self) -> bytes:
        """Return the secret that signs the page's cookies: made once, the same for every replica."""
        with self._database.write(alone=True) as connection:
            found = connection.scalar(sa.select(_SECRETS.c.value).where(_SECRETS.c.name == "sessions"))
            if found is None:
                found = secrets.token_hex(32)
                connection.execute(sa.insert(_SECRETS).values(name="sessions", value=found))
        return bytes.fromhex(found)

    def in_flight(self, owner: str) -> int:
        """Count an owner's jobs that wait or run."""
        query = sa.select(sa.func.count()).where(JOBS.c.owner == owner, JOBS.c.state.not_in(FINAL))
        with self._database.read() as connection:
            return connection.scalar(query) or 0

    def charge(self, owner: str, variants: int, *, limit: int) -> Allowance:
        """Count variants against today's quota, all of them or none.

        Args:
            owner: Who asks.
            variants: How many; negative gives back.
            limit: Of one day.
        """
        now = _now()
        day = now.date().isoformat()
        midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
        with self._database.write(alone=True) as connection:
            where = (_USAGE.c.owner == owner) & (_USAGE.c.day == day)
            used = connection.scalar(sa.select(_USAGE.c.variants).where(where))
            granted = (used or 0) + variants <= limit
            after = max(0, (used or 0) + variants) if granted else (used or 0)
            if granted and used is None:
                connection.execute(sa.insert(_USAGE).values(owner=owner, day=day, variants=after))
            elif granted:
                connection.execute(sa.update(_USAGE).where(where).values(variants=after))
        return Allowance(
            granted=granted,
            limit=limit,
            left=max(0, limit - after),
            resets_seconds=max(1, round((midnight - now).total_seconds())),
        )

    def forget_usage(self, days: float) -> int:
        """Remove what was charged on days before this many; returns how many lines."""
        before = (_now() - timedelta(days=days)).date().isoformat()
        with self._database.write() as connection:
            return int(connection.execute(sa.delete(_USAGE).where(_USAGE.c.day < before)).rowcount)


def _key(row: sa.RowMapping) -> Key:
    fields = {name: row[name] for name in row if name != "secret_sha256"}
    return Key.model_validate(fields | {"scopes": frozenset(str(row["scopes"]).split(","))})


def _digest(secret: str) -> str:
    # A secret of 192 random bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)
