"""`worldgen specs`: the conditions that are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from worldgen.cli.output import JsonOption, console, print_json, reporting
from worldgen.datatypes import Spec
from worldgen.errors import ConfigError


def specs_command(
    words: Annotated[str | None, typer.Argument(help='Show what words mean: "heavy rain at night".')] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Show what a model that reads text is told: plain or structured.")
    ] = None,
    caption: Annotated[
        Path | None, typer.Option(help="Of a clip, to be edited by the prompt (JSON or words).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List presets and words for conditions, or show the typed spec that words stand for."""
    from worldgen.config.specs import known_words, parse_specs, presets
    from worldgen.prompts import describe

    with reporting(as_json):
        if words:
            specs = parse_specs(words)
            if prompt:
                _show_prompts(specs, prompt, caption, as_json=as_json)
                return
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


def _show_prompts(specs: Sequence[Spec], style: str, caption: Path | None, *, as_json: bool) -> None:
    from worldgen.prompts import negative_prompt_for, prompt_for
    from worldgen.sources.captions import read_caption

    if style not in ("plain", "structured"):
        message = f"--prompt is plain or structured, not {style!r}"
        raise ConfigError(message, reason="invalid")
    chosen: Literal["plain", "structured"] = "plain" if style == "plain" else "structured"
    said = read_caption(caption) if caption else ""
    rows = [
        {
            "spec": spec.name,
            "prompt": prompt_for(spec, style=chosen, caption=said),
            "negative_prompt": negative_prompt_for(spec, style=chosen),
        }
        for spec in specs
    ]
    if as_json:
        print_json({"prompts": rows})
        return
    for row in rows:
        console.print(f"[bold]{row['spec']}[/]")
        console.print(row["prompt"], highlight=False, markup=False, soft_wrap=True)
        console.print("[dim]negative[/]")
        console.print(row["negative_prompt"], highlight=False, markup=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("specs")(specs_command)
