"""`worldgen report | audits import`: look at results, and take people's decisions in."""

from pathlib import Path
from typing import Annotated

import typer

from worldgen.cli.output import JsonOption, console, print_json, reporting

audits = typer.Typer(help="People's decisions on variants.", no_args_is_help=True)


def report_command(
    out: Annotated[Path, typer.Argument(help="Folder of results.")], as_json: JsonOption = False
) -> None:
    """Write the report page of a folder of results again."""
    from worldgen.catalog import Catalog
    from worldgen.errors import OutputError
    from worldgen.report import write_report

    with reporting(as_json):
        if not out.is_dir():
            message = f"no folder {out}"
            raise OutputError(
                message, reason="not_a_folder", hint="worldgen augment CLIP -o FOLDER makes one"
            )
        catalog = Catalog(out)
        page = write_report(catalog, out / "report.html")
        count = sum(1 for _ in catalog.entries())
    if as_json:
        print_json({"report": str(page), "variants": count})
    else:
        console.print(f"{count} variants: {page}", highlight=False)


@audits.command("import")
def import_command(
    out: Annotated[Path, typer.Argument(help="Folder of results.")],
    file: Annotated[Path, typer.Argument(help="The JSON file that the report page saved.")],
    as_json: JsonOption = False,
) -> None:
    """Store the audits that a person saved from the report page."""
    from worldgen.catalog import Catalog
    from worldgen.report.audits import import_audits

    with reporting(as_json):
        imported = import_audits(Catalog(out), file)
    if as_json:
        print_json({"imported": len(imported)})
    else:
        console.print(f"{len(imported)} audits stored", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("report")(report_command)
    app.add_typer(audits, name="audits")
