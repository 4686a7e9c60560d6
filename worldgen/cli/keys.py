"""`worldgen keys`: who may ask the service for what."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.table import Table

from worldgen.cli.output import JsonOption, console, print_json, reporting
from worldgen.errors import ConfigError
from worldgen.wire import Scope

app = typer.Typer(help="Make, list and revoke the keys of a service.", no_args_is_help=True)

OutOption = Annotated[
    Path, typer.Option("-o", "--out", help="Folder of the service's results, which holds its database.")
]
DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="Address of the store, where it is not in that folder.")
]


@app.command("create")
def create_command(
    name: Annotated[str, typer.Argument(help="For people: what the key is for.")],
    scopes: Annotated[
        str, typer.Option(help="What it may do, with commas: submit, read, audit, admin.")
    ] = "submit,read",
    owner: Annotated[
        str | None, typer.Option(help="Whose jobs it sees; default: its own. Keys may share an owner.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Jobs that may wait or run at once.")] = None,
    per_day: Annotated[int | None, typer.Option(min=1, help="Variants per day (UTC).")] = None,
    out: OutOption = Path("runs"),
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it once; only a digest of it is kept."""
    with reporting(as_json):
        keys, log = _stores(out, database)
        wanted = frozenset(word.strip() for word in scopes.split(",") if word.strip())
        unknown = wanted - {"submit", "read", "audit", "admin"}
        if unknown:
            message = f"no scope {', '.join(sorted(unknown))}; there are: submit, read, audit, admin"
            raise ConfigError(message, reason="invalid")
        key, token = keys.create(
            name,
            cast("frozenset[Scope]", wanted),
            owner=owner,
            jobs_in_flight=jobs,
            variants_per_day=per_day,
        )
        log.add("key.create", owner=key.owner, key_id="", subject=key.id)
    if as_json:
        print_json({"key": key.model_dump(mode="json"), "token": token})
        return
    console.print(f"{token}\n", highlight=False, soft_wrap=True)
    console.print(f"[dim]{key.name}: {', '.join(sorted(key.scopes))}. It cannot be shown again.[/]")


@app.command("list")
def list_command(
    out: OutOption = Path("runs"), database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """List every key, revoked ones too."""
    with reporting(as_json):
        found = _stores(out, database)[0].list()
    if as_json:
        print_json({"keys": [key.model_dump(mode="json") for key in found]})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("id", "name", "owner", "scopes", "created", "revoked"):
        table.add_column(column)
    for key in found:
        table.add_row(
            key.id,
            key.name,
            key.owner,
            " ".join(sorted(key.scopes)),
            _day(key.created),
            _day(key.revoked) if key.revoked else "",
        )
    console.print(table)


@app.command("revoke")
def revoke_command(
    key_id: Annotated[str, typer.Argument(help="Id of the key: the part after wg_.")],
    out: OutOption = Path("runs"),
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key useless: from the next second on it is refused everywhere."""
    with reporting(as_json):
        keys, log = _stores(out, database)
        key = keys.revoke(key_id)
        log.add("key.revoke", owner=key.owner, key_id="", subject=key.id)
    if as_json:
        print_json({"key": key.model_dump(mode="json")})
        return
    console.print(f"revoked {key.id} ({key.name})", highlight=False)


@app.command("log")
def log_command(
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    out: OutOption = Path("runs"),
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what: the newest lines of the audit log."""
    with reporting(as_json):
        lines = _stores(out, database)[1].last(limit)
    if as_json:
        print_json({"lines": [line.model_dump(mode="json") for line in lines]})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("at", "owner", "key", "action", "subject", "outcome"):
        table.add_column(column)
    for line in lines:
        table.add_row(line.at, line.owner, line.key_id, line.action, line.subject[:16], line.outcome)
    console.print(table)


def _stores(out: Path, database: str | None) -> tuple[Any, Any]:
    try:
        from serving.config import ServiceConfig
        from serving.store.audit_log import AuditLog
        from serving.store.database import Database
        from serving.store.keys import KeyStore
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sqlalchemy":
            raise
        message = f"keys need the serve extra: {error}"
        raise ConfigError(message, reason="missing_extra", hint='pip install "worldgen[serve]"') from error
    config = ServiceConfig(out=out.resolve(), database=database or "")
    found = Database(config.database_url)
    return KeyStore(found), AuditLog(found)


def _day(stamp: str) -> str:
    return datetime.fromisoformat(stamp).date().isoformat()


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.add_typer(app, name="keys")
