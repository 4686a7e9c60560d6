"""`--set NAME=VALUE`: parameters of a world model from the command line."""

from typing import Annotated

import typer

from worldgen.errors import ConfigError

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A parameter of the world model; repeatable.",
    ),
]


def parameters_of(settings: list[str] | None) -> dict[str, float | int | str | bool]:
    """Read ``NAME=VALUE`` pairs; the model gives the values their types.

    Raises:
        ConfigError: `invalid` when there is no equals sign.
    """
    parameters: dict[str, float | int | str | bool] = {}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals or not name:
            message = f"--set takes NAME=VALUE, not {setting!r}"
            raise ConfigError(message, reason="invalid")
        parameters[name.strip()] = value.strip()
    return parameters
