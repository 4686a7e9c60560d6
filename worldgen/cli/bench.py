"""`worldgen bench NAME`: measure this machine, in the figures of the README."""

from typing import Annotated

import typer
from rich.table import Table

from worldgen.cli.output import JsonOption, console, print_json, reporting
from worldgen.errors import ConfigError


def bench_command(
    name: Annotated[str, typer.Argument(help="physics, critic, engine, embedded or kills.")],
    full: Annotated[
        bool, typer.Option("--full", help="The whole figure, not the sample that fits in a minute.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure and print figures with their unit and goal."""
    from worldgen.bench import BENCHES, run_bench

    with reporting(as_json):
        if name not in BENCHES:
            message = f"no bench {name!r}; there are: {', '.join(sorted(BENCHES))}"
            raise ConfigError(message, reason="not_found")
        result = run_bench(name, full=full)
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
