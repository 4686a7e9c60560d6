"""`worldgen doctor`: what this machine can do, and what is missing."""

import importlib.util
import os
import platform
import shutil
from typing import Annotated

import typer
from rich.table import Table

from worldgen import __version__, errors
from worldgen.cli.output import JsonOption, console, print_json

EXTRAS = {
    "media": ("av", "cv2", "scipy", "jinja2"),
    "decord": ("decord",),
    "models": ("torch", "transformers", "safetensors"),
    "serve": ("ray", "fastapi"),
}


def _codes(cls: type[errors.WorldgenError]) -> list[str]:
    own = [f"{cls.border}.{reason}" for reason in sorted(cls.reasons)]
    return own + [code for child in cls.__subclasses__() for code in _codes(child)]


def doctor_command(
    codes: Annotated[bool, typer.Option("--codes", help="List every error code.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check this machine: extras, processors, memory, disk, accelerator."""
    if codes:
        found = sorted(set(_codes(errors.WorldgenError)))
        if as_json:
            print_json({"codes": found})
        else:
            console.print("\n".join(found), highlight=False)
        return
    missing = {
        extra: [m for m in modules if importlib.util.find_spec(m) is None]
        for extra, modules in EXTRAS.items()
    }
    accelerator = "none"
    if not missing["models"]:
        import torch

        accelerator = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    report = {
        "worldgen": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "disk_free_gib": round(shutil.disk_usage(".").free / 2**30, 1),
        "accelerator": accelerator,
        "extras": {extra: ("ready" if not m else f"missing {', '.join(m)}") for extra, m in missing.items()},
        "ready": not missing["media"],
    }
    if as_json:
        print_json(report)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in report.items():
        if isinstance(value, dict):
            for extra, state in value.items():
                table.add_row(f"extra {extra}", state)
        else:
            table.add_row(name, str(value))
    console.print(table)
    if missing["media"]:
        console.print('[red]physics and critic need the media extra[/]: pip install "worldgen[media]"')
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor_command)
