"""`worldgen specs`: the conditions that are known."""

from typing import Annotated

import typer
from rich.table import Table

from worldgen.cli.output import JsonOption, console, print_json, reporting


def specs_command(
    words: Annotated[str | None, typer.Argument(help='Show what words mean: "heavy rain at night".')] = None,
    as_json: JsonOption = False,
) -> None:
    """List presets and words for conditions, or show the typed spec that words stand for."""
    from worldgen.config.specs import known_words, parse_specs, presets
    from worldgen.prompts import describe

    with reporting(as_json):
        if words:
            specs = parse_specs(words)
            if as_json:
                print_json({"specs": [s.model_dump(mode="json", exclude_none=True) for s in specs]})
                return
            for spec in specs:
                console.print(f"[bold]{spec.name}[/]  {describe(spec)}", highlight=False)
                for name, value in spec.changes.items():
                    console.print(f"  [dim]{name:<20}[/] {value}", highlight=False)
            return
        sets = presets()
        if as_json:
            print_json(
                {
                    "presets": {
                        name: {
                            "title": p.title,
                            "specs": [s.model_dump(mode="json", exclude_none=True) for s in p.specs],
                        }
                        for name, p in sets.items()
                    },
                    "words": known_words(),
                }
            )
            return
    table = Table(box=None, pad_edge=False)
    for column in ("preset", "specs", "what it is"):
        table.add_column(column)
    for name, preset in sets.items():
        table.add_row(name, str(len(preset.specs)), preset.title)
    console.print(table)
    console.print("\n" + known_words(), highlight=False)
    console.print('\n[dim]worldgen specs "dense fog at night" shows what words mean[/]')


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("specs")(specs_command)
