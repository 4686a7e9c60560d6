"""`--set NAME=VALUE`: parameters of a world model from the command line."""

from typing import Annotated

import typer

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the world model; repeatable."),
]
