"""`worldgen inspect | controls | record`: look at sources, and make them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from worldgen.cli.output import JsonOption, console, errors, print_json, reporting


def inspect_command(
    path: Annotated[Path, typer.Argument(help="A file or folder of any kind.")], as_json: JsonOption = False
) -> None:
    """Say what a path is and what is wrong with it, before any time is spent on it."""
    from worldgen.sources.inspect import inspect_path

    with reporting(as_json):
        found = inspect_path(path)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        for name, value in found.model_dump(mode="json", exclude={"problems"}).items():
            if value not in (None, "", [], {}, ()):
                console.print(f"[dim]{name:<16}[/] {value}", highlight=False)
        for problem in found.problems:
            console.print(f"[red]{problem.code}[/]: {problem.message}", highlight=False)
            if problem.hint:
                console.print(f"  [dim]{problem.hint}[/]", highlight=False)
        if not found.problems:
            console.print("[green]nothing wrong found[/]")
    if any(p.severity == "error" for p in found.problems):
        raise typer.Exit(2)


def controls_command(
    path: Annotated[Path, typer.Argument(help="A clip or recording.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the control videos.")] = Path(
        "controls"
    ),
    kinds: Annotated[str, typer.Option(help="Of edge, blur, depth, seg, wsm.")] = "edge,depth,blur",
    camera: Annotated[str | None, typer.Option(help="Which camera of a recording.")] = None,
    calibration: Annotated[Path | None, typer.Option(help="Camera calibration.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make control maps in the world models' conventions, lossless (H.264 4:4:4, qp 0)."""
    from worldgen.assembly import write_controls

    with reporting(as_json):
        written = write_controls(path, out, kinds.split(","), camera=camera, calibration=calibration)
        if as_json:
            print_json(written)
        else:
            for row in written["controls"]:
                console.print(f"{row['kind']:<6} {row['origin']:<12} {row['video']}", highlight=False)
            for note in written["notes"]:
                console.print(f"[dim]{note}[/]", highlight=False)


def record_command(
    folder: Annotated[Path, typer.Argument(help="New folder for the recording.")],
    seed: Annotated[int, typer.Option(help="Which drive: same seed, same drive.")] = 1,
    frames: Annotated[int, typer.Option(min=1)] = 33,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT, up to 1280x720.")] = "640x360",
    fps: Annotated[float, typer.Option(min=1.0, max=60.0)] = 10.0,
    spec: Annotated[str | None, typer.Option(help="Weather and light to render it under.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Drive the proving ground and record it: RGB, depth, semantics, instances, flow, boxes, camera."""
    from worldgen.assembly import record

    with reporting(as_json), Progress(console=errors, disable=as_json) as bars:
        task = bars.add_task("recording", total=frames)

        def advance(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        written = record(folder, seed=seed, frames=frames, size=size, fps=fps, spec=spec, progress=advance)
    if as_json:
        print_json(written)
    else:
        console.print(f"recorded {written['frames']} frames into {written['folder']}", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("inspect")(inspect_command)
    app.command("controls")(controls_command)
    app.command("record")(record_command)
