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

from worldgen.errors import disk_errors
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
    """State of the noise generator: after the noise of the chunk under way, or before it without `state`."""
    state: State | None
    """Of the chunk under way, the one after `pieces`."""


class Saves(Protocol):
    """Where the states of one request are kept."""

    def read(self) -> Saved | None:
        """Return what is there; None when there is nothing, or nothing whole."""
        ...

    def keep_chunk(self, chunk: int, frames: Frames, tail: Tensor | None, random: Tensor) -> None:
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

    def keep_chunk(self, chunk: int, frames: Frames, tail: Tensor | None, random: Tensor) -> None:
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
        pieces: list[Frames] = []
        tail, random, state = None, None, None
        while self._path(f"chunk-{len(pieces)}").is_file():
            piece, _ = self._load(f"chunk-{len(pieces)}")
            pieces.append(piece["frames"].numpy())
            tail, random = piece.get("tail"), piece["random"]
        if self._path("step").is_file():
            held, facts = self._load("step")
            if int(facts["chunk"]) == len(pieces):  # Else it is of a chunk that is finished.
                random = held["random"]
                memory = _unflat(held, facts["scheduler"])
                state = State(step=int(facts["step"]), latents=held["latents"], scheduler=memory)
        if random is None:
            return None
        return Saved(pieces=pieces, tail=tail, random=random, state=state)

    def keep_chunk(self, chunk: int, frames: Frames, tail: Tensor | None, random: Tensor) -> None:
        """See `Saves.keep_chunk`."""
        held = {"frames": torch.from_numpy(frames), "random": random}
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
        partial = self._folder / f"{name}.part"
        whole = {key: value.detach().cpu().contiguous() for key, value in held.items()}
        notes = {"request": self._request, "facts": json.dumps(facts)}
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            save_file(whole, partial, metadata=notes)
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            partial.replace(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"

    def _load(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        path = self._path(name)
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
