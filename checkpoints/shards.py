"""Shards: rendered scenes on disk, one file each, made once by several processes, and read back.

A file appears whole or not at all, so a run that was killed goes on where it stopped.
"""

import json
import multiprocessing
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from checkpoints.recipe import DataRecipe, Recipe
from checkpoints.scenes import SceneData, make_scene
from worldgen.errors import ConfigError

_GREY = ("edge", "edge1", "depth")
"""Controls whose three channels are one."""


@dataclass(frozen=True, slots=True)
class Item:
    """One picture sequence of a shard: a take, or a control map."""

    seed: int
    name: str
    """Member of the shard: `take/own`, `control/edge`."""
    label: str = ""
    made_by: str = ""
    captions: tuple[str, ...] = ()
    negative: str = ""


def write_shard(folder: Path, scene: SceneData) -> Path:
    """Write one scene; the file is there whole, or not."""
    arrays: dict[str, npt.NDArray[Any]] = {f"take/{t.name}": t.frames for t in scene.takes}
    for name, frames in scene.controls.items():
        arrays[f"control/{name}"] = frames[..., 0] if name in _GREY else frames
    arrays["truth/tags"] = scene.tags
    arrays["truth/depth_m"] = scene.depth_m
    arrays["facts"] = np.frombuffer(json.dumps(scene.facts()).encode(), np.uint8)
    path = path_of(folder, scene.seed)
    partly = path.with_name(f".{path.name}.{os.getpid()}.partly")
    with partly.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # numpy's stub takes a flag for arrays
    partly.replace(path)
    return path


def path_of(folder: Path, seed: int) -> Path:
    """Where a scene is or goes."""
    return folder / f"scene-{seed}.npz"


def make_shards(folder: Path, recipe: Recipe, seeds: Sequence[int], *, workers: int = 1) -> Iterator[int]:
    """Render what is not there yet; yield each seed as it is done.

    Raises:
        ConfigError: The folder holds the data of another recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claim(folder, recipe)
    missing = [seed for seed in seeds if not path_of(folder, seed).is_file()]
    work = partial(_make, folder, recipe.data)
    if workers <= 1:
        for seed in missing:
            yield work(seed)
        return
    # Spawned: a fork would share the threads' state of OpenCV.
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=40) as pool:
        yield from pool.imap_unordered(work, missing)


def _make(folder: Path, recipe: DataRecipe, seed: int) -> int:
    import cv2

    cv2.setNumThreads(1)
    write_shard(folder, make_scene(seed, recipe))
    return seed


def claim(folder: Path, recipe: Recipe) -> None:
    """Mark a folder as holding the data of a recipe.

    Raises:
        ConfigError: It holds another's.
    """
    path = folder / "recipe.json"
    if not path.is_file():
        facts = {"identity": recipe.data_identity, "data": recipe.data.model_dump(mode="json")}
        path.write_text(json.dumps(facts, indent=1) + "\n")
    held = json.loads(path.read_text())["identity"]
    if held != recipe.data_identity:
        message = f"{folder} holds the data of another recipe ({held}, not {recipe.data_identity})"
        raise ConfigError(message, reason="invalid", hint="choose another folder, or remove this one")


class Shards:
    """Scenes on disk; the most recently read pictures stay in memory.

    Args:
        folder: Of the shards.
        seeds: Of the scenes; all must be there.
        cache_bytes: Bound of what stays in memory.

    Raises:
        ConfigError: A scene is missing.
    """

    def __init__(self, folder: Path, seeds: Sequence[int], *, cache_bytes: int = 2 << 30) -> None:
        self.folder = folder
        missing = [seed for seed in seeds if not path_of(folder, seed).is_file()]
        if missing:
            message = f"{len(missing)} of {len(seeds)} scenes are not rendered, the first: {missing[0]}"
            raise ConfigError(message, reason="not_found", hint="run the data stage first")
        self.facts: dict[int, dict[str, Any]] = {}
        self.takes: list[Item] = []
        self.controls: list[Item] = []
        for seed in seeds:
            self._read_facts(seed)
        self._cache_bytes = cache_bytes
        self._held: OrderedDict[tuple[int, str], npt.NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the scenes, in order."""
        return tuple(self.facts)

    def fps(self, seed: int) -> float:
        """Rate of a scene."""
        return float(self.facts[seed]["fps"])

    def takes_of(self, seed: int) -> list[Item]:
        """Clips of one scene; its own first."""
        return [item for item in self.takes if item.seed == seed]

    def frames(self, item: Item) -> npt.NDArray[np.uint8]:
        """Read a picture sequence, uint8 [t, h, w, 3]."""
        frames = self.array(item.seed, item.name)
        return np.repeat(frames[..., None], 3, axis=-1) if frames.ndim == 3 else frames

    def array(self, seed: int, name: str) -> npt.NDArray[Any]:
        """Read one member of a shard as it is stored."""
        key = (seed, name)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        with np.load(path_of(self.folder, seed), allow_pickle=False) as shard:
            array = np.asarray(shard[name])
        with self._lock:
            if key not in self._held and array.nbytes <= self._cache_bytes:
                self._held[key] = array
                self._bytes += array.nbytes
            while self._bytes > self._cache_bytes:
                _, gone = self._held.popitem(last=False)
                self._bytes -= gone.nbytes
        return array

    def preload(self, threads: int) -> int:
        """Read pictures ahead, as many as fit in memory; return their bytes."""
        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(items := [*self.takes, *self.controls]), 64):
                part = items[start : start + 64]
                list(pool.map(lambda item: self.array(item.seed, item.name), part))
                if self._bytes > 0.9 * self._cache_bytes:
                    break
        return self._bytes

    def _read_facts(self, seed: int) -> None:
        with np.load(path_of(self.folder, seed), allow_pickle=False) as shard:
            facts = json.loads(shard["facts"].tobytes())
            names = [name for name in shard.files if name.startswith("control/")]
        self.facts[seed] = facts
        for take in facts["takes"]:
            self.takes.append(
                Item(
                    seed,
                    f"take/{take['name']}",
                    take["label"],
                    take["made_by"],
                    tuple(take["captions"]),
                    take["negative"],
                )
            )
        self.controls.extend(Item(seed, name, made_by="control") for name in names)


def train_seeds(recipe: DataRecipe) -> range:
    """Seeds of the scenes that are learnt."""
    return range(recipe.first_seed, recipe.first_seed + recipe.scenes)


def held_out_seeds(recipe: DataRecipe) -> range:
    """Seeds of the scenes that no training sees."""
    return range(recipe.held_out_first_seed, recipe.held_out_first_seed + recipe.held_out)
