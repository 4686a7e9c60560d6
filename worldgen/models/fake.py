"""The fake: a world model that is fast and honest about itself, for tests of everything around a model."""

import threading
import time
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Candidate, GenerationPlan, ModelProfile, Progress
from worldgen.errors import Cancelled, GenerationError, boundary
from worldgen.media.scratch import Scratch
from worldgen.media.video import VideoWriter

FAKE_PROFILE: Final = ModelProfile(
    name="fake",
    revision="1",
    kind="fake",
    title="the source, darker by a flat gain: no weather, for trying out what surrounds a model",
    needs=frozenset({"rgb"}),
    removes=frozenset({"wet", "fog", "snow", "night", "shadows", "rain"}),
    license="Apache-2.0",
    parameters={"steps": 4, "chunks": 2, "step_seconds": 0.0},
)


class FakeWorldModel:
    """Takes every plan, counts steps and chunks like a diffusion model, and returns the source, darker.

    Args:
        scratch: Where the source's frames are, and where the candidate goes.
    """

    profile: ModelProfile = FAKE_PROFILE

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    def generate(self, plan: GenerationPlan, stop: threading.Event) -> Iterator[Progress | Candidate]:
        """Count `steps` x `chunks` of progress, then write the file; see `WorldModel.generate`."""
        with boundary(GenerationError, "make a fake candidate"):
            yield from self._generate(plan, stop)

    def _generate(self, plan: GenerationPlan, stop: threading.Event) -> Iterator[Progress | Candidate]:
        if plan.source is None:
            message = "the fake repaints the source's frames; the plan has none"
            raise GenerationError(message, reason="unavailable")
        steps = int(plan.parameters.get("steps", 4))
        chunks = int(plan.parameters.get("chunks", 2))
        pause = float(plan.parameters.get("step_seconds", 0.0))
        _stop_if(stop)
        clip = self._scratch.clip(plan.source)
        started = time.perf_counter()
        for done in range(1, steps * chunks + 1):
            stop.wait(pause)
            _stop_if(stop)
            yield Progress(
                stage="pretend",
                step=done,
                steps=steps * chunks,
                chunk=(done - 1) // steps,
                chunks=chunks,
                seconds_left=pause * (steps * chunks - done),
            )
        _stop_if(stop)
        gain = _gain_of(plan.seed)
        even = np.arange(len(clip)) / clip.fps
        path = self._scratch.new_path(".candidate.mp4")
        try:
            is_even = bool(np.abs(clip.timestamps_seconds - even).max() < 1e-3)
            with VideoWriter(path, fps=clip.fps, has_times=not is_even) as writer:
                for frame, seconds in zip(clip.frames, clip.timestamps_seconds, strict=True):
                    _stop_if(stop)
                    writer.write(_darker(frame, gain), seconds=float(seconds))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        yield Candidate(
            variant_id=plan.variant_id,
            attempt_id=plan.attempt_id,
            video=writer.ref,
            rendered={"gain": gain},
            seconds={"pretend": time.perf_counter() - started},
            counters={"steps": steps * chunks},
        )


def _gain_of(seed: int) -> float:
    return round(0.7 + 0.2 * float(np.random.default_rng(seed).random()), 3)


def _darker(frame: npt.NDArray[np.uint8], gain: float) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.convertScaleAbs(frame, alpha=gain))


def _stop_if(stop: threading.Event) -> None:
    if stop.is_set():
        message = "stopped while pretending"
        raise Cancelled(message, reason="by_user")
