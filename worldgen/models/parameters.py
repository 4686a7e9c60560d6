"""Parameters: what a user may set of a world model; part of every plan and of a variant's identity."""

from collections.abc import Mapping
from typing import TypeAlias

from worldgen.datatypes import ModelProfile
from worldgen.errors import ConfigError, ContractError

Value: TypeAlias = float | int | str | bool
_WORDS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


def read_parameters(settings: list[str] | None) -> dict[str, Value]:
    """Read ``NAME=VALUE`` pairs; the model gives the values their types.

    Raises:
        ConfigError: `invalid` when there is no equals sign.
    """
    parameters: dict[str, Value] = {}
    for setting in settings or ():
        name, equals, value = setting.partition("=")
        if not equals or not name:
            message = f"--set takes NAME=VALUE, not {setting!r}"
            raise ConfigError(message, reason="invalid")
        parameters[name.strip()] = value.strip()
    return parameters


def set_parameters(profile: ModelProfile, given: Mapping[str, Value]) -> ModelProfile:
    """Return the profile with some of its parameters replaced.

    Args:
        profile: A model's own.
        given: Name to value; text is read as the type that the parameter has.

    Raises:
        ContractError: `parameters`: a name that the model does not have, a value of another type, or a word
            that is none of those it takes.
    """
    if not given:
        return profile
    unknown = sorted(set(given) - set(profile.parameters))
    if unknown:
        message = f"{profile.name} has no parameter {', '.join(unknown)}; it has: " + ", ".join(
            f"{name}={value}" for name, value in profile.parameters.items()
        )
        raise ContractError(message, reason="parameters")
    read = {name: _read(name, value, profile.parameters[name]) for name, value in given.items()}
    for name, words in profile.choices.items():
        if name in read and read[name] not in words:
            message = f"{name}={read[name]}: {profile.name} takes {', '.join(words)}"
            raise ContractError(message, reason="parameters")
    return profile.model_copy(update={"parameters": {**profile.parameters, **read}})


def _read(name: str, value: Value, like: Value) -> Value:
    try:
        if isinstance(like, bool):
            return _WORDS[str(value).lower()]
        if isinstance(like, int):
            # "4.5" steps are an error, not 4 steps.
            return int(str(value))
        return float(value) if isinstance(like, float) else str(value)
    except (KeyError, ValueError) as error:
        message = f"{name}={value} cannot be read; {name} is of type {type(like).__name__}, such as {like}"
        raise ContractError(message, reason="parameters") from error
