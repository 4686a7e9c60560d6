"""Build: from a name to a world model. Profiles are read without loading anything."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from worldgen.datatypes import ModelProfile
from worldgen.errors import ConfigError, ContractError, WeightsError
from worldgen.media.scratch import Scratch
from worldgen.models.cosmos3.memory import demand_of, estimate_memory
from worldgen.models.cosmos3.settings import settings_of
from worldgen.models.cosmos3.shape import shape_of
from worldgen.models.fake import FAKE_PROFILE, FakeWorldModel
from worldgen.models.guardrail import GuardedWorldModel, build_guardrail
from worldgen.models.parameters import set_parameters
from worldgen.models.physics.model import PROFILE as PHYSICS_PROFILE
from worldgen.models.physics.model import PhysicsWorldModel
from worldgen.models.protocol import WorldModel
from worldgen.weights import find

if TYPE_CHECKING:
    from worldgen.models.cosmos3.model import Cosmos3WorldModel

Parameters: TypeAlias = Mapping[str, float | int | str | bool]
Build: TypeAlias = Callable[[Scratch, ModelProfile], WorldModel]


def _cosmos3(scratch: Scratch, profile: ModelProfile) -> "Cosmos3WorldModel":
    _need_torch(profile.name)
    from worldgen.models.cosmos3.model import Cosmos3WorldModel

    return Cosmos3WorldModel(scratch, profile, settings_of(profile.name).weights)


def _need_torch(name: str) -> None:
    try:
        import diffusers  # noqa: F401 -- whether it is here
        import torch  # noqa: F401
    except ImportError as exc:
        message = f"{name} needs torch and diffusers: {exc}"
        hint = "pip install 'worldgen[models]'"
        raise ConfigError(message, reason="missing_extra", hint=hint) from exc


_MODELS: Final[dict[str, tuple[Callable[[str], ModelProfile], Build]]] = {
    "physics": (lambda _: PHYSICS_PROFILE, lambda scratch, _: PhysicsWorldModel(scratch)),
    "fake": (lambda _: FAKE_PROFILE, lambda scratch, _: FakeWorldModel(scratch)),
    "cosmos3-nano": (lambda name: settings_of(name).profile(name), _cosmos3),
    "cosmos3-super": (lambda name: settings_of(name).profile(name), _cosmos3),
    "cosmos3-embedded": (lambda name: settings_of(name).profile(name), _cosmos3),
}


def profiles() -> list[ModelProfile]:
    """Every world model that this installation knows; the weights of some may have to be pulled first."""
    return [profile(name) for name, (profile, _) in _MODELS.items()]


def profile_of(name: str, parameters: Parameters | None = None) -> ModelProfile:
    """Facts about one world model, without building it.

    Args:
        name: Of the model.
        parameters: Replace its own; text is read as the type of the parameter.

    Raises:
        ContractError: `unknown_model`, naming those there are; `parameters` for one that it does not have.
    """
    return set_parameters(_entry(name)[0](name), parameters or {})


def build_model(name: str, scratch: Scratch, parameters: Parameters | None = None) -> WorldModel:
    """Build a world model over a scratch store.

    Raises:
        ContractError: As `profile_of`.
        ConfigError: `missing_extra` for a model whose libraries are not installed.
        WeightsError: For one whose weights are not here, with the command that fetches them.
    """
    profile = profile_of(name, parameters)
    model = _entry(name)[1](scratch, profile)
    model.profile = profile
    if "guardrail" not in profile.parameters:
        return model
    parameters = profile.parameters
    guardrail = build_guardrail(str(parameters["guardrail"]), str(parameters.get("device", "")))
    return GuardedWorldModel(model, guardrail, scratch)


def rollout_profile(name: str, parameters: Parameters | None = None) -> ModelProfile:
    """Facts about a world model that makes rollouts.

    Raises:
        ContractError: `needs` for one that makes none; else as `profile_of`.
        ConfigError: `missing_extra`: torch or diffusers is not installed.
    """
    profile = profile_of(name, parameters)
    if profile.kind != "diffusion":
        message = f"{profile.name} makes no rollouts"
        raise ContractError(message, reason="needs", hint="cosmos3-nano and cosmos3-super do")
    _need_torch(name)
    return profile


def build_rollout_model(
    name: str, scratch: Scratch, parameters: Parameters | None = None
) -> "Cosmos3WorldModel":
    """Build a world model that makes rollouts; its weights are found as `build_model` finds them.

    Raises:
        ContractError: As `rollout_profile`.
        ConfigError: As `rollout_profile`.
        WeightsError: As `build_model`.
    """
    return _cosmos3(scratch, rollout_profile(name, parameters))


def memory_estimate(
    profile: ModelProfile, parameters: Parameters, *, size: tuple[int, int], frames: int, hints: int
) -> dict[str, float] | None:
    """Estimate what a generation needs, in GiB by part; None for a model without weights.

    Args:
        profile: Of the model.
        parameters: Of the plan: the preset is filled in.
        size: Width and height of the model's frames.
        frames: Of the whole clip.
        hints: Control maps that count.
    """
    if profile.kind != "diffusion":
        return None
    settings = settings_of(profile.name)
    try:
        shape = shape_of(find(settings.weights))
    except WeightsError:
        shape = settings.shape
    asked = demand_of(parameters, size=size, frames=frames, hints=hints)
    return estimate_memory(shape, asked).facts()


def _entry(name: str) -> tuple[Callable[[str], ModelProfile], Build]:
    found = _MODELS.get(name)
    if found is None:
        message = f"there is no world model {name!r}; there are: {', '.join(_MODELS)}"
        raise ContractError(message, reason="unknown_model")
    return found
