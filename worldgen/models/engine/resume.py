"""Saved states: a generation that was killed goes on where it stood, and ends as if it had never stopped.

One folder per request: what each finished chunk gave, and the last saved state of the chunk under way.
Written under a temporary name and renamed, so that a kill at any moment leaves the state before. safetensors
only.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from worldgen.models.engine.loop import State

Frames = npt.NDArray[np.uint8]


@dataclass(slots=True, kw_only=True)
class Saved:
    """What a killed generation left."""

    pieces: list[Frames]
    """New frames of every finished chunk."""
    tail: Tensor | None
    """Last pixels of the last finished chunk, which the next one starts with."""
    random: Tensor
    """State of the noise generator, after the noise of `chunk` was drawn."""
    chunk: int
    """The chunk under way."""
    state: State


class Saves(Protocol):
    """Where the states of one request are kept."""

    def read(self) -> Saved | None:
        """Return what is there; None when there is nothing, or nothing whole."""
        ...

    def keep_chunk(self, chunk: int, frames: Frames, tail: Tensor | None) -> None:
        """Keep what a finished chunk gave."""
        ...

    def keep_step(self, chunk: int, state: State, random: Tensor) -> None:
        """Keep the state of the chunk under way, in place of the one before."""
        ...

    def clear(self) -> None:
        """Remove everything: the request is done."""
        ...


class NoSaves:
    """Keeps nothing."""

    def read(self) -> Saved | None:
        """Return None."""
        return None

    def keep_chunk(self, chunk: int, frames: Frames, tail: Tensor | None) -> None:
        """Do nothing."""

    def keep_step(self, chunk: int, state: State, random: Tensor) -> None:
        """Do nothing."""

    def clear(self) -> None:
        """Do nothing."""


class FolderSaves:
    """Keeps states in a folder.

    Args:
        folder: Of this request alone; made when first needed.
        request: Digest of the request; a folder with another request's states counts as empty.
    """

    def __init__(self, folder: Path, request: str) -> None:
        self._folder = folder
        self._request = request

    def read(self) -> Saved | None:
        """See `Saves.read`. A state that does not fit or is damaged is left aside, never half used."""
        try:
            return self._read()
        except (OSError, SafetensorError, KeyError, ValueError):
            return None

    def _read(self) -> Saved | None:
        held, facts = self._load("step")
        chunk = int(facts["chunk"])
        pieces, tail = [], None
        for index in range(chunk):
            piece, _ = self._load(f"chunk-{index}")
            pieces.append(piece["frames"].numpy())
            tail = piece.get("tail")
        state = State(
            step=int(facts["step"]), latents=held["latents"], scheduler=_unflat(held, facts["scheduler"])
        )
        return Saved(pieces=pieces, tail=tail, random=held["random"], chunk=chunk, state=state)

    def keep_chunk(self, chunk: int, frames: Frames, tail: Tensor | None) -> None:
        """See `Saves.keep_chunk`."""
        held = {"frames": torch.from_numpy(frames)}
        if tail is not None:
            held["tail"] = tail
        self._write(f"chunk-{chunk}", held, {})

    def keep_step(self, chunk: int, state: State, random: Tensor) -> None:
        """See `Saves.keep_step`."""
        tensors, plain = _flat(state.scheduler)
        held = {**tensors, "latents": state.latents, "random": random}
        self._write("step", held, {"chunk": chunk, "step": state.step, "scheduler": plain})

    def clear(self) -> None:
        """See `Saves.clear`."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, name: str, held: dict[str, Tensor], facts: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{name}.part"
        whole = {key: value.detach().cpu().contiguous() for key, value in held.items()}
        notes = {"request": self._request, "facts": json.dumps(facts)}
        save_file(whole, partial, metadata=notes)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(self._folder / f"{name}.safetensors")

    def _load(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        path = self._folder / f"{name}.safetensors"
        if not path.is_file():
            raise FileNotFoundError(path)
        with safe_open(path, framework="pt") as stream:
            notes = stream.metadata() or {}
        if notes.get("request") != self._request:
            message = f"{path} belongs to another request"
            raise ValueError(message)
        return load_file(path), json.loads(notes["facts"])


def _flat(memory: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split a scheduler's memory into tensors and plain values; lists may hold either and None."""
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for name, value in memory.items():
        if isinstance(value, list):
            plain[name] = {"length": len(value)}
            tensors |= {f"{name}.{i}": v for i, v in enumerate(value) if v is not None}
        elif isinstance(value, Tensor):
            tensors[name] = value
        else:
            plain[name] = value
    return tensors, plain


def _unflat(held: dict[str, Tensor], plain: dict[str, Any]) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    for name, value in plain.items():
        if isinstance(value, dict):
            memory[name] = [held.get(f"{name}.{i}") for i in range(value["length"])]
        else:
            memory[name] = value
    alone = {k: v for k, v in held.items() if k not in ("latents", "random") and "." not in k}
    return memory | alone
