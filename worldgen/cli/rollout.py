"""`worldgen rollout`: a first frame and the way the car drives in, a clip of that drive out."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from worldgen.cli.output import JsonOption, console, errors, print_json, reporting
from worldgen.cli.parameters import SetOption
from worldgen.datatypes import Progress as Step


def rollout_command(
    clip: Annotated[
        Path | None, typer.Argument(help="A clip or recording to start from; without one, from --prompt.")
    ] = None,
    actions: Annotated[
        Path | None,
        typer.Option(help="Trajectory (JSON): 9 numbers a step, 3 of translation in metres, 6 of rotation."),
    ] = None,
    prompt: Annotated[str, typer.Option(help="What to show; by default the clip's caption.")] = "",
    frames: Annotated[
        int, typer.Option(min=0, help="4 k + 1; by default all that the actions lead through, else 61.")
    ] = 0,
    start: Annotated[int, typer.Option(min=1, help="First frames kept from the clip: 1, or 4 k + 1.")] = 1,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of results.")] = Path("out"),
    camera: Annotated[str | None, typer.Option(help="Which camera of a recording.")] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frame rate of a folder of images, or of a clip from words.")
    ] = None,
    model: Annotated[str, typer.Option(help="World model; see `worldgen models`.")] = "cosmos3-nano",
    settings: SetOption = None,
    seed: Annotated[int, typer.Option(help="Same seed, same frames.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Drive on from a clip's first frame along a trajectory; or make a clip from first frames, or from words.

    [dim]worldgen rollout clip.mp4 --actions left.json -o out/[/dim]

    Not judged: there is no source to compare a rollout with. Running the same command again makes nothing
    anew. Exit codes: 0 done, 1 the model failed, 2 bad usage or input, 3 blocked by a guardrail.
    """
    from worldgen.assembly import RolloutOptions, rollout
    from worldgen.models.parameters import read_parameters

    bars = Progress(
        SpinnerColumn(),
        TextColumn("rollout"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(),
        console=errors,
        disable=as_json,
    )
    with reporting(as_json):
        options = RolloutOptions(
            model=model,
            parameters=read_parameters(settings),
            actions=actions,
            prompt=prompt,
            frames=frames,
            start=start,
            seed=seed,
            camera=camera,
            fps=fps,
        )
        task = bars.add_task("rollout", total=None, visible=False)

        def tell(step: Step) -> None:
            bars.update(task, completed=step.step, total=step.steps, visible=True)

        with bars:
            made = rollout(clip, out=out, options=options, tell=tell)
    video, blocked = made.folder / "rollout.mp4", made.facts.get("blocked", "")
    if as_json:
        print_json(made.facts | {"file": "" if blocked else str(video), "reused": made.reused})
    elif blocked:
        errors.print(f"[red]blocked by a guardrail[/] {escape(blocked)}", highlight=False)
    if blocked:
        raise typer.Exit(3)
    if as_json:
        return
    console.print(f"{video}{' (made before)' if made.reused else ''}", highlight=False)
    console.print(f"[yellow]note[/] {made.facts['note']}", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rollout")(rollout_command)
