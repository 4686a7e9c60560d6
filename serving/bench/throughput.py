"""Throughput: jobs that arrive as planned, in the field's terms: clips per hour, percentiles, stages."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from serving.bench.dataset import Item
from serving.bench.job import Timed, body_of, make, upload
from serving.bench.latency import Latencies


@dataclass(frozen=True, slots=True)
class Throughput:
    """What became of the jobs."""

    jobs: tuple[Timed, ...]
    seconds: float
    """From the first planned arrival to the last job's end."""
    latency: Latencies
    """From the planned arrival of a job to its end."""
    queue_wait: Latencies
    """From the submission of a job to a runner's taking it up."""
    stage_seconds: Mapping[str, float]
    """Stage -> mean seconds of each time it was gone through."""

    @property
    def states(self) -> Mapping[str, int]:
        """How the variants ended."""
        return Counter(state for job in self.jobs for state in job.states.values())

    @property
    def accepted_per_hour(self) -> float:
        """Accepted clips per hour."""
        return 3600.0 * self.states.get("accepted", 0) / self.seconds


def run_items(
    url: str, items: Iterator[Item], moments: Iterator[float], *, jobs: int, max_concurrency: int
) -> Throughput:
    """Submit jobs as they arrive, follow each to its end, and sum up.

    Args:
        url: Of the service.
        items: What each job asks for.
        moments: When each arrives, in seconds from now; rising.
        jobs: How many.
        max_concurrency: How many may be under way at once: one that arrives meanwhile waits, and the wait
            counts.
    """
    chosen = list(islice(items, jobs))
    sources = {clip: upload(url, clip) for clip in {item.clip for item in chosen}}
    before = stages(url)
    started = time.monotonic()

    def run(item: Item, moment: float) -> tuple[float, Timed]:
        time.sleep(max(0.0, started + moment - time.monotonic()))
        return started + moment, make(url, body_of(sources[item.clip], item.specs, item.seed))

    with ThreadPoolExecutor(max_concurrency) as pool:
        made = list(pool.map(run, chosen, islice(moments, jobs)))
    return Throughput(
        jobs=tuple(job for _, job in made),
        seconds=max(job.ended for _, job in made) - min(planned for planned, _ in made),
        latency=Latencies(tuple(job.ended - planned for planned, job in made)),
        queue_wait=Latencies(tuple(job.taken - job.sent for _, job in made)),
        stage_seconds=_means(before, stages(url)),
    )


def stages(url: str) -> Mapping[str, tuple[float, float]]:
    """Read from /metrics how many seconds each stage took in all, and how often it was gone through."""
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    text = httpx2.get(f"{url}/metrics", timeout=60).raise_for_status().text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            into = {"worldgen_stage_seconds_total": sums, "worldgen_stages_total": counts}.get(sample.name)
            if into is not None:
                stage = sample.labels["stage"]
                into[stage] = into.get(stage, 0.0) + sample.value
    return {stage: (sums[stage], counts.get(stage, 0.0)) for stage in sums}


def _means(
    before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]
) -> Mapping[str, float]:
    means = {}
    for stage, (seconds, count) in after.items():
        seconds_before, count_before = before.get(stage, (0.0, 0.0))
        if count > count_before:
            means[stage] = (seconds - seconds_before) / (count - count_before)
    return means
