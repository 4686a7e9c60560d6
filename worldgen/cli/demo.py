"""`worldgen demo`: the main job on the embedded default, from nothing to a report."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from worldgen.cli.output import JsonOption, console, print_json, reporting

SIX = "fog 80 m, heavy rain, snow, night, low sun, overcast"


def demo_command(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for recording and results.")] = Path(
        "demo-out"
    ),
    seed: Annotated[int, typer.Option(help="Which drive.")] = 7,
    frames: Annotated[int, typer.Option(min=5)] = 33,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT.")] = "640x360",
    as_json: JsonOption = False,
) -> None:
    """Record one proving-ground drive, make six variants, judge them, write the report."""
    from worldgen.assembly import Options, augment_async, record
    from worldgen.cli.augment import Bars, show

    recording = out / f"drive-{seed}-{size}-{frames}"
    with reporting(as_json):
        if not recording.is_dir():
            if not as_json:
                console.print(f"driving the proving ground (seed {seed}, {frames} frames, {size})")
            record(recording, seed=seed, frames=frames, size=size, fps=10.0)
        bars = Bars(6, quiet=as_json)
        with bars.progress:
            result = asyncio.run(
                augment_async(recording, SIX, out=out / "variants", options=Options(seed=seed), observe=bars)
            )
        if as_json:
            print_json(result.to_json())
        else:
            show(result)
            console.print(
                "Painted by weather physics on simulated footage: no network, no weights, no GPU.",
                highlight=False,
            )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo_command)
