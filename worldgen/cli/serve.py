"""`worldgen serve`, `status`, `stop`: the same spine behind HTTP, on one machine."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from worldgen.cli.output import JsonOption, console, print_json, reporting
from worldgen.cli.parameters import SetOption
from worldgen.errors import ConfigError

if TYPE_CHECKING:
    from serving.config import ServiceConfig

OutOption = Annotated[Path, typer.Option("-o", "--out", help="Folder of jobs, uploads and results.")]


def serve_command(
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 when not set.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="8000 when not set.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder of jobs, uploads and results; runs when not set."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="World model; see `worldgen models`; repeatable, the first is the default."),
    ] = None,
    settings: SetOption = None,
    source_root: Annotated[
        list[Path] | None, typer.Option(help="A folder whose clips jobs may name by path; repeatable.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A file in place of configs/serving/local.yaml; options go before it.")
    ] = None,
    batches: Annotated[
        bool | None,
        typer.Option("--batches/--no-batches", help="Take batches, too: starts Ray's dashboard for them."),
    ] = None,
    reload: Annotated[
        bool,
        typer.Option("--reload", help="Start again whenever the code changes; jobs go on. For developers."),
    ] = False,
) -> None:
    """Serve world models by HTTP: submit, follow by SSE, cancel, fetch. Accepted jobs survive any crash.

    [dim]curl -X POST localhost:8000/v1/jobs -H 'content-type: application/json'
    -d '{"source": "/clips/a.mp4", "specs": ["fog"]}'[/dim]
    """
    if reload:
        _reload()
        return
    with reporting(as_json=False):
        with _extra():
            from serving.config import LOOPBACK
            from serving.local import serve_until_stopped
        found = _config(config, host, port, out, model, settings, source_root, batches)
        if found.critic.vlm_endpoint:
            console.print("[yellow]note[/]: critic.vlm_endpoint is not used yet")
        if found.host not in LOOPBACK:
            console.print(f"[red]warning[/]: {found.host} can be reached by others")

        def ready(address: str) -> None:
            names = ", ".join(m.name for m in found.models)
            console.print(f"worldgen serves {names} at {address} (Ctrl-C stops it)", highlight=False)

        def broken(why: str) -> None:
            console.print(f"[red]broken[/]: {escape(why)}", highlight=False)
            console.print(f"what works goes on: worldgen status -o {found.out}", highlight=False)

        serve_until_stopped(found, ready=ready, broken=broken)


def status_command(out: OutOption = Path("runs"), as_json: JsonOption = False) -> None:
    """Say whether a service works in a folder, whether it is ready, and what its jobs are doing."""
    with reporting(as_json):
        with _extra():
            from serving.local import find_server
            from serving.status import status_of
        server = find_server(out.resolve())
        if server is None:
            message = f"no service works in {out}"
            raise ConfigError(message, reason="not_found", hint="worldgen serve -o FOLDER")
        found = status_of(server.url)
    if as_json:
        print_json({"server": server.model_dump(), **found})
        return
    console.print(
        f"{server.url}, process {server.pid}, since {server.started}: {found['state']}", highlight=False
    )
    if found["why"]:
        console.print(escape(found["why"]), highlight=False)
    for note in found["notes"]:
        console.print(f"note: {note}", highlight=False)
    for job in found["jobs"]:
        done = f"{job['variants_done']}/{job['variants_total']}"
        console.print(f"  {job['id']}  {job['state']:<10} {done:>7}  {job['priority']}", highlight=False)


def stop_command(
    out: OutOption = Path("runs"),
    seconds: Annotated[float, typer.Option(min=0, help="How long to wait until it has left.")] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Stop the service that works in a folder; its jobs go on with the next `worldgen serve` there."""
    with reporting(as_json):
        with _extra():
            from serving.local import stop_server
        was_there = stop_server(out.resolve(), seconds=seconds)
    if as_json:
        print_json({"stopped": was_there})
    else:
        console.print("stopped" if was_there else f"no service works in {out}", highlight=False)


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("ray", "fastapi", "starlette", "dbos", "sqlalchemy"):
            raise
        message = f"serving needs the serve extra: {error}"
        raise ConfigError(message, reason="missing_extra", hint='pip install "worldgen[serve]"') from error


def _config(
    path: Path | None,
    host: str | None,
    port: int | None,
    out: Path | None,
    models: list[str] | None,
    settings: list[str] | None,
    roots: list[Path] | None,
    batches: bool | None,
) -> "ServiceConfig":
    from serving.config import ServiceConfig
    from worldgen.config import find_configs, load_yaml, validated
    from worldgen.models.build import profile_of
    from worldgen.models.parameters import read_parameters

    if path is not None and not path.is_file():
        message = f"no file {path}"
        raise ConfigError(message, reason="not_found")
    values: dict[str, Any] = load_yaml(path or find_configs() / "serving" / "local.yaml") or {}
    given = {"host": host, "port": port, "out": out, "source_roots": roots or None, "batches": batches}
    values |= {name: value for name, value in given.items() if value is not None}
    if models:
        values["models"] = [{"name": name} for name in models]
    if settings:
        first, *others = values.get("models") or [{"name": "physics"}]
        values["models"] = [{**first, "parameters": read_parameters(settings)}, *others]
    config = validated(ServiceConfig, **values)
    for model in config.models:
        profile_of(model.name, model.parameters)
    resolved = {
        "out": config.out.resolve(),
        "source_roots": tuple(root.resolve() for root in config.source_roots),
    }
    return config.model_copy(update=resolved)


def _reload() -> None:
    """Run the same command without --reload, again after each change of our code."""
    command = [sys.executable, "-m", "worldgen", *(a for a in sys.argv[1:] if a != "--reload")]
    while True:
        before = _code()
        child = subprocess.Popen(command)
        try:
            while _code() == before and child.poll() is None:
                time.sleep(1.0)
            if child.poll() is not None and child.returncode == 0:
                return
            while child.poll() is not None and _code() == before:
                time.sleep(1.0)  # it does not start as it is: wait for the next change
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
        console.print("the code changed; starting again", highlight=False)


def _code() -> dict[Path, float]:
    import worldgen

    root = Path(worldgen.__file__).parent.parent
    folders = [root / name for name in ("worldgen", "serving", "configs")]
    return {
        p: p.stat().st_mtime for f in folders for p in f.rglob("*") if p.suffix in (".py", ".yaml", ".html")
    }


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve_command)
    app.command("status")(status_command)
    app.command("stop")(stop_command)
