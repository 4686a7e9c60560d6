"""A fake source: a small drawn drive whose every frame is known, as a real file on disk.

It goes through the same probing and decoding as a user's file. For people who try the pipeline without a
clip, and for tests; the proving ground is the one with geometry and labels.
"""

from pathlib import Path

import numpy as np

from worldgen.datatypes import Clip, Source
from worldgen.media.limits import Limits
from worldgen.media.video import write_video
from worldgen.sources.open import open_source

_SKY = (165, 195, 225)
_GROUND = (95, 100, 90)
_ROAD = (70, 70, 74)
_LINE = (225, 225, 220)


def fake_clip(
    frames: int = 17, width: int = 256, height: int = 144, *, fps: float = 10.0, seed: int = 0
) -> Clip:
    """Draw a straight road with moving dashes and boxes beside it.

    Args:
        frames: How many.
        width: In pixels.
        height: In pixels.
        fps: Rate; the ego drives 1 m per frame.
        seed: Decides the boxes; the same seed draws the same pixels.
    """
    rows = np.arange(height)[:, None] - 0.45 * height
    # A camera 1.5 m above a flat road, horizon at 45 % of the height.
    focal = 0.8 * width
    ahead = np.where(rows > 0.5, 1.5 * focal / np.maximum(rows, 0.5), np.inf)
    with np.errstate(invalid="ignore"):
        aside = (np.arange(width)[None, :] - width / 2) * ahead / focal
    boxes = _boxes(np.random.default_rng(seed))
    pictures = np.stack([_draw(i, ahead, aside, focal, boxes, (height, width)) for i in range(frames)])
    return Clip(frames=pictures, timestamps_seconds=np.arange(frames) / fps, fps=fps)


def fake_source(
    folder: Path, *, name: str = "fake.mp4", seed: int = 0, limits: Limits | None = None
) -> Source:
    """Write a fake clip as a video file and open it like any other."""
    clip = fake_clip(seed=seed)
    write_video(folder / name, clip.frames, fps=clip.fps)
    return open_source(folder / name, limits=limits)


def _boxes(random: np.random.Generator) -> list[tuple[float, float, float, tuple[int, ...]]]:
    """Choose distance and offset of boxes, their height in metres, and colour."""
    return [
        (
            float(8 + 6 * i + random.uniform(0, 4)),
            float(random.choice([-1, 1]) * random.uniform(4.5, 8)),
            float(random.uniform(1.5, 6)),
            tuple(int(c) for c in random.integers(40, 220, 3)),
        )
        for i in range(8)
    ]


def _draw(
    index: int,
    ahead: np.ndarray,
    aside: np.ndarray,
    focal: float,
    boxes: list[tuple[float, float, float, tuple[int, ...]]],
    size: tuple[int, int],
) -> np.ndarray:
    height, width = size
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = _SKY
    is_ground = np.broadcast_to(np.isfinite(ahead), (height, width))
    picture[is_ground] = _GROUND
    with np.errstate(invalid="ignore"):
        is_road = is_ground & (np.abs(aside) < 3.5)
        is_dash = is_road & (np.abs(aside) < 0.12) & (np.mod(ahead + index, 6.0) < 3.0)
    picture[is_road] = _ROAD
    picture[is_dash] = _LINE
    for distance, offset, tall, colour in sorted(boxes, reverse=True):
        z = distance - index
        if z < 2.0:
            z += 48.0
        foot = 0.45 * height + 1.5 * focal / z
        left = width / 2 + (offset - 0.9) * focal / z
        right = width / 2 + (offset + 0.9) * focal / z
        rows = slice(max(0, round(foot - tall * focal / z)), max(0, round(foot)))
        picture[rows, max(0, round(left)) : max(0, round(right))] = colour
    return picture
