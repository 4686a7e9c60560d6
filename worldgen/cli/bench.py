"""`worldgen bench NAME`: measure this machine, in the figures of the README."""

from typing import Annotated

import typer
from rich.table import Table

from worldgen.cli.output import JsonOption, console, print_json, reporting
from worldgen.cli.parameters import SetOption
from worldgen.errors import ConfigError


def bench_command(
    name: Annotated[
        str, typer.Argument(help="physics, critic, engine, true-size, embedded, serve or kills.")
    ],
    full: Annotated[
        bool, typer.Option("--full", help="The whole figure, not the sample that fits in a minute.")
    ] = False,
    dataset: Annotated[
        str | None, typer.Option(help="serve: jobs of the load run, random (when not set) or carla18.")
    ] = None,
    request_rate: Annotated[
        float | None, typer.Option(help="serve: jobs per second, Poisson; inf, all at once, when not set.")
    ] = None,
    max_concurrency: Annotated[
        int | None, typer.Option(help="serve: jobs under way at once; 4 when not set.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="serve: world model; physics when not set.")] = None,
    settings: SetOption = None,
    soak: Annotated[
        float | None,
        typer.Option(help="serve: a mixed load for so many minutes, and the memory of every process."),
    ] = None,
    trials: Annotated[
        str | None,
        typer.Option(
            help="critic: a file for the trials, written as they are made; what is in it is not made again.",
            metavar="FILE",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure and print figures with their unit and goal."""
    from worldgen.bench import BENCHES, OPTIONS, run_bench

    given = {
        "dataset": dataset,
        "request_rate": request_rate,
        "max_concurrency": max_concurrency,
        "model": model,
        "parameters": tuple(settings) if settings else None,
        "soak_minutes": soak,
        "trials": trials,
    }
    options = {option: value for option, value in given.items() if value is not None}

    with reporting(as_json):
        if name not in BENCHES:
            message = f"no bench {name!r}; there are: {', '.join(sorted(BENCHES))}"
            raise ConfigError(message, reason="not_found")
        if foreign := options.keys() - OPTIONS.get(name, frozenset()):
            message = f"bench {name} does not take {', '.join(sorted(foreign))}"
            raise ConfigError(message, reason="invalid")
        result = run_bench(name, full=full, options=options)
    if as_json:
        print_json(result)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("figure", "value", "unit", "goal"):
        table.add_column(column)
    for figure, row in result["figures"].items():
        value = row["value"]
        shown = f"{value:.3g}" if isinstance(value, float) else str(value)
        table.add_row(figure, shown, row["unit"], str(row["goal"]))
    console.print(table)
    console.print(
        f"[dim]{result['samples']}; {result['machine']}; commit {result['commit']}[/]", highlight=False
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench_command)
