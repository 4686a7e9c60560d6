"""The scratch: what it keeps in memory, and what it does not."""

from pathlib import Path

import numpy as np
import pytest

from worldgen.datatypes import VideoRef
from worldgen.media.scratch import Scratch
from worldgen.media.video import ref_of, write_video


def video(folder: Path, seed: int) -> VideoRef:
    path = folder / f"{seed}.mp4"
    write_video(path, np.random.default_rng(seed).integers(0, 256, (4, 36, 64, 3), dtype=np.uint8), fps=10.0)
    return ref_of(path, trusted=True)


@pytest.fixture
def videos(tmp_path: Path) -> list[VideoRef]:
    return [video(tmp_path, seed) for seed in range(4)]


def test_what_is_asked_for_again_is_decoded_once(tmp_path: Path, videos: list[VideoRef]) -> None:
    scratch = Scratch(tmp_path / "s")
    first = scratch.clip(videos[0])
    assert scratch.clip(videos[0]) is first
    assert scratch.reads == 1


def test_what_is_read_for_once_pushes_nothing_out(tmp_path: Path, videos: list[VideoRef]) -> None:
    scratch = Scratch(tmp_path / "s")
    kept = scratch.clip(videos[0])
    for ref in videos[1:]:
        scratch.clip(ref, keep=False)
        scratch.clip(ref, keep=False)
    assert scratch.reads == 7
    assert scratch.clip(videos[0], keep=False) is kept, "one that is kept already is not read again"
    assert scratch.reads == 7


def test_the_memory_is_bounded_and_the_longest_unused_leaves_first(
    tmp_path: Path, videos: list[VideoRef]
) -> None:
    one = 4 * 36 * 64 * 3
    scratch = Scratch(tmp_path / "s", max_bytes=2 * one)
    a, b = scratch.clip(videos[0]), scratch.clip(videos[1])
    assert scratch.clip(videos[0]) is a
    scratch.clip(videos[2])
    assert scratch.clip(videos[0]) is a
    assert scratch.clip(videos[1]) is not b
