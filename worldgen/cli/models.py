"""`worldgen models`: world models with their contracts, and their weights on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from worldgen.cli.output import JsonOption, console, errors, print_json, reporting

NameArgument = Annotated[str, typer.Argument(help="Of the weights; `worldgen models` lists them.")]

models_app = typer.Typer(
    help="List world models; fetch, verify and remove their weights.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@models_app.callback()
def models_command(context: typer.Context, as_json: JsonOption = False) -> None:
    """List world models with their contracts, and whether each was verified with real weights."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@models_app.command("list")
def list_command(as_json: JsonOption = False) -> None:
    """List world models with their contracts and weights."""
    _list(as_json=as_json)


@models_app.command("pull")
def pull_command(
    name: NameArgument,
    trust_first_use: Annotated[
        bool,
        typer.Option(
            "--trust-first-use",
            help="Take weights that the manifest does not pin as they are, and hold this machine to them.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch weights: resumable, safetensors only, every file verified. Nothing else is ever fetched unasked.

    HF_TOKEN, HF_ENDPOINT (a mirror) and HF_HUB_OFFLINE are honoured; WORLDGEN_WEIGHTS names the store.
    """
    from worldgen.weights import pull

    with reporting(as_json), _bars(quiet=as_json) as tell:
        standing = pull(name, trust_first_use=trust_first_use, tell=tell)
    _say(standing, "is here", as_json=as_json)


@models_app.command("verify")
def verify_command(name: NameArgument, as_json: JsonOption = False) -> None:
    """Read every file of fetched weights again and compare its sha256."""
    from worldgen.weights import verify

    with reporting(as_json), _bars(quiet=as_json) as tell:
        standing = verify(name, tell=tell)
    _say(standing, "is what it should be", as_json=as_json)


@models_app.command("remove")
def remove_command(name: NameArgument, as_json: JsonOption = False) -> None:
    """Delete fetched weights, and what was fetched of them."""
    from worldgen.weights import Store, load_manifest

    with reporting(as_json):
        entry = load_manifest().entry(name)
        freed = Store().remove(entry.name)
    if as_json:
        print_json({"name": name, "freed_bytes": freed})
        return
    console.print(f"{name}: {_size(freed)} freed" if freed else f"{name}: nothing was here", highlight=False)


@models_app.command("pin")
def pin_command(
    name: Annotated[str, typer.Argument(help="Of the weights, or a folder of weights that ships.")],
) -> None:
    """Print the lines of checkpoints/manifest.toml that pin what was taken on first use, or a folder."""
    from worldgen.weights import pin_of, pin_of_folder

    with reporting(False):
        lines = pin_of_folder(Path(name)) if Path(name).is_dir() else pin_of(name)
        console.print(lines, highlight=False, markup=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(models_app, name="models")


def _list(*, as_json: bool) -> None:
    from worldgen.models.build import profiles
    from worldgen.weights import Store, load_manifest, standing_of

    with reporting(as_json):
        store = Store()
        standings = {e.name: standing_of(e, store) for e in load_manifest().weights}
        rows = profiles()
    if as_json:
        models = [p.model_dump(mode="json") | {"weights": _as_json(standings.get(p.name))} for p in rows]
        print_json({"models": models, "weights": [_as_json(s) for s in standings.values()]})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("model", "kind", "needs", "verified with real weights", "what it is"):
        table.add_column(column)
    for p in rows:
        verified = "needs none" if p.kind in ("physics", "fake") else _yes(p.verified_with_real_weights)
        table.add_row(p.name, p.kind, ", ".join(sorted(p.needs)), verified, p.title)
    console.print(table)
    _show_memory(rows)
    console.print(f"\n[bold]weights[/] [dim]in {store.root}[/]", highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in ("weights", "here", "on disk", "pinned", "GPU memory", "licence"):
        table.add_column(column, no_wrap=column != "pinned")
    for standing in standings.values():
        table.add_row(*_row(standing))
    console.print(table)
    console.print("\n[dim]worldgen models pull NAME[/] fetches, resumes and verifies", highlight=False)


def _show_memory(rows: list[Any]) -> None:
    """Print our own estimates: they depend on what is asked, so there is one for each tier."""
    table = Table(box=None, pad_edge=False)
    for column in ("memory of", "estimated at the peak, by lines"):
        table.add_column(column)
    for p in rows:
        told = ", ".join(f"{lines}: {gib:g} GiB" for lines, gib in p.memory_estimates_gib.items())
        if told:
            table.add_row(p.name, told)
    console.print()
    console.print(table)
    about = "tensors alone, one full chunk, one control, everything resident; `augment --dry-run` says more"
    console.print(f"[dim]{about}[/]", highlight=False)


def _row(standing: Any) -> tuple[str, ...]:  # noqa: ANN401 -- Standing; importing it here would slow every command
    entry = standing.entry
    here = {"ships": "ships", "installed": "yes", "missing": "no", "outdated": "another revision"}
    state = here.get(standing.state) or f"{_size(standing.bytes_here)} of it"
    pinned = {"manifest": "yes", "first_use": f"on first use, {standing.fetched[:10]}", "": "no"}
    about = "" if entry.is_pinned else "~"
    memory = f"{entry.memory_gib:g} GiB" if entry.memory_gib else ""
    gate = " (gated)" if entry.gated else ""
    return (
        entry.name,
        state,
        f"{about}{_size(entry.size_bytes)}",
        pinned[standing.pinned_by],
        memory,
        entry.license + gate,
    )


def _as_json(standing: Any) -> dict[str, Any] | None:  # noqa: ANN401 -- as above
    if standing is None:
        return None
    return {
        "name": standing.entry.name,
        "state": standing.state,
        "pinned_by": standing.pinned_by,
        "size_bytes": standing.entry.size_bytes,
        "bytes_here": standing.bytes_here,
        "folder": str(standing.folder),
        "license": standing.entry.license,
        "gated": standing.entry.gated,
        "repository": standing.entry.repository,
        "memory_gib": standing.entry.memory_gib,
        "source": standing.entry.source,
    }


def _say(standing: Any, what: str, *, as_json: bool) -> None:  # noqa: ANN401 -- as above
    if as_json:
        print_json(_as_json(standing))
        return
    word = {"manifest": "pinned by the manifest", "first_use": "trusted on first use"}[standing.pinned_by]
    size = _size(standing.bytes_here)
    console.print(f"{standing.entry.name} {what}: {size} in {standing.folder}, {word}", highlight=False)


@contextmanager
def _bars(*, quiet: bool) -> Iterator[Any]:
    """Show one bar per file."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=quiet,
    )
    tasks: dict[str, TaskID] = {}

    def tell(file: str, done: int, total: int) -> None:
        if file not in tasks:
            tasks[file] = bars.add_task(file, total=total)
        bars.update(tasks[file], completed=done)

    with bars:
        yield tell


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
