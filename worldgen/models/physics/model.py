"""Physics as a world model: the same contract as every other."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from worldgen.datatypes import Candidate, Clip, GenerationPlan, ModelProfile, Progress
from worldgen.errors import Cancelled, GenerationError, boundary
from worldgen.media.scratch import Scratch
from worldgen.media.video import VideoWriter
from worldgen.models.physics.renderer import FrameRenderer

REVISION = "3"
"""Raised whenever the same plan would give other frames."""

MAKES = frozenset(
    {
        "rain_mm_h",
        "wetness",
        "spray",
        "lens_drops",
        "fog_mor_m",
        "dust_mor_m",
        "snow_mm_h",
        "snow_cover",
        "sand_cover",
        "clouds_okta",
        "sun_elevation_deg",
        "sun_azimuth_deg",
        "exposure_stops",
    }
)

PROFILE = ModelProfile(
    name="physics",
    revision=REVISION,
    kind="physics",
    title="weather and light computed on geometry; no weights, no GPU",
    needs=frozenset({"rgb", "geometry"}),
    removes=frozenset(),
    makes=MAKES,
    license="Apache-2.0",
    parameters={"crf": 18, "preset": "veryfast"},
)


class PhysicsWorldModel:
    """Weather physics.

    Args:
        scratch: Where the source's frames and geometry are, and where the candidate goes.
    """

    profile: ModelProfile = PROFILE

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    def generate(self, plan: GenerationPlan, stop: threading.Event) -> Iterator[Progress | Candidate]:
        """Render frame by frame; see `WorldModel.generate`."""
        with boundary(GenerationError, "render weather"):
            yield from self._generate(plan, stop)

    def _generate(self, plan: GenerationPlan, stop: threading.Event) -> Iterator[Progress | Candidate]:
        if plan.source is None or plan.geometry is None:
            message = "physics needs the source's frames and geometry; the plan lacks them"
            raise GenerationError(message, reason="unavailable")
        started = time.perf_counter()
        _stop_if(stop)
        clip = self._scratch.clip(plan.source)
        geometry = self._scratch.geometry(plan.geometry)
        read = time.perf_counter()
        renderer = FrameRenderer(clip, geometry, plan.spec, plan.condition, plan.seed)
        _stop_if(stop)
        path = self._scratch.new_path(".candidate.mp4")
        seconds = {
            "read": read - started,
            "prepare": time.perf_counter() - read,
            "render": 0.0,
            "encode": 0.0,
        }
        try:
            with _writer(path, clip, plan) as writer:
                for index in range(len(clip)):
                    before = time.perf_counter()
                    frame = renderer.render(index)
                    rendered = time.perf_counter()
                    writer.write(frame, seconds=float(clip.timestamps_seconds[index]))
                    seconds["render"] += rendered - before
                    seconds["encode"] += time.perf_counter() - rendered
                    done = index + 1
                    left = (seconds["render"] + seconds["encode"]) / done * (len(clip) - done)
                    yield Progress(stage="render", step=done, steps=len(clip), seconds_left=left)
                    _stop_if(stop)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        yield Candidate(
            variant_id=plan.variant_id,
            attempt_id=plan.attempt_id,
            video=writer.ref,
            rendered=renderer.rendered,
            seconds=seconds,
            counters={"frames": len(clip)},
        )


def _writer(path: Path, clip: Clip, plan: GenerationPlan) -> VideoWriter:
    even = clip.timestamps_seconds[0] + np.arange(len(clip)) / clip.fps
    is_even = bool(np.abs(clip.timestamps_seconds - even).max() < 1e-3) and clip.timestamps_seconds[0] < 1e-3
    return VideoWriter(
        path,
        fps=clip.fps,
        has_times=not is_even,
        crf=int(plan.parameters.get("crf", 18)),
        preset=str(plan.parameters.get("preset", "veryfast")),
    )


def _stop_if(stop: threading.Event) -> None:
    if stop.is_set():
        message = "stopped while rendering"
        raise Cancelled(message, reason="by_user")
