"""A trial: one candidate encoded as users get it, and judged; blind to who made it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgen.bench.critic.goods import goods_of
from worldgen.bench.critic.planted import PLANTED
from worldgen.bench.critic.scene import FPS, Frames, TestScene, is_visible
from worldgen.bench.critic.split import HELD_OUT_GOODS, is_held_out
from worldgen.bench.critic.staged import STAGED
from worldgen.critic.build import build_critic
from worldgen.datatypes import Case, GeometryRef, Labels, Spec, VideoRef
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


class Bench:
    """Judges the goods and defects of scenes."""

    def __init__(self, folder: Path) -> None:
        self.scratch = Scratch(folder, max_bytes=512 << 20)
        self.critic = build_critic(self.scratch)

    def run(self, seed: int, kinds: tuple[str, ...], *, goods: bool = True) -> list[Trial]:
        """Try the goods of one scene and the named kinds of defects, each at one strength.

        Strengths go round over seeds and kinds, so that each is tried equally often.
        """
        scene = TestScene(seed)
        source = self.scratch.put_clip(scene.drive.clip)
        geometry = self.scratch.put_geometry(scene.drive.geometry)
        labels = scene.drive.labels
        trials = []
        if goods:
            rng = np.random.default_rng(seed)
            for good in goods_of(scene, rng):
                verdict = self._judge(scene, source, geometry, labels, good.frames, good.spec, good.crf)
                trials.append(
                    self._trial(
                        seed, good.generator, 0, True, good.generator in HELD_OUT_GOODS, good.spec, verdict
                    )
                )
        for index, kind in enumerate(kinds):
            strength = 1 + (seed + index) % 3
            rng = np.random.default_rng([seed, index])
            frames = MAKERS[kind](scene, strength, rng)
            if frames is None or not is_visible(scene.painted, frames):
                continue
            verdict = self._judge(scene, source, geometry, labels, frames, scene.spec, 18)
            trials.append(self._trial(seed, kind, strength, False, is_held_out(kind), scene.spec, verdict))
        return trials

    def _judge(
        self,
        scene: TestScene,
        source: VideoRef,
        geometry: GeometryRef,
        labels: Labels,
        frames: Frames,
        spec: Spec | None,
        crf: int,
    ) -> tuple[str, str, tuple[str, ...]]:
        with tempfile.TemporaryDirectory(dir=self.scratch.root) as folder:
            candidate = write_video(Path(folder) / "c.mp4", frames, fps=FPS, crf=crf)
            case = Case(
                source=source,
                geometry=geometry,
                candidate=candidate,
                spec=spec,
                condition=scene.drive.condition,
                labels=labels,
            )
            verdict = self.critic.judge(case)
        failed = tuple(f.check for f in verdict.findings if f.passed is False and f.severity == "reject")
        return verdict.state, verdict.recognised, failed

    @staticmethod
    def _trial(
        seed: int,
        kind: str,
        strength: int,
        is_good: bool,
        held_out: bool,
        spec: Spec | None,
        verdict: tuple[str, str, tuple[str, ...]],
    ) -> Trial:
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
