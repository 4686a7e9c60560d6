"""The critic measured: defects it must stop, goods it must let pass, on scenes that no threshold saw."""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from worldgen.bench.critic.real import real_folder, run_window, window_count
from worldgen.bench.critic.record import TrialRecord
from worldgen.bench.critic.split import test_seed
from worldgen.bench.critic.table import markdown, summary
from worldgen.bench.critic.trial import MAKERS, Bench, Trial
from worldgen.bench.pool import finished
from worldgen.bench.progress import BenchProgress

FULL_SCENES = 84
"""6 goods and 13 kinds of defects each: 504 goods, and 1,092 defects less those that cannot be seen."""
_KINDS_PER_SCENE = 13
_SAMPLE_SECONDS = 45.0


def kinds_for(index: int) -> tuple[str, ...]:
    """Name the kinds of defects tried on a scene: all kinds go round over the scenes."""
    names = sorted(MAKERS)
    first = index * _KINDS_PER_SCENE
    return tuple(names[(first + i) % len(names)] for i in range(_KINDS_PER_SCENE))


def run_scene(index: int, seed: int) -> list[Trial]:
    """Run one scene in a scratch folder of its own."""
    with _one_bench() as bench:
        return bench.run(seed, kinds_for(index))


def run_real_window(folder: Path, number: int) -> list[Trial]:
    """Run one window of the real clips in a scratch folder of its own."""
    with _one_bench() as bench:
        return list(run_window(bench, folder, number))


@contextmanager
def _one_bench() -> Iterator[Bench]:
    import cv2

    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="worldgen-critic-") as folder:
        yield Bench(Path(folder))


def measure(full: bool, *, trials: str | None = None) -> tuple[dict[str, dict[str, Any]], str]:
    """Measure on test scenes; a sample that fits in about a minute, or all of them and the real clips.

    Args:
        full: All of them, and the real clips of WORLDGEN_REAL_CLIPS.
        trials: File where trials are written as they are made. What is in it already is not made again, and
            the tables of kinds and generators are put beside it, as FILE.md.

    Raises:
        ConfigError: `invalid`: the file holds something else, or trials of another critic.
    """
    path = Path(trials) if trials else None
    with _one_bench() as bench:
        record = TrialRecord(path, bench.critic.version)
    scenes = [f"scene {test_seed(i)}" for i in range(FULL_SCENES)]
    folder = real_folder() if full else None
    windows = [f"window {number}" for number in range(window_count(folder))] if folder else []
    if full:
        _fill(record, scenes, folder, windows)
    else:
        _sample(record, scenes)
    found = record.trials(scenes)
    figures = figures_of(found, by_kind=full)
    done = sum(map(record.has, scenes))
    samples = f"{done} of {FULL_SCENES} test scenes, {len(found)} clips of 17 frames at 256x144"
    if folder is not None:
        real = record.trials(windows)
        clips = len({t.seed // 100 for t in real})
        figures |= real_figures_of(real, clips)
        samples += f"; {len(real)} clips from windows of {clips} real ones"
    elif full:
        samples += "; no real clips: set WORLDGEN_REAL_CLIPS to a folder with clips/*.mp4"
    if path is not None:
        Path(f"{path}.md").write_text(markdown(summary(found)) + "\n")
    return figures, samples


def _fill(record: TrialRecord, scenes: list[str], folder: Path | None, windows: list[str]) -> None:
    """Run what the record lacks, side by side."""
    with (
        ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn")) as pool,
        BenchProgress("scenes and windows", len(scenes) + len(windows)) as progress,
    ):
        waiting = {
            pool.submit(run_scene, index, test_seed(index)): unit
            for index, unit in enumerate(scenes)
            if not record.has(unit)
        }
        if folder is not None:
            waiting |= {
                pool.submit(run_real_window, folder, number): unit
                for number, unit in enumerate(windows)
                if not record.has(unit)
            }
        progress.skip(len(scenes) + len(windows) - len(waiting))
        for unit, trials in finished(waiting):
            record.add(unit, trials)
            progress.advance()


def _sample(record: TrialRecord, scenes: list[str]) -> None:
    """Run scenes, one after the other, for as long as a sample may take."""
    started = time.monotonic()
    for index, unit in enumerate(scenes):
        if time.monotonic() - started > _SAMPLE_SECONDS:
            return
        if not record.has(unit):
            record.add(unit, run_scene(index, test_seed(index)))


def figures_of(found: list[Trial], *, by_kind: bool = False) -> dict[str, dict[str, Any]]:
    """Turn trials into figures, and each kind and generator into one of its own where asked."""
    table = summary(found)
    figures = {
        "defects_stopped": _figure(table["defects_rejected"], ">= 0.95"),
        "defects_stopped_unseen": _figure(table["defects_rejected_unseen"], ">= 0.95"),
        "defects_stopped_weakest": _figure(table["defects_rejected_weakest"], "reported"),
        "defects_not_accepted": _figure(table["defects_not_accepted"], "reported"),
        "good_rejected": _figure(table["goods_rejected"], "<= 0.02"),
        "good_rejected_unseen": _figure(table["goods_rejected_unseen"], "<= 0.02"),
        "good_not_accepted": _figure(table["goods_not_accepted"], "reported"),
        "condition_recognised": _figure(table["condition_recognised"], ">= 0.9"),
    }
    if by_kind:
        for kind, row in table["per_kind"].items():
            strengths = {str(k): _figure(v, "reported") for k, v in row["strengths"].items()}
            figures[f"stopped.{kind}"] = {
                **_figure(row, "reported"),
                "strengths": strengths,
                "held_out": row["held_out"],
                "not_accepted": _figure(row["not_accepted"], "reported"),
            }
        for name, row in table["per_generator"].items():
            figures[f"good_rejected.{name}"] = {
                **_figure(row, "reported"),
                "held_out": row["held_out"],
                "why": row["why"],
                "not_accepted": _figure(row["not_accepted"], "reported"),
            }
    return figures


def real_figures_of(found: list[Trial], clips: int) -> dict[str, dict[str, Any]]:
    """Turn trials on real clips into figures without intervals: their windows are no sample of the world."""
    table = summary(found)
    figures = {}
    for name, row in (("defects_stopped", "defects_rejected"), ("good_rejected", "goods_rejected")):
        figure = _figure(table[row], "reported")
        del figure["interval"]
        figures[f"real.{name}"] = {**figure, "unit": f"share of {table[row]['count']} from {clips} clips"}
    why = {name: row["why"] for name, row in table["per_generator"].items() if row["why"]}
    figures["real.good_rejected"]["why"] = why
    figures["real.defects_stopped"]["missed"] = {
        kind: row["count"] - row["hits"]
        for kind, row in table["per_kind"].items()
        if row["hits"] < row["count"]
    }
    return figures


def _figure(row: dict[str, Any], goal: str) -> dict[str, Any]:
    return {
        "value": round(row["value"], 4),
        "unit": f"share of {row['count']}",
        "goal": goal,
        "interval": [round(row["low"], 4), round(row["high"], 4)],
    }
