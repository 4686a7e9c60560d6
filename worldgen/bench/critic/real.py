"""Real clips: goods and defects that need no simulator, on windows of clips that somebody filmed.

The clip is the unit. With two clips nothing is claimed about others: shares are reported, intervals are not.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from worldgen.bench.critic.goods import Good, re_graded
from worldgen.bench.critic.pictured import PICTURED
from worldgen.bench.critic.scene import FRAMES, Frames, asked_specs, is_visible
from worldgen.bench.critic.split import is_held_out
from worldgen.bench.critic.trial import Bench, Trial
from worldgen.controls.from_clip import estimate_geometry
from worldgen.datatypes import Clip, Condition, Geometry, Spec
from worldgen.imaging.condition import estimate_condition
from worldgen.media.video import read_clip
from worldgen.models.physics import render_frames

WIDTH = 640
"""Windows are shrunk to this width, which is what the critic works at."""
WINDOWS = 3
"""Of each clip, evenly spread."""


def real_folder() -> Path | None:
    """Return the folder named by WORLDGEN_REAL_CLIPS, if it has clips/*.mp4."""
    named = os.environ.get("WORLDGEN_REAL_CLIPS")
    if not named or not any((Path(named) / "clips").glob("*.mp4")):
        return None
    return Path(named)


@dataclass(eq=False)
class Window:
    """A window of a real clip, its estimated geometry and condition, and the spec that is asked of it."""

    clip: Clip
    geometry: Geometry
    condition: Condition
    spec: Spec
    other_spec: Spec
    elsewhere: "Window | None" = None
    """A window of another clip, for what belongs elsewhere."""

    @property
    def source_frames(self) -> Frames:
        """Frames of the source."""
        return np.asarray(self.clip.frames)

    @cached_property
    def painted(self) -> Frames:
        """Weather physics on the source."""
        return self.paint(self.spec)

    @property
    def painted_otherwise(self) -> Frames:
        """Another condition, painted on the source."""
        return self.paint(self.other_spec)

    @property
    def painted_elsewhere(self) -> Frames:
        """The asked condition on the other clip's window, at this window's size."""
        other = (self.elsewhere or self).paint(self.spec)
        return np.stack([np.asarray(cv2.resize(f, self.clip.size)) for f in other])

    def paint(self, spec: Spec) -> Frames:
        """Paint a condition with the estimated geometry."""
        return np.stack(list(render_frames(self.clip, self.geometry, spec, self.condition, spec.seed)))


def windows_of(path: Path) -> list[Clip]:
    """Cut evenly spread windows of FRAMES frames, WIDTH pixels wide."""
    whole = read_clip(path)
    width, height = whole.size
    size = (WIDTH, round(height * WIDTH / width / 2) * 2) if width > WIDTH else whole.size
    firsts = np.linspace(0, len(whole) - FRAMES, WINDOWS).round().astype(int)
    found = []
    for first in firsts:
        part = whole.frames[first : first + FRAMES]
        frames = np.stack([np.asarray(cv2.resize(f, size, interpolation=cv2.INTER_AREA)) for f in part])
        times = np.asarray(whole.timestamps_seconds[first : first + FRAMES])
        found.append(
            Clip(frames=frames, timestamps_seconds=times - times[0], fps=whole.fps, camera=path.stem)
        )
    return found


def erased_box(window: Window, strength: int, rng: np.random.Generator) -> Frames | None:
    """A box of the picture is painted over, in every frame."""
    side = (32, 56, 88)[strength - 1]
    height, width = window.painted.shape[1:3]
    top, left = int(rng.integers(height // 3, height - side)), int(rng.integers(0, width - side))
    mask = np.zeros((height, width), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return np.stack([np.asarray(cv2.inpaint(f, mask, 5, cv2.INPAINT_TELEA)) for f in window.painted])


def goods_of(window: Window, rng: np.random.Generator) -> Iterator[Good]:
    """Make the goods of a window: physics, the same recompressed, a re-encode and a grading."""
    yield Good(generator="physics", frames=window.painted, spec=window.spec)
    crf = int(rng.integers(23, 29))
    yield Good(generator="physics_recompressed", frames=window.painted, spec=window.spec, crf=crf)
    yield Good(generator="re_encoded", frames=window.source_frames, spec=None, crf=int(rng.integers(18, 36)))
    yield Good(generator="graded", frames=re_graded(window.source_frames, rng), spec=None)


def window_count(folder: Path) -> int:
    """Count the windows of a folder with clips/*.mp4."""
    return WINDOWS * len(_clips(folder))


def run_window(bench: Bench, folder: Path, number: int) -> Iterator[Trial]:
    """Try every asked condition on one window: its goods, and the kinds of defects in turn.

    Args:
        bench: Judges.
        folder: With clips/*.mp4.
        number: Of the window, from 0 to `window_count`.
    """
    paths = _clips(folder)
    c, w = divmod(number, WINDOWS)
    clip, other = windows_of(paths[c])[w], windows_of(paths[(c + 1) % len(paths)])[w]
    geometry = estimate_geometry(clip)
    condition = estimate_condition(clip, geometry)
    specs = asked_specs()
    away = Window(other, estimate_geometry(other), condition, specs[0], specs[0])
    names = (*sorted(PICTURED), "erased_box")
    each = -(-len(names) // 4)
    for k, spec in enumerate(specs):
        seed = 100 * c + 10 * w + k
        window = Window(
            clip,
            geometry,
            condition,
            spec.model_copy(update={"seed": seed}),
            specs[(k + 3) % len(specs)],
            away,
        )
        turn = each * (number * len(specs) + k)
        yield from _try(bench, window, seed, tuple(names[(turn + i) % len(names)] for i in range(each)))


def _clips(folder: Path) -> list[Path]:
    return sorted((folder / "clips").glob("*.mp4"))


def _try(bench: Bench, window: Window, seed: int, kinds: tuple[str, ...]) -> Iterator[Trial]:
    case = bench.case_of(window.clip, window.geometry, None, window.condition)
    rng = np.random.default_rng(seed)
    for good in goods_of(window, rng):
        verdict = bench.judge(case, good.frames, good.spec, good.crf)
        yield bench.trial(seed, good.generator, 0, True, False, good.spec, verdict)
    for index, kind in enumerate(kinds):
        strength = 1 + (seed + index) % 3
        rng = np.random.default_rng([seed, index])
        frames = (
            erased_box(window, strength, rng)
            if kind == "erased_box"
            else PICTURED[kind](window, strength, rng)
        )
        if frames is None or not is_visible(window.painted, frames):
            continue
        verdict = bench.judge(case, frames, window.spec, 18)
        yield bench.trial(seed, kind, strength, False, is_held_out(kind), window.spec, verdict)
