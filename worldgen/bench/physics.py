"""Physics: milliseconds a frame beside albumentations, and frames a second through the whole path.

Processor time of one core, every library's threads set to one, 1280x720, uint8 in and out. Rivals
and ours alternate in one run, so that a busy machine slows both; each figure is the best of its repetitions.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.datatypes import Candidate, Case, Clip, Condition, Geometry, Source, Spec, Verdict
from worldgen.media.heap import keep_freed_memory
from worldgen.models.physics import FrameRenderer
from worldgen.planning import plan_generation
from worldgen.sources.proving_ground.drive import render_drive

Figures: TypeAlias = dict[str, dict[str, Any]]
Work: TypeAlias = Callable[[], object]

SIZE: Final = (1280, 720)
SPECS: Final = {
    "fog": Spec(seed=1, fog_mor_m=150),
    "sun": Spec(seed=1, sun_elevation_deg=6, sun_azimuth_deg=0),
    "rain": Spec(seed=1, rain_mm_h=20, wetness=0.8, spray=0.5, lens_drops=0.3, clouds_okta=8),
    "snow": Spec(seed=1, snow_mm_h=2, snow_cover=0.8, clouds_okta=8),
    "night": Spec(seed=1, sun_elevation_deg=-20),
}
SLOWEST: Final = ("fog", "rain", "snow", "night")
GOALS: Final = {
    "fog_times_faster_than_albumentations": ("times", 5.0),
    "sun_times_faster_than_albumentations": ("times", 2.0),
    "rain_ms": ("ms", 80.0),
    "snow_ms": ("ms", 80.0),
    "night_ms": ("ms", 80.0),
    "whole_path_fps_per_core": ("frames/s", 4.0),
}


def measure(full: bool) -> tuple[Figures, str]:
    """Measure; `full` takes a longer clip and more repetitions.

    Returns:
        Figures, and what was sampled in words.
    """
    _one_thread()
    keep_freed_memory()  # as every assembly does; rivals profit as well
    repetitions = 12 if full else 4
    frames = 31 if full else 11
    drive = render_drive(7, frames=3, size=SIZE)
    ours = _render_ms(drive.clip, drive.geometry, drive.condition, repetitions)
    theirs = _albumentations_ms(drive.clip.frames[0], repetitions)
    rates = _whole_path_fps(frames)
    slowest = min(rates, key=lambda name: rates[name])
    values = {
        "fog_times_faster_than_albumentations": theirs["fog"] / ours["fog"],
        "sun_times_faster_than_albumentations": theirs["sun"] / ours["sun"],
        "rain_ms": ours["rain"],
        "snow_ms": ours["snow"],
        "night_ms": ours["night"],
        "whole_path_fps_per_core": rates[slowest],
    }
    figures: Figures = {
        name: {"value": round(value, 2), "unit": GOALS[name][0], "goal": GOALS[name][1]}
        for name, value in values.items()
    }
    extra = {
        "fog_ms": ours["fog"],
        "sun_ms": ours["sun"],
        **{f"albumentations_{name}_ms": value for name, value in theirs.items()},
        **{f"whole_path_{name}_fps": value for name, value in rates.items()},
    }
    figures |= {
        name: {"value": round(value, 2), "unit": "frames/s" if name.endswith("fps") else "ms", "goal": None}
        for name, value in extra.items()
    }
    fraction = "full" if full else "a third of the full figure"
    return figures, (
        f"{fraction}: best of {repetitions} renderings of a 1280x720 proving-ground frame per condition, "
        f"alternating with albumentations; whole path over {frames} frames each (slowest: {slowest})"
    )


def _one_thread() -> None:
    cv2.setNumThreads(1)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def _best_ms(works: dict[str, Work], repetitions: int) -> dict[str, float]:
    """Run all in turn, `repetitions` times; processor milliseconds of the best run of each."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(repetitions):
        for name, work in works.items():
            started = time.process_time()
            work()
            best[name] = min(best[name], 1e3 * (time.process_time() - started))
    return best


def _render_ms(clip: Clip, geometry: Geometry, condition: Condition, repetitions: int) -> dict[str, float]:
    renderers = {name: FrameRenderer(clip, geometry, spec, condition, 1) for name, spec in SPECS.items()}
    for renderer in renderers.values():
        renderer.render(0)  # what is prepared once (poses, tables) is not a frame's
    works: dict[str, Work] = {name: partial(r.render, 1) for name, r in renderers.items()}
    return _best_ms(works, repetitions)


def _albumentations_ms(frame: npt.NDArray[np.uint8], repetitions: int) -> dict[str, float]:
    import albumentations

    cv2.setNumThreads(1)  # importing albumentations sets it, too
    frame = np.ascontiguousarray(frame)
    rivals = {
        "fog": albumentations.RandomFog(p=1.0),
        "sun": albumentations.RandomSunFlare(p=1.0),
        "rain": albumentations.RandomRain(p=1.0),
        "snow": albumentations.RandomSnow(p=1.0),
    }
    works: dict[str, Work] = {name: partial(t, image=frame) for name, t in rivals.items()}
    return _best_ms(works, repetitions)


def _whole_path_fps(frames: int) -> dict[str, float]:
    """Decode, geometry, edge control, physics, judge, x264 veryfast: frames per second of one core.

    Processor time of this process, not the clock's: one core is what is asked about.
    """
    # What starting Python costs once is no part of a frame.
    from worldgen.assembly.wiring import assembled  # noqa: F401
    from worldgen.media.video import write_video
    from worldgen.sources.open import open_source

    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drive.mp4"
        drive = render_drive(7, frames=frames, size=SIZE, fps=10.0)
        write_video(path, drive.clip.frames, fps=10.0)
        source = open_source(path)
        for name in SLOWEST:
            started = time.process_time()
            _whole_path(source, SPECS[name])
            rates[name] = frames / (time.process_time() - started)
    return rates


def _whole_path(source: Source, spec: Spec) -> Verdict:
    """One variant with everything extracted anew, an edge control among it."""
    from worldgen.assembly.wiring import assembled

    with assembled() as assembly:
        material = assembly.extractor.extract(source, frozenset({"edge"}))
        plan = plan_generation(source, material, spec, assembly.model.profile, variant_id="bench")
        *_, candidate = assembly.model.generate(plan, threading.Event())
        assert isinstance(candidate, Candidate)  # noqa: S101 -- the contract of world models
        return assembly.critic.judge(
            Case(
                source=material.video,
                geometry=material.geometry,
                controls=material.controls,
                candidate=candidate.video,
                spec=spec,
                condition=material.condition,
            )
        )
