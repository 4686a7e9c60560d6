"""Options of `worldgen bench serve`."""

import math
from typing import Any

from pydantic import Field

from serving.bench.dataset import DatasetName
from worldgen.config import validated
from worldgen.datatypes.digest import Value
from worldgen.models.build import profile_of
from worldgen.models.parameters import read_parameters


class ServeOptions(Value):
    """What is asked of the service, and how hard."""

    dataset: DatasetName = "random"
    """Of the load run."""
    request_rate: float = Field(default=math.inf, gt=0)
    """Jobs per second of the load run, as a Poisson process; infinite: all at once."""
    max_concurrency: int = Field(default=4, ge=1, le=256)
    """Jobs of the load run that are under way at once."""
    model: str = "physics"
    """World model of the service and of the bare loop."""
    parameters: tuple[str, ...] = ()
    """Of the model, as NAME=VALUE."""
    soak_minutes: float = Field(default=0.0, ge=0, le=7 * 24 * 60)
    """Above 0: nothing but a mixed load for so long, and the memory of every process."""


def options_of(given: dict[str, Any]) -> ServeOptions:
    """Check options.

    Raises:
        ConfigError: `invalid`: a value that is not allowed, with what is.
        ContractError: `unknown_model`.
    """
    found = validated(ServeOptions, **{name: value for name, value in given.items() if value is not None})
    profile_of(found.model, read_parameters(list(found.parameters)))
    return found
