"""Serve: `worldgen bench serve` starts a real service, measures it, and stops it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from serving.bench.arrivals import poisson
from serving.bench.dataset import CARLA18, drive_clip, items_of
from serving.bench.efficiency import STATUS_RATE, Efficiency, Rounds
from serving.bench.job import body_of, make, upload
from serving.bench.latency import Latencies
from serving.bench.load import Load
from serving.bench.loop import looping
from serving.bench.memory import Memory
from serving.bench.options import ServeOptions, options_of
from serving.bench.server import ONE_THREAD, ROOMY, Served, served
from serving.bench.soak import Soaked, soak
from serving.bench.submits import RATE, submit_while_generating
from serving.bench.throughput import Throughput, run_items

Figures: TypeAlias = dict[str, dict[str, Any]]

FIRST_SPEC: Final = ("fog 80 m",)
_SEED: Final = 1000
"""Of the rounds; the load run and the submits have seeds far above."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    rounds: int
    jobs: int
    submits: int
    status: int
    """Status requests, at least; more rounds follow until there were as many."""


FULL: Final = Extent(rounds=5, jobs=60, submits=300, status=3000)
SAMPLE: Final = Extent(rounds=1, jobs=6, submits=50, status=500)


def measure(full: bool, **given: Any) -> tuple[Figures, str, dict[str, Any]]:  # noqa: ANN401 -- options
    """Measure a service that this starts and stops.

    Args:
        full: The issue's figures: 5 rounds, 3,000 status requests; else a sample of that.
        given: Fields of `ServeOptions`.

    Returns:
        Figures; what was sampled, in words; of a soak, also every sample of memory.

    Raises:
        ServiceError: The service did not start, or a job did not end as it must.
        ConfigError: `invalid`: an option.
    """
    options = options_of(given)
    with tempfile.TemporaryDirectory(prefix="worldgen-bench-") as name:
        folder = Path(name)
        if options.soak_minutes:
            return _soaked(folder, options)
        return _measured(folder, options, FULL if full else SAMPLE)


def _measured(folder: Path, options: ServeOptions, extent: Extent) -> tuple[Figures, str, dict[str, Any]]:
    clip = drive_clip(folder / "clip.mp4")
    items = items_of(options.dataset, folder, seed=3 * _SEED)
    with _started(folder, options, answers="healthz") as service:
        source = upload(service.url, clip)
        first = make(service.url, body_of(source, FIRST_SPEC, seed=0))
        with looping(clip, folder / "loop", options.model, options.parameters) as loop:
            loop.round(FIRST_SPEC, 0)
            rounds = Rounds(service, source, loop, CARLA18, _SEED)
            efficiency = rounds.measure(extent.rounds, status=extent.status)
        submits = submit_while_generating(
            service.url, source, CARLA18, seed=2 * _SEED, requests=extent.submits
        )
        throughput = run_items(
            service.url,
            items,
            poisson(options.request_rate, seed=_SEED),
            jobs=extent.jobs,
            max_concurrency=options.max_concurrency,
        )
    figures = {
        **_efficiency_figures(efficiency),
        "submit_p99_ms": _figure(_ms(submits.latencies, 99), "ms", "< 400"),
        "submit_p50_ms": _figure(_ms(submits.latencies, 50), "ms", "-"),
        "first_variant_seconds": _figure(first.first - service.born, "s", "< 90"),
        **_throughput_figures(throughput),
    }
    return figures, _sample(options, extent, efficiency, submits), {}


def _soaked(folder: Path, options: ServeOptions) -> tuple[Figures, str, dict[str, Any]]:
    items = items_of(options.dataset, folder, seed=_SEED)
    with _started(folder, options, answers="readyz") as service:
        found = soak(
            service.url,
            service.pid,
            items,
            seconds=60.0 * options.soak_minutes,
            users=options.max_concurrency,
        )
    words = (
        f"{found.seconds / 60:.1f} minutes, {options.max_concurrency} {options.dataset} jobs at "
        f"once, status, lists and downloads, {options.model}; memory each 5 s, growth after a warm-up "
        "of a quarter, at most ten minutes"
    )
    return _soak_figures(found), words, {"memory": found.memory.table()}


@contextmanager
def _started(folder: Path, options: ServeOptions, *, answers: str) -> Iterator[Served]:
    settings = [part for parameter in options.parameters for part in ("--set", parameter)]
    with served(
        folder,
        *("--model", options.model, *settings),
        settings=ROOMY,
        environment=ONE_THREAD,
        answers=answers,
    ) as service:
        yield service


def _efficiency_figures(found: Efficiency) -> Figures:
    status = found.answers
    return {
        "service_efficiency": _figure(found.value, "of the bare loop", ">= 0.95"),
        "service_efficiency_under_status_load": _figure(found.value_loaded, "of the bare loop", ">= 0.55"),
        "service_processor_efficiency": _figure(found.processor_value, "of the bare loop", "-"),
        "loop_seconds": _figure(found.middle(lambda pair: pair.loop.seconds), "s", "-"),
        "service_seconds": _figure(found.middle(lambda pair: pair.service.seconds), "s", "-"),
        "service_seconds[submit]": _figure(
            found.middle(lambda pair: pair.service.accepted - pair.service.sent), "s", "-"
        ),
        "service_seconds[queue]": _figure(
            found.middle(lambda pair: pair.service.taken - pair.service.accepted), "s", "-"
        ),
        "service_seconds[work]": _figure(
            found.middle(lambda pair: pair.service.last - pair.service.taken), "s", "-"
        ),
        "service_seconds[end]": _figure(
            found.middle(lambda pair: pair.service.ended - pair.service.last), "s", "-"
        ),
        "status_p99_ms": _figure(_ms(status.latencies, 99), "ms", "< 60"),
        "status_p50_ms": _figure(_ms(status.latencies, 50), "ms", "-"),
        "status_sent_late_p99_ms": _figure(_ms(status.lateness, 99), "ms", "-"),
        "status_not_answered": _figure(status.refused + status.broken, "requests", "0"),
    }


def _throughput_figures(found: Throughput) -> Figures:
    figures = {
        "accepted_clips_per_hour": _figure(found.accepted_per_hour, "clips/h", "-"),
        "jobs_not_completed": _figure(sum(job.state != "completed" for job in found.jobs), "jobs", "0"),
    }
    for share in (50, 95, 99):
        figures[f"latency_p{share}_seconds"] = _figure(found.latency.percentile(share), "s", "-")
    for share in (50, 99):
        figures[f"queue_wait_p{share}_seconds"] = _figure(found.queue_wait.percentile(share), "s", "-")
    for stage, seconds in sorted(found.stage_seconds.items()):
        figures[f"stage_seconds[{stage}]"] = _figure(seconds, "s", "-")
    return figures


def _soak_figures(found: Soaked) -> Figures:
    memory: Memory = found.memory
    last = memory.series()[-1] if memory.seconds else 0
    figures = {
        "memory_growth_percent": _figure(memory.growth(), "%", "< 5"),
        "memory_mb": _figure(last / 1e6, "MB", "-"),
        "jobs_completed": _figure(sum(job.state == "completed" for job in found.jobs), "jobs", "-"),
        "jobs_not_completed": _figure(sum(job.state != "completed" for job in found.jobs), "jobs", "0"),
        "files_downloaded": _figure(found.downloads, "files", "-"),
        "megabytes_downloaded": _figure(found.bytes_downloaded / 1e6, "MB", "-"),
        "errors": _figure(sum(found.errors.values()), "", "0"),
        "list_p99_ms": _figure(_ms(found.status.latencies, 99), "ms", "-"),
        "lists_not_answered": _figure(found.status.refused + found.status.broken, "requests", "0"),
    }
    for name in memory.names:
        held = memory.series(name)[-1] / 1e6
        figures[f"memory_mb[{name}]"] = _figure(held, f"MB, {memory.growth(name):+.1f} %", "-")
    return figures


def _sample(options: ServeOptions, extent: Extent, found: Efficiency, submits: Load) -> str:
    status = found.answers
    return (
        f"{options.model}, one thread each; efficiency: {len(found.quiet)} of {FULL.rounds} rounds of the "
        f"18 specs over 17 frames of 256x144; status: {len(status.latencies)} of {FULL.status} requests, "
        f"{STATUS_RATE:g} a second while it generates; {len(submits.latencies)} of {FULL.submits} submits, "
        f"{RATE:g} a second; {extent.jobs} of {FULL.jobs} jobs of {options.dataset}, rate "
        f"{options.request_rate:g}, at most {options.max_concurrency} at once"
    )


def _ms(found: Latencies, share: float) -> float:
    return 1000.0 * found.percentile(share)


def _figure(value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "goal": goal}
