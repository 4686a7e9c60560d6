"""`worldgen demo`: the main job on the embedded defaults, from nothing to a report, through the service."""

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from worldgen.cli.output import JsonOption, console, errors, print_json, reporting
from worldgen.cli.own_service import OwnService, can_serve

if TYPE_CHECKING:
    from worldgen.catalog.augmented import Augmented

SIX: Final = "fog 80 m, heavy rain, snow, night, low sun, overcast"
PAINTED: Final = "fog 80 m, snow, night"
"""What the small diffusion model paints beside; it takes longer than physics."""
PAINTER: Final = "cosmos3-embedded"
_PHYSICS: Final = "physics"
_NETWORKS: Final = ("torch", "diffusers", "transformers")

Work = tuple[tuple[str, str], ...]
"""World model and specs of each job."""


def demo_command(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for recording and results.")] = Path(
        "demo-out"
    ),
    seed: Annotated[int, typer.Option(help="Which drive.")] = 7,
    frames: Annotated[int, typer.Option(min=5)] = 33,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT.")] = "640x360",
    serve: Annotated[
        bool, typer.Option(help="Through the service on a local Ray, or by the plain library.")
    ] = True,
    keep_serving: Annotated[
        bool, typer.Option("--keep-serving", help="Leave the service and its page running.")
    ] = False,
    paint: Annotated[
        bool, typer.Option(help="Let the small diffusion model paint three variants, too, where it is.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Record one proving-ground drive, make variants, judge them, write the report.

    Runs through the service as `worldgen serve` starts it, and stops it again. Running the same command
    again makes only what is missing.
    """
    with reporting(as_json):
        if keep_serving and not serve:
            from worldgen.errors import ConfigError

            message = "--keep-serving and --no-serve exclude each other"
            raise ConfigError(message, reason="invalid")
        cannot = _why_not_paint() if paint else "--no-paint"
        work: Work = ((_PHYSICS, SIX), *(() if cannot else ((PAINTER, PAINTED),)))
        if serve and not can_serve():
            said = 'the serve extra is not installed (pip install "worldgen[serve]"): the library runs alone'
            errors.print(f"[yellow]note[/] {escape(said)}", highlight=False)
            serve = False
        recording = out / f"drive-{seed}-{size}-{frames}"
        drive = _Drive(recording, seed=seed, frames=frames, size=size, quiet=as_json)
        page, stays = "", False
        if serve:
            hint = "worldgen demo --no-serve does the same without Ray"
            models = [model for model, _ in work]
            service = OwnService(
                out / "variants",
                roots=[out],
                models=models,
                log=out / "service.log",
                keep=keep_serving,
                hint=hint,
            )
            results = _by_service(service, drive, work, out / "variants")
            page, stays = service.url, service.stays
        else:
            drive.record()
            results = [_by_library(drive, model, specs, out / "variants") for model, specs in work]
        if as_json:
            print_json(_joined(results) | {"page": page or None, "serving": stays})
        else:
            _tell(results, out / "variants", page=page, stays=stays, cannot=cannot)


class _Drive:
    """The recording that everything is made of."""

    def __init__(self, folder: Path, *, seed: int, frames: int, size: str, quiet: bool) -> None:
        self.folder = folder
        self.seed = seed
        self.frames = frames
        self.size = size
        self.quiet = quiet

    def record(self) -> None:
        """Drive, unless that was done before."""
        from worldgen.assembly import record

        if self.folder.is_dir():
            return
        if not self.quiet:
            console.print(f"driving the proving ground (seed {self.seed}, {self.frames} frames, {self.size})")
        record(self.folder, seed=self.seed, frames=self.frames, size=self.size, fps=10.0)


def _by_library(drive: _Drive, model: str, specs: str, out: Path) -> "Augmented":
    from worldgen.assembly import Options, augment_async
    from worldgen.cli.augment import Bars

    options = Options(model=model, seed=drive.seed)
    bars = Bars(_count(specs), quiet=drive.quiet)
    with bars.progress:
        return asyncio.run(augment_async(drive.folder, specs, out=out, options=options, observe=bars))


def _by_service(service: OwnService, drive: _Drive, work: Work, out: Path) -> "list[Augmented]":
    """Record while the service starts, submit everything, and follow one job after the other."""
    from worldgen.assembly.recording import size_of
    from worldgen.cli.own_job import result_of
    from worldgen.client import Client

    size_of(drive.size)  # what is wrong is said before anything is started
    with service:
        if not drive.quiet:
            console.print("starting the service on a local Ray", highlight=False)
        drive.record()
        service.wait()
        if not drive.quiet:
            console.print(f"the service is ready at {service.url}", highlight=False)
        source = str(drive.folder.resolve())
        with Client(service.url) as client:
            jobs = [
                client.submit(source, specs, model=model, seed=drive.seed, upload=False)
                for model, specs in work
            ]
            return [
                result_of(job, specs, out, seed=drive.seed, quiet=drive.quiet)
                for job, (_, specs) in zip(jobs, work, strict=True)
            ]


def _why_not_paint() -> str:
    """Say why the small diffusion model cannot paint here; empty when it can."""
    from worldgen.models.build import profiles
    from worldgen.models.choice import has_weights

    absent = [name for name in _NETWORKS if find_spec(name) is None]
    if absent:
        return f"needs {', '.join(absent)}: pip install 'worldgen[models]'"
    if PAINTER not in {profile.name for profile in profiles()} or not has_weights(PAINTER):
        return "its weights do not ship with this version"
    return ""


def _count(specs: str) -> int:
    return specs.count(",") + 1


def _joined(results: "list[Augmented]") -> dict[str, Any]:
    """Join the results of several world models over one catalogue: one document, one report."""
    told = [result.to_json() for result in results]
    return {
        "variants": [variant for one in told for variant in one["variants"]],
        "failures": [failure for one in told for failure in one["failures"]],
        "report": told[-1]["report"],
        "seconds": round(sum(one["seconds"] for one in told), 3),
    }


def _tell(results: "list[Augmented]", out: Path, *, page: str, stays: bool, cannot: str) -> None:
    from worldgen.cli.augment import show

    for result in results:
        show(result)
    if page and stays:
        console.print(f"Page: {page} (it goes on; stop it with: worldgen stop -o {out})", highlight=False)
    elif page:
        again = f"stopped now; worldgen serve -o {out} shows it again, --keep-serving leaves it"
        console.print(f"Page: {page} ({again})", highlight=False)
    if not cannot:
        said = (
            "All on simulated footage, with no network and no GPU. Physics computes weather and light on the "
            f"clip's own frames; {PAINTER} paints from control maps alone and knows only the proving ground."
        )
    else:
        said = "Painted by weather physics on simulated footage: no network, no weights, no GPU."
        if cannot != "--no-paint":
            said += f" The small diffusion model did not paint: {cannot}."
    console.print(said, highlight=False, markup=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo_command)
