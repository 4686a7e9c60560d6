"""Placement: where a checkpoint computes, in which numbers, and what waits on the host."""

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from worldgen.errors import ConfigError
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import load
from worldgen.models.cosmos3.settings import PlacementSettings
from worldgen.models.engine.threads import threads_for

DTYPES: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Everything about the machine that can change a result or its speed."""

    device: str
    dtype: str
    attention: str
    offload: str
    compile: bool
    vae_tiling: bool
    threads: int
    """Of torch on the host, 1 or more."""

    def facts(self) -> dict[str, float | str]:
        """Tell it for provenance, versions included."""
        import diffusers

        return {
            "device": self.device,
            "dtype": self.dtype,
            "attention": self.attention or "native",
            "offload": self.offload,
            "compile": str(self.compile).lower(),
            "vae_tiling": str(self.vae_tiling).lower(),
            "threads": float(self.threads),
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
        }


def placement_of(parameters: dict[str, Any]) -> Placement:
    """Read a plan's parameters; an empty device and no number of threads become those there are.

    Raises:
        ConfigError: `invalid` for a word that does not exist, `not_permitted` for a GPU that is not there,
            `missing_extra` for an attention backend whose package is not.
    """
    given = {name: parameters[name] for name in PlacementSettings.model_fields if name in parameters}
    try:
        asked = PlacementSettings.model_validate(given)
    except ValueError as exc:
        message = f"the placement cannot be read: {exc}"
        raise ConfigError(message, reason="invalid") from exc
    device = asked.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        message = f"device {device} was asked for, and torch finds no GPU"
        raise ConfigError(message, reason="not_permitted", hint="set device=cpu, or look at the driver")
    check_attention(asked.attention)
    found = {"device": device, "threads": threads_for(asked.threads)}
    return Placement(**(asked.model_dump() | found))


def build_engine(folder: Path, placement: Placement, *, cache_bytes: int) -> Cosmos3Engine:
    """Load a checkpoint as the placement says.

    Raises:
        WeightsError: See `worldgen.models.cosmos3.load.load`.
    """
    held = "cpu" if placement.offload != "none" else placement.device
    parts = load(folder, dtype=DTYPES[placement.dtype], device=held)
    if placement.vae_tiling:
        parts.vae.enable_tiling()
    engine = Cosmos3Engine(parts, cache_bytes=cache_bytes, attention=placement.attention or None)
    if placement.offload != "none":
        _offload(engine, placement)
    if placement.compile:
        for layer in engine.network.generation.layers:
            layer.compile()
    return engine


def free_memory() -> None:
    """Give back what no tensor holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _offload(engine: Cosmos3Engine, placement: Placement) -> None:
    """Leave on the host what is not needed all the time; accelerate's hooks bring each layer in for its turn.

    The text tower and the embedding are needed once per text, so they always wait; with `layers`, so do the
    layers of the generation tower. What is small stays on the device.
    """
    from accelerate import cpu_offload

    device = torch.device(placement.device)
    network = engine.network.network
    for part in ("rotary_emb", "proj_in", "proj_out", "time_proj", "time_embedder", "norm_moe_gen"):
        getattr(network, part).to(device)
    engine.parts.vae.to(device)
    for layer in engine.network.understanding.layers:
        cpu_offload(layer, execution_device=device)
    cpu_offload(engine.network.understanding.embed, execution_device=device)
    for layer in engine.network.generation.layers:
        if placement.offload == "layers":
            cpu_offload(layer, execution_device=device)
        else:
            layer.to(device)
    engine.network.place(device)


def check_attention(name: str) -> None:
    """Refuse an attention backend that cannot be used here; empty is torch's own.

    Raises:
        ConfigError: `invalid` for a name that diffusers does not know, `missing_extra` for one whose package
            is not installed.
    """
    from diffusers.models.attention_dispatch import (
        AttentionBackendName,
        _check_attention_backend_requirements,
    )

    known = [backend.value for backend in AttentionBackendName]
    if name and name not in known:
        message = f"diffusers knows no attention backend {name!r}; it knows: {', '.join(known)}"
        raise ConfigError(message, reason="invalid")
    if name:
        try:
            _check_attention_backend_requirements(AttentionBackendName(name))
        except (RuntimeError, ImportError) as error:
            raise ConfigError(str(error), reason="missing_extra", hint="or leave attention empty") from error
