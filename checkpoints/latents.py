"""Latents: every clip and control map through the finished VAE, once; and what normalises them."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from checkpoints.coder import encode, pixels_of
from checkpoints.shards import Item, Shards
from worldgen.errors import ConfigError

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and spread of raw latents, per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def normalise(self, raw: Tensor) -> Tensor:
        """Bring latents [..., c, t, h, w] to mean 0 and spread 1."""
        mean, std = self._shaped(raw)
        return (raw - mean) / std

    def restore(self, latents: Tensor) -> Tensor:
        """Undo `normalise`."""
        mean, std = self._shaped(latents)
        return latents * std + mean

    def _shaped(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return (
            torch.tensor(self.mean, device=like.device).view(-1, 1, 1, 1),
            torch.tensor(self.std, device=like.device).view(-1, 1, 1, 1),
        )


def encode_all(
    folder: Path, vae: "AutoencoderKLWan", shards: Shards, *, identity: str, device: torch.device
) -> Iterator[int]:
    """Encode every scene that is not there yet; yield each seed as it is done.

    Args:
        folder: One file per scene goes there.
        vae: Finished; used in the type it has, as production will.
        shards: Scenes.
        identity: Of the VAE; latents of another one are not mixed in.
        device: Where the VAE is.

    Raises:
        ConfigError: The folder holds latents of another VAE.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, identity)
    for seed in shards.seeds:
        path = folder / f"latents-{seed}.npz"
        if path.is_file():
            continue
        items = [i for i in (*shards.takes, *shards.controls) if i.seed == seed]
        arrays = {item.name: _encoded(vae, shards.frames(item), device) for item in items}
        partly = path.with_name(f".{path.name}.{os.getpid()}.partly")
        with partly.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy's stub takes a flag for arrays
        partly.replace(path)
        yield seed


@torch.no_grad()
def _encoded(
    vae: "AutoencoderKLWan", frames: npt.NDArray[np.uint8], device: torch.device
) -> npt.NDArray[np.float16]:
    kind = next(vae.parameters()).dtype
    raw = encode(vae, pixels_of([frames], device).to(kind))
    return raw[0].float().cpu().numpy().astype(np.float16)


def _claim(folder: Path, identity: str) -> None:
    path = folder / "coder.json"
    if not path.is_file():
        path.write_text(json.dumps({"identity": identity}) + "\n")
    held = json.loads(path.read_text())["identity"]
    if held != identity:
        message = f"{folder} holds latents of another VAE ({held}, not {identity})"
        raise ConfigError(message, reason="invalid", hint="remove that folder, or train elsewhere")


class Latents:
    """All latents of some scenes, in memory: a few hundred megabytes.

    Args:
        folder: As `encode_all` wrote it.
        seeds: Of the scenes.
    """

    def __init__(self, folder: Path, seeds: tuple[int, ...]) -> None:
        self._held: dict[tuple[int, str], npt.NDArray[np.float16]] = {}
        for seed in seeds:
            with np.load(folder / f"latents-{seed}.npz", allow_pickle=False) as shard:
                self._held |= {(seed, name): shard[name] for name in shard.files}

    def of(self, item: Item) -> npt.NDArray[np.float16]:
        """Return raw latents [c, t, h, w]."""
        return self._held[item.seed, item.name]

    def named(self, seed: int, name: str) -> npt.NDArray[np.float16]:
        """Return raw latents [c, t, h, w] of one member of a scene."""
        return self._held[seed, name]

    def statistics(self) -> Statistics:
        """Measure mean and spread over all clips; controls are not counted: what is made has spread 1."""
        total, squares, count = 0.0, 0.0, 0
        for (_, name), raw in self._held.items():
            if name.startswith("take/"):
                flat = raw.astype(np.float64).reshape(len(raw), -1)
                total, squares = total + flat.sum(1), squares + (flat**2).sum(1)
                count += flat.shape[1]
        mean = np.asarray(total) / count
        std = np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, 1e-8))
        return Statistics(tuple(np.round(mean, 5).tolist()), tuple(np.round(std, 5).tolist()))
