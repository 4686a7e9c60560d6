"""`worldgen stress`: a detector's recall against the condition, in one command."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from worldgen.cli.output import JsonOption, console, errors, print_json, reporting


def stress_command(
    clip: Annotated[Path, typer.Argument(help="A clip or recording.")],
    predict: Annotated[
        str,
        typer.Option(help='Your detector: "python detect.py {video} {output}" writing a JSON list of boxes.'),
    ],
    labels: Annotated[
        Path | None, typer.Option(help="Labels of the clip, unless the recording has them.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of results.")] = Path("stress"),
    ladder: Annotated[str, typer.Option(help="Of fog, rain, darkness; comma-separated.")] = "fog",
    calibration: Annotated[Path | None, typer.Option(help="Camera calibration.")] = None,
    camera: Annotated[str | None, typer.Option(help="Which camera of a recording.")] = None,
    min_iou: Annotated[float, typer.Option(help="Smallest overlap that counts.")] = 0.5,
    as_json: JsonOption = False,
) -> None:
    """Measure your detector from 1000 m to 50 m visibility (or over rain, or darkness).

    Only objects whose label says that they can still be seen are counted. The detector reads a video and
    writes [{"frame": 0, "category": "car", "bbox": [x, y, width, height], "score": 0.9}, ...].
    """
    from worldgen.assembly import Options, stress

    with reporting(as_json):
        result = stress(
            clip,
            labels=labels,
            predict=predict,
            out=out,
            ladders=tuple(name.strip() for name in ladder.split(",")),
            options=Options(calibration=calibration, camera=camera, report_page=False),
            min_iou=min_iou,
            progress=(lambda _: None) if as_json else (lambda text: errors.print(text, highlight=False)),
        )
    if as_json:
        print_json(result)
        return
    for name, climbed in result["ladders"].items():
        table = Table(box=None, pad_edge=False, title=name)
        for column in ("condition", "recall", "95% interval", "seen", "ignored", "verdict"):
            table.add_column(column)
        for row in climbed["rows"]:
            table.add_row(
                row["spec"],
                f"{row['recall']:.2f}",
                f"{row['low']:.2f} to {row['high']:.2f}",
                f"{row['found']}/{row['visible']}",
                str(row["ignored"]),
                row["verdict"],
            )
        console.print(table)
        console.print(f"plot: {climbed['plot']}", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stress")(stress_command)
