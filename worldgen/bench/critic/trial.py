"""A trial: one candidate encoded as users get it, and judged; blind to who made it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

import numpy as np

from worldgen.bench.critic.goods import goods_of
from worldgen.bench.critic.planted import PLANTED
from worldgen.bench.critic.scene import Frames, TestScene, is_visible
from worldgen.bench.critic.split import HELD_OUT_GOODS, is_held_out
from worldgen.bench.critic.staged import STAGED
from worldgen.critic.build import build_critic
from worldgen.datatypes import Case, Clip, Condition, Geometry, GeometryRef, Labels, Spec, VideoRef
from worldgen.media.scratch import Scratch
from worldgen.media.video import write_video


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one candidate."""

    seed: int
    kind: str
    """Generator of a good, or kind of a defect."""
    strength: int
    """1 weak to 3 strong; 0 for goods."""
    is_good: bool
    held_out: bool
    """No threshold saw its kind (or generator)."""
    asked: str
    verdict: str
    recognised: str
    failed: tuple[str, ...]
    """Checks that failed."""


MAKERS = {**PLANTED, **STAGED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What every candidate of one source is judged against."""

    source: VideoRef
    geometry: GeometryRef
    labels: Labels | None
    condition: Condition
    fps: float


Judged: TypeAlias = tuple[str, str, tuple[str, ...]]
"""State of the verdict, condition that was recognised, checks that rejected."""


class Bench:
    """Judges the goods and defects of scenes."""

    def __init__(self, folder: Path) -> None:
        self.scratch = Scratch(folder, max_bytes=512 << 20)
        self.critic = build_critic(self.scratch)

    def run(self, seed: int, kinds: tuple[str, ...], *, goods: bool = True) -> list[Trial]:
        """Try the goods of one scene and the named kinds of defects, each at one strength.

        The strength is drawn for each scene and kind, so that all three are tried about equally often.
        """
        scene = TestScene(seed)
        drive = scene.drive
        case = self.case_of(drive.clip, drive.geometry, drive.labels, drive.condition)
        trials = []
        if goods:
            rng = np.random.default_rng(seed)
            for good in goods_of(scene, rng):
                verdict = self.judge(case, good.frames, good.spec, good.crf)
                held = good.generator in HELD_OUT_GOODS
                trials.append(self.trial(seed, good.generator, 0, True, held, good.spec, verdict))
        for index, kind in enumerate(kinds):
            strength = 1 + crc32(f"{seed}:{kind}".encode()) % 3
            rng = np.random.default_rng([seed, index])
            frames = MAKERS[kind](scene, strength, rng)
            if frames is None or not is_visible(scene.painted, frames):
                continue
            verdict = self.judge(case, frames, scene.spec, 18)
            trials.append(self.trial(seed, kind, strength, False, is_held_out(kind), scene.spec, verdict))
        return trials

    def case_of(self, clip: Clip, geometry: Geometry, labels: Labels | None, condition: Condition) -> Given:
        """Put down what every candidate of one source is judged against."""
        return Given(
            source=self.scratch.put_clip(clip),
            geometry=self.scratch.put_geometry(geometry),
            labels=labels,
            condition=condition,
            fps=clip.fps,
        )

    def judge(self, given: Given, frames: Frames, spec: Spec | None, crf: int) -> Judged:
        """Encode a candidate as users get it, and judge the file."""
        with tempfile.TemporaryDirectory(dir=self.scratch.root) as folder:
            candidate = write_video(Path(folder) / "c.mp4", frames, fps=given.fps, crf=crf)
            case = Case(
                source=given.source,
                geometry=given.geometry,
                candidate=candidate,
                spec=spec,
                condition=given.condition,
                labels=given.labels,
            )
            verdict = self.critic.judge(case)
        failed = tuple(f.check for f in verdict.findings if f.passed is False and f.severity == "reject")
        return verdict.state, verdict.recognised, failed

    @staticmethod
    def trial(
        seed: int,
        kind: str,
        strength: int,
        is_good: bool,
        held_out: bool,
        spec: Spec | None,
        verdict: Judged,
    ) -> Trial:
        """Note what came of a candidate."""
        return Trial(
            seed=seed,
            kind=kind,
            strength=strength,
            is_good=is_good,
            held_out=held_out,
            asked=(spec.asks_for or "") if spec else "",
            verdict=verdict[0],
            recognised=verdict[1],
            failed=verdict[2],
        )
