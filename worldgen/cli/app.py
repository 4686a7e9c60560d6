"""The `worldgen` command and its subcommands."""

import sys

import typer

from worldgen import __version__
from worldgen.cli import (
    augment,
    bench,
    caption,
    demo,
    doctor,
    judge,
    keys,
    listings,
    models,
    results,
    rollout,
    serve,
    sources,
    stress,
)
from worldgen.cli.output import error_json, errors, print_json

app = typer.Typer(
    name="worldgen",
    help=(
        "Weather, lighting and corner-case variants of driving clips whose labels are still true, "
        "each with measured proof.\n\n"
        'Start with: worldgen augment clip.mp4 --specs "fog, heavy rain, night" -o out/'
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"worldgen {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    del version


for module in (
    augment,
    caption,
    judge,
    sources,
    listings,
    models,
    stress,
    results,
    rollout,
    demo,
    serve,
    keys,
    doctor,
    bench,
):
    module.register(app)


def main() -> None:
    """Run the command line; the exit code says how it ended (0, 1, 2, 3; 130 interrupted)."""
    as_json = "--json" in sys.argv
    try:
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        errors.print("interrupted; finished variants are kept, run the same command again to go on")
        sys.exit(130)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:  # usage errors of typer: shown in the shape that was asked for
        if not hasattr(error, "exit_code"):
            raise
        if as_json:
            message = getattr(error, "message", str(error))
            print_json(error_json("usage.invalid", str(message), "worldgen --help"))
        else:
            error.show()  # type: ignore[attr-defined]  # every click exception can show itself
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
