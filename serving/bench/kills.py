"""Kills: a real service under load, and processes of it that die at named places. Nothing may be lost."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import numpy as np

from serving.bench.server import ROOMY, Served, served
from serving.config import ServiceConfig
from serving.store import Database, JobStore
from worldgen.catalog import Catalog
from worldgen.media.failpoint import FILE_VARIABLE
from worldgen.media.video import sha256_of, write_video
from worldgen.wire import FINAL

STAGES: Final = (
    "runner.after_publish",
    "generator.step",
    "publish.before_rename",
    "runner.taken",
    "runner.judging",
    "generator.candidate",
    "runner.prepared",
    "publish.after_rename",
    "runner.generating",
    "runner.before_journal",
    "runner.after_commit",
    "runner.before_finish",
)
"""Where processes die, in turn: between upload and commit first."""

SPECS: Final = ("fog 80 m", "heavy rain")
_IDLE_SECONDS: Final = 300.0


@dataclass(slots=True)
class Killed:
    """What the kills did."""

    resumed: list[tuple[str, float]] = field(default_factory=list)
    """Stage -> seconds from the kill to the next event of any job."""


def measure(full: bool) -> tuple[dict[str, dict[str, Any]], str]:
    """Kill 3 times over 10 jobs, or 50 times over 100.

    Returns:
        ``lost`` (accepted jobs that were not completed), ``doubled`` (variants published or told twice),
        ``slowest_resume_seconds``, and the slowest per stage; and what was sampled.

    Raises:
        ServiceError: The service did not start.
    """
    jobs, kills = (100, 50) if full else (10, 3)
    with tempfile.TemporaryDirectory(prefix="worldgen-kills-") as name, _serving(Path(name)) as service:
        out = service.out
        ids = [_submit(service.url, out, seed) for seed in range(jobs)]
        store = JobStore(Database(ServiceConfig(out=out).database_url))
        killed = _kill(store, out / "failpoint", kills)
        lost = _wait(store, ids)
        doubled = _doubled(store, ids, out)
    figures: dict[str, dict[str, Any]] = {
        "lost": {"value": lost, "unit": "jobs", "goal": "0"},
        "doubled": {"value": doubled, "unit": "variants", "goal": "0"},
        "kills": {"value": len(killed.resumed), "unit": "", "goal": str(kills)},
        "slowest_resume_seconds": {
            "value": max((s for _, s in killed.resumed), default=0.0),
            "unit": "s",
            "goal": "<= 30",
        },
    }
    for stage in dict.fromkeys(stage for stage, _ in killed.resumed):
        seconds = [s for at, s in killed.resumed if at == stage]
        unit = f"s, slowest of {len(seconds)}"
        figures[f"resume_seconds[{stage}]"] = {"value": max(seconds), "unit": unit, "goal": "<= 30"}
    return (
        figures,
        f"{len(killed.resumed)} kills by SIGKILL over {jobs} jobs of {len(SPECS)} variants, fake model",
    )


def _kill(store: JobStore, trap: Path, kills: int) -> Killed:
    killed = Killed()
    for number in range(kills):
        stage = STAGES[number % len(STAGES)]
        trap.write_text(stage)
        end = time.monotonic() + _IDLE_SECONDS
        while trap.exists() and time.monotonic() < end and store.unfinished():
            time.sleep(0.02)
        if trap.exists():
            trap.unlink()
            break  # no work is left that could be killed
        at, told = time.monotonic(), _events(store)
        while _events(store) == told and time.monotonic() < at + _IDLE_SECONDS and store.unfinished():
            time.sleep(0.05)
        killed.resumed.append((stage, time.monotonic() - at))
    return killed


def _events(store: JobStore) -> int:
    with store.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT sum(last_event) FROM worldgen_jobs").scalar() or 0)


def _wait(store: JobStore, ids: list[str]) -> int:
    last, told = time.monotonic(), -1
    while any(store.get(job_id).state not in FINAL for job_id in ids):
        now = _events(store)
        if now != told:
            last, told = time.monotonic(), now
        if time.monotonic() - last > _IDLE_SECONDS:
            break
        time.sleep(0.2)
    return sum(store.get(job_id).state != "completed" for job_id in ids)


def _doubled(store: JobStore, ids: list[str], out: Path) -> int:
    published = Counter(entry.id for entry in Catalog(out).entries())
    told = Counter(
        (job_id, event.variant.id)
        for job_id in ids
        for event in _all(store, job_id)
        if event.variant is not None
    )
    wanted = len(ids) * len(SPECS)
    return sum(n - 1 for n in (*published.values(), *told.values())) + max(0, len(published) - wanted)


def _all(store: JobStore, job_id: str) -> Iterator[Any]:
    after = 0
    while page := store.events(job_id, after):
        yield from page
        after = page[-1].id


def _submit(url: str, out: Path, seed: int) -> str:
    rng = np.random.default_rng(seed)
    clip = out / f"clip{seed}.mp4"
    frames = rng.integers(60, 150, (4, 90, 160, 3), dtype=np.uint8)
    write_video(clip, frames, fps=10.0)
    name = sha256_of(clip)
    httpx2.put(f"{url}/v1/blobs/{name}", content=clip.read_bytes(), timeout=120).raise_for_status()
    body = {"source": f"blob:{name}", "specs": list(SPECS), "seed": seed}
    answer = httpx2.post(f"{url}/v1/jobs", json=body, timeout=120).raise_for_status()
    return str(answer.json()["id"])


def _serving(folder: Path) -> AbstractContextManager[Served]:
    fake = ("--model", "fake", "--set", "steps=4", "--set", "chunks=1", "--set", "step_seconds=0.2")
    trap = {FILE_VARIABLE: str(folder / "runs" / "failpoint")}
    return served(folder, *fake, settings=ROOMY, environment=trap)
