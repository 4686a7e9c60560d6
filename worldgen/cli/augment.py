"""`worldgen augment`: a clip and specs in, judged variants out."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from worldgen.cli.output import (
    VERDICT_STYLE,
    JsonOption,
    console,
    errors,
    print_json,
    reporting,
)
from worldgen.cli.parameters import SetOption
from worldgen.datatypes import CONTROL_KINDS, ControlKind, Failure, Outcome, Variant
from worldgen.datatypes import Progress as Step
from worldgen.errors import ConfigError


class Bars:
    """One progress bar per variant that is under way, with the time left."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<28}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(),
            console=errors,
            disable=quiet,
            transient=False,
        )
        self.overall = self.progress.add_task("variants", total=total)
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, variant_id: str, name: str, event: Step | Outcome | None) -> None:
        """Show one event."""
        if isinstance(event, Step):
            if variant_id not in self.tasks:
                self.tasks[variant_id] = self.progress.add_task(name or variant_id[:8], total=event.steps)
            self.progress.update(self.tasks[variant_id], completed=event.step, total=event.steps)
            return
        self.progress.advance(self.overall)
        if variant_id in self.tasks:
            self.progress.remove_task(self.tasks.pop(variant_id))
        if not self.progress.disable:
            self.progress.console.print(_line(name, event), highlight=False)


def _line(name: str, event: Outcome | None) -> str:
    if event is None:
        return f"[dim]{name:<28} made before[/dim]"
    if isinstance(event, Failure):
        style = "dim" if event.is_expected else "red"
        return f"[{style}]{name:<28} {event.code}: {event.message}[/{style}]"
    return f"{name:<28} {_verdict(event)}"


def _verdict(variant: Variant) -> str:
    state = variant.verdict.state
    failed = [f for f in variant.verdict.findings if f.passed is False and f.severity != "info"]
    why = f"  [dim]{failed[0].reason}[/dim]" if failed else ""
    return f"[{VERDICT_STYLE[state]}]{state}[/{VERDICT_STYLE[state]}]{why}"


def augment_command(
    clip: Annotated[Path, typer.Argument(help="A video file, a folder of images, or a CARLA recording.")],
    specs: Annotated[
        str, typer.Option("--specs", help='Words, comma-separated: "fog, heavy rain at night, snow".')
    ] = "",
    variants: Annotated[
        list[str] | None,
        typer.Option("--variants", help="The same, one per option; or a YAML/JSON file of specs."),
    ] = None,
    preset: Annotated[
        list[str] | None, typer.Option("--preset", help="A named set, such as carla18; see `worldgen specs`.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of results.")] = Path("out"),
    labels: Annotated[
        Path | None, typer.Option(help="COCO, KITTI, OpenLABEL or nuScenes-like labels.")
    ] = None,
    calibration: Annotated[Path | None, typer.Option(help="Camera calibration (JSON or KITTI).")] = None,
    depth: Annotated[
        Path | None, typer.Option(help="Depth measured beside the clip: LiDAR or stereo.")
    ] = None,
    caption: Annotated[
        Path | None, typer.Option(help="The clip's caption, for models that read text (JSON or words).")
    ] = None,
    rewriter: Annotated[
        str | None,
        typer.Option(help="URL#MODEL of an OpenAI-compatible language model that polishes their prompts."),
    ] = None,
    allow_egress: Annotated[
        bool, typer.Option("--allow-egress", help="Permit sending captions to a rewriter elsewhere.")
    ] = False,
    control: Annotated[
        str | None,
        typer.Option(help="The clip is a control video of this kind: edge, blur, depth, seg, wsm."),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", metavar="KIND=W", help="How much a control map counts, 0 to 2; repeatable."),
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="KIND=PATH",
            help="Where it counts, white 1, black 0: a PNG, or pictures or a video, frame for frame.",
        ),
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Which camera of a recording.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate of a folder of images.")] = None,
    condition: Annotated[
        str | None, typer.Option(help="The clip's own condition, if you know it better than we estimate it.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="World model; see `worldgen models`. By default the best that this machine can run: "
            "physics without a GPU."
        ),
    ] = "",
    settings: SetOption = None,
    seed: Annotated[int, typer.Option(help="Same seed, same frames.")] = 0,
    server: Annotated[
        str | None,
        typer.Option(help="Run on a worldgen server instead of here; its key is read from WORLDGEN_KEY."),
    ] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 3 when a variant was not accepted.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made and how long.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make weather and lighting variants of a clip, judge each, and write a report.

    [dim]worldgen augment clip.mp4 --specs "fog, heavy rain, night" --labels labels.json -o out/[/dim]

    Running the same command again makes only what is missing. Exit codes: 0 done, 1 a variant failed,
    2 bad usage or input, 3 with --strict when a variant was not accepted.
    """
    wanted = [*([specs] if specs else []), *(variants or []), *(preset or [])] or ["fog, heavy rain, night"]
    with reporting(as_json):
        if server:
            local = {
                "--set": settings,
                "--depth": depth,
                "--caption": caption,
                "--rewriter": rewriter,
                "--allow-egress": allow_egress,
                "--control": control,
                "--mask": mask,
                "--fps": fps,
                "--condition": condition,
            }
            result = _on_server(
                local,
                out,
                dry_run=dry_run,
                as_json=as_json,
                server=server,
                clip=clip,
                wanted=wanted,
                weights={kind: _number(kind, text) for kind, text in _by_kind("--weight", weight)},
                model=model,
                seed=seed,
                camera=camera,
                labels=labels,
                calibration=calibration,
            )
            if result is None:
                return
            _end(result, strict=strict, as_json=as_json)
            return
        from worldgen.assembly import Options, augment_async
        from worldgen.models.parameters import read_parameters

        options = Options(
            model=model,
            parameters=read_parameters(settings),
            camera=camera,
            labels=labels,
            calibration=calibration,
            depth=depth,
            caption=caption,
            rewriter=_rewriter(rewriter),
            may_leave=allow_egress,
            control_weights={kind: _number(kind, text) for kind, text in _by_kind("--weight", weight)},
            masks=dict(_by_kind("--mask", mask)),
            control=control_kind(control),
            fps=fps,
            condition=condition,
            seed=seed,
        )
        if dry_run:
            _estimate(clip, wanted, options, as_json=as_json)
            return
        from worldgen.assembly import specs_of

        bars = Bars(len(specs_of(wanted, seed=seed)), quiet=as_json)
        with bars.progress:
            result = asyncio.run(augment_async(clip, wanted, out=out, options=options, observe=bars))
        _end(result, strict=strict, as_json=as_json)


def _end(result: Any, *, strict: bool, as_json: bool) -> None:  # noqa: ANN401 -- Augmented; see `show`
    """Print the outcome, and leave with the exit code that says how it went."""
    if as_json:
        print_json(result.to_json())
    else:
        show(result)
    if any(not failure.is_expected for failure in result.failures):
        raise typer.Exit(1)
    if strict and len(result.accepted) < len(result.variants):
        raise typer.Exit(3)


def _on_server(
    local: Mapping[str, object],
    out: Path,
    *,
    dry_run: bool,
    as_json: bool,
    wanted: list[str],
    weights: dict[ControlKind, float],
    **order: Any,  # noqa: ANN401 -- those of Order
) -> Any:  # noqa: ANN401 -- Augmented; see `show`
    """Run on a server, or with `dry_run` say what would be run; None after that."""
    from worldgen.cli.remote import Order, augment_on_server, estimate_on_server, refuse_local, specs_here

    refuse_local(local)
    # typer has made a path of an address, and so one slash of two.
    clip = re.sub(r"^(https|s3):/+", r"\1://", str(order.pop("clip")))
    asked = Order(clip=clip, specs=specs_here(wanted, weights, seed=order["seed"]), **order)
    if not dry_run:
        return augment_on_server(asked, out, quiet=as_json)
    _show_estimate(estimate_on_server(asked), as_json=as_json)
    return None


def _by_kind(option: str, given: list[str] | None) -> list[tuple[ControlKind, str]]:
    """Read ``KIND=VALUE`` pairs.

    Raises:
        ConfigError: `invalid`.
    """
    pairs = []
    for text in given or ():
        name, _, value = text.partition("=")
        kind = control_kind(name)
        if kind is None or not value:
            message = f"{option} takes KIND=VALUE, such as edge=..., not {text!r}"
            raise ConfigError(message, reason="invalid")
        pairs.append((kind, value))
    return pairs


def _number(kind: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as exc:
        message = f"--weight {kind}={text} is no number"
        raise ConfigError(message, reason="invalid") from exc


def _rewriter(named: str | None) -> Any:  # noqa: ANN401 -- ChatSettings; importing it here is for later
    """Read ``URL#MODEL``.

    Raises:
        ConfigError: `invalid`.
    """
    if named is None:
        return None
    from worldgen.chat import ChatSettings
    from worldgen.config import validated

    url, _, model = named.partition("#")
    if not model:
        message = f"--rewriter takes URL#MODEL, such as http://127.0.0.1:8000/v1#qwen, not {named!r}"
        raise ConfigError(message, reason="invalid")
    return validated(ChatSettings, url=url, model=model)


def show(result: Any) -> None:  # noqa: ANN401 -- Augmented; importing it here would load OpenCV
    """Print the outcome for people."""
    table = Table(box=None, pad_edge=False)
    for column in ("spec", "verdict", "seen as", "video"):
        table.add_column(column)
    for variant in result.variants:
        state = variant.verdict.state
        folder = result.folders.get(variant.id)
        table.add_row(
            variant.spec.name or variant.id[:8],
            f"[{VERDICT_STYLE[state]}]{state}[/]",
            variant.verdict.recognised,
            str(folder / "variant.mp4") if folder else "",
        )
    for failure in result.failures:
        table.add_row(failure.spec.name or failure.id[:8], f"[dim]{failure.code}[/]", "", failure.message)
    console.print(table)
    for note in result.notes:
        console.print(f"[yellow]note[/] {note}", highlight=False)
    reused = f", {result.reused} made before" if result.reused else ""
    console.print(
        f"{len(result.accepted)} of {len(result.variants)} accepted{reused}, {result.seconds:.1f} s. "
        f"Report: {result.report}",
        highlight=False,
    )


def _estimate(clip: Path, wanted: list[str], options: Any, *, as_json: bool) -> None:  # noqa: ANN401
    from worldgen.assembly import estimate

    _show_estimate(estimate(clip, wanted, options), as_json=as_json)


def _show_estimate(estimated: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(estimated)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("spec", "what would happen"):
        table.add_column(column)
    for row in estimated["variants"]:
        table.add_row(row["spec"], row["outcome"])
    console.print(table)
    if estimated.get("server"):
        said = f"{estimated['upload_megabytes']:.1f} MB to upload to {estimated['server']}; nothing was sent"
    else:
        said = f"about {estimated['seconds']:.0f} s and {estimated['megabytes']:.0f} MB; nothing was written"
    console.print(said, highlight=False)
    if memory := estimated.get("memory_gib"):
        waits = f", and {memory['host']:.1f} GiB waiting on the host" if memory["host"] else ""
        told = f"estimated memory: {memory['peak']:.1f} GiB at the peak, tensors alone{waits}"
        console.print(told, highlight=False)


def control_kind(name: str | None) -> ControlKind | None:
    """Read the name of a control.

    Raises:
        ConfigError: There is none of that name.
    """
    found = next((kind for kind in CONTROL_KINDS if kind == name), None)
    if name is not None and found is None:
        message = f"no control {name!r}; there are: {', '.join(CONTROL_KINDS)}"
        raise ConfigError(message, reason="invalid")
    return found


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("augment")(augment_command)
