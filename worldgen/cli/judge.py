"""`worldgen judge`: judge clips that any tool made."""

from pathlib import Path
from typing import Annotated

import typer

from worldgen.cli.output import VERDICT_STYLE, JsonOption, console, print_json, reporting
from worldgen.datatypes import Verdict


def judge_command(
    source: Annotated[Path, typer.Argument(help="The original clip or recording.")],
    candidate: Annotated[Path, typer.Argument(help="The clip that was made from it.")],
    spec: Annotated[str | None, typer.Option(help='What was asked, such as "heavy rain".')] = None,
    labels: Annotated[Path | None, typer.Option(help="Labels of the source.")] = None,
    calibration: Annotated[Path | None, typer.Option(help="Camera calibration.")] = None,
    camera: Annotated[str | None, typer.Option(help="Which camera of a recording.")] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 3 unless accepted.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a candidate against its source: structure, condition, time, labels. Nothing is generated.

    [dim]worldgen judge clip.mp4 clip_rain.mp4 --spec "heavy rain"[/dim]
    """
    from worldgen.assembly import findings_json, judge

    with reporting(as_json):
        verdict = judge(source, candidate, spec=spec, labels=labels, calibration=calibration, camera=camera)
        if as_json:
            print_json(
                {
                    "id": None,
                    "spec": spec,
                    "model": None,
                    "verdict": verdict.state,
                    "recognised": verdict.recognised,
                    "findings": findings_json(verdict),
                    "video": str(candidate),
                    "labels": str(labels) if labels else None,
                    "provenance": None,
                }
            )
        else:
            show(verdict)
    if strict and not verdict.accepted:
        raise typer.Exit(3)


def show(verdict: Verdict) -> None:
    """Print a verdict for people."""
    style = VERDICT_STYLE[verdict.state]
    console.print(f"[{style}]{verdict.state}[/{style}]  seen as {verdict.recognised or 'nothing named'}")
    for finding in sorted(verdict.findings, key=lambda f: (f.passed is not False, f.check)):
        mark = {True: "[green]ok[/]  ", False: "[red]no[/]  ", None: "[magenta]?[/]   "}[finding.passed]
        number = ""
        if finding.value is not None:
            number = f" {finding.value:.3g}"
            if finding.threshold is not None:
                number += f" (threshold {finding.threshold:.3g}{' ' + finding.unit if finding.unit else ''})"
        console.print(f"{mark}{finding.check:<28}{number}  [dim]{finding.reason}[/]", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("judge")(judge_command)
