"""`worldgen serve`: the same spine behind HTTP, on one machine."""

from pathlib import Path
from typing import Annotated

import typer

from worldgen.cli.output import console, reporting
from worldgen.cli.parameters import SetOption
from worldgen.errors import ConfigError


def serve_command(
    host: Annotated[
        str, typer.Option(help="Address to listen on; the slice has no keys yet: keep it local.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of uploads and results.")] = Path("runs"),
    model: Annotated[str, typer.Option(help="World model; see `worldgen models`.")] = "physics",
    settings: SetOption = None,
    source_root: Annotated[
        list[Path] | None, typer.Option(help="A folder whose clips jobs may name by path; repeatable.")
    ] = None,
) -> None:
    """Serve one world model by HTTP: submit, follow by SSE, cancel, fetch.

    [dim]curl -X POST localhost:8000/v1/jobs -H 'content-type: application/json'
    -d '{"source": "/clips/a.mp4", "specs": ["fog"]}'[/dim]
    """
    try:
        from serving.app import serve_until_stopped
        from serving.config import ServiceConfig
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("ray", "fastapi", "starlette"):
            raise
        with reporting(as_json=False):
            message = f"serving needs the serve extra: {error}"
            raise ConfigError(
                message, reason="missing_extra", hint='pip install "worldgen[serve]"'
            ) from error
    with reporting(as_json=False):
        from worldgen.models.build import profile_of
        from worldgen.models.parameters import read_parameters

        parameters = read_parameters(settings)
        profile_of(model, parameters)
    config = ServiceConfig(
        host=host,
        port=port,
        out=out.resolve(),
        model=model,
        parameters=parameters,
        source_roots=tuple(root.resolve() for root in source_root or ()),
    )
    if host not in ("127.0.0.1", "::1", "localhost"):
        console.print("[red]warning[/]: no keys are asked for, and this address can be reached by others")

    def ready(address: str) -> None:
        console.print(f"worldgen serves {model} at {address} (Ctrl-C stops it)", highlight=False)

    serve_until_stopped(config, ready=ready)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve_command)
