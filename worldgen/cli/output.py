"""What commands print: tables and sentences for people, one JSON document for programs."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from worldgen.errors import WorldgenError

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else there.")
]

console = Console()
errors = Console(stderr=True)


def print_json(payload: Any) -> None:  # noqa: ANN401 -- whatever JSON can hold
    """Print one JSON document."""
    sys.stdout.write(json.dumps(payload, indent=2, default=str, allow_nan=False) + "\n")
    sys.stdout.flush()


def error_json(code: str, message: str, hint: str = "") -> dict[str, Any]:
    """Return an error in the stable shape."""
    return {"error": {"code": code, "message": message, "hint": hint}}


def fail(error: WorldgenError, *, as_json: bool) -> NoReturn:
    """Print an error and leave with its exit code."""
    if as_json:
        print_json(error_json(error.code, error.message, error.hint))
    else:
        errors.print(f"[red]error[/red] [dim]{error.code}[/dim]: {escape(error.message)}", highlight=False)
        if error.hint:
            errors.print(f"[dim]hint:[/dim] {escape(error.hint)}", highlight=False)
    raise typer.Exit(error.exit_code)


@contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """Turn typed errors into the stable shape and exit code."""
    try:
        yield
    except WorldgenError as error:
        fail(error, as_json=as_json)


VERDICT_STYLE = {"accepted": "green", "review": "yellow", "rejected": "red", "inconclusive": "magenta"}
