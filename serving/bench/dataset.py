"""The datasets of a load: clips of the proving ground with the specs that are asked of each."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from worldgen.config.presets import find_preset
from worldgen.media.video import write_video
from worldgen.sources.proving_ground import render_drive

DatasetName: TypeAlias = Literal["carla18", "random"]
DATASETS: Final[tuple[str, ...]] = get_args(DatasetName)

CARLA18: Final = ("carla18",)
_DRIVE: Final = 7
_FPS: Final = 10.0
_SIZES: Final = ((128, 72), (160, 96), (192, 108), (256, 144))
_CLIPS: Final = 4
_MOST_SPECS: Final = 3


@dataclass(frozen=True, slots=True)
class Item:
    """What one job asks for."""

    clip: Path
    specs: tuple[str, ...]
    seed: int


def drive_clip(path: Path) -> Path:
    """Write the clip that is measured on: 17 frames of 256x144."""
    write_video(path, render_drive(_DRIVE).clip.frames, fps=_FPS)
    return path


def items_of(name: DatasetName, folder: Path, seed: int) -> Iterator[Item]:
    """Yield jobs without end, no two of the same variants.

    Args:
        name: ``carla18``: one clip and the 18 specs, under ever new seeds. ``random``: small clips of four
            sizes and 5 to 13 frames, one to three specs each.
        folder: For the clips.
        seed: Same seed, same jobs.
    """
    if name == "carla18":
        clip = drive_clip(folder / "drive.mp4")
        return (Item(clip, CARLA18, seed + number) for number in itertools.count())
    return _random_items(folder, seed)


def _random_items(folder: Path, seed: int) -> Iterator[Item]:
    random = np.random.default_rng(seed)
    words = [spec.name.replace("_", " ") for spec in find_preset("carla18").specs]
    clips = []
    for number in range(_CLIPS):
        clip = folder / f"random{number}.mp4"
        frames = int(random.integers(5, 14))
        drive = render_drive(int(random.integers(1000)), frames=frames, size=_SIZES[number])
        write_video(clip, drive.clip.frames, fps=_FPS)
        clips.append(clip)
    for number in itertools.count():
        count = int(random.integers(1, _MOST_SPECS + 1))
        specs = tuple(str(word) for word in random.choice(words, count, replace=False))
        yield Item(clips[int(random.integers(_CLIPS))], specs, seed + number)
