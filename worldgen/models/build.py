"""Build: from a name to a world model. Profiles are read without loading anything."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from worldgen.datatypes import ModelProfile
from worldgen.errors import ContractError
from worldgen.media.scratch import Scratch
from worldgen.models.fake import FAKE_PROFILE, FakeWorldModel
from worldgen.models.parameters import set_parameters
from worldgen.models.physics.model import PROFILE as PHYSICS_PROFILE
from worldgen.models.physics.model import PhysicsWorldModel
from worldgen.models.protocol import WorldModel

Parameters: TypeAlias = Mapping[str, float | int | str | bool]

_MODELS: Final[dict[str, tuple[ModelProfile, Callable[[Scratch], WorldModel]]]] = {
    "physics": (PHYSICS_PROFILE, PhysicsWorldModel),
    "fake": (FAKE_PROFILE, FakeWorldModel),
}


def profiles() -> list[ModelProfile]:
    """Every world model that this installation can build."""
    return [profile for profile, _ in _MODELS.values()]


def profile_of(name: str, parameters: Parameters | None = None) -> ModelProfile:
    """Facts about one world model, without building it.

    Args:
        name: Of the model.
        parameters: Replace its own; text is read as the type of the parameter.

    Raises:
        ContractError: `unknown_model`, naming those there are; `parameters` for one that it does not have.
    """
    return set_parameters(_entry(name)[0], parameters or {})


def build_model(name: str, scratch: Scratch, parameters: Parameters | None = None) -> WorldModel:
    """Build a world model over a scratch store.

    Raises:
        ContractError: As `profile_of`.
    """
    profile = profile_of(name, parameters)
    model = _entry(name)[1](scratch)
    model.profile = profile
    return model


def _entry(name: str) -> tuple[ModelProfile, Callable[[Scratch], WorldModel]]:
    found = _MODELS.get(name)
    if found is None:
        message = f"there is no world model {name!r}; there are: {', '.join(_MODELS)}"
        raise ContractError(message, reason="unknown_model")
    return found
