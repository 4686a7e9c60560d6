"""What Prometheus reads: work from the shared counters, requests from this process."""

import os
import socket
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.http.backend import Backend

_HELP: Final = {
    "worldgen_variants": "Specs that were finished, by condition and verdict.",
    "worldgen_stage_seconds": "Seconds spent per stage of the variants that were made.",
    "worldgen_stages": "How often each stage was gone through.",
    "worldgen_steps": "Steps of generation; over worldgen_step_seconds_total it is steps per second.",
    "worldgen_step_seconds": "Seconds in which those steps were taken.",
    "worldgen_retries": "Generations after a rejection.",
    "worldgen_duplicates_suppressed": "Requests that were answered with a job that was there already.",
    "worldgen_refused": "Jobs that were refused, by code.",
    "worldgen_gpu_memory_bytes": "Memory of the GPUs of generators: used by whomever, and total.",
    "worldgen_jobs_submitted": "Jobs that were accepted.",
}
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class RequestFigures:
    """Requests of this process; the label `process` keeps the series of several replicas apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._process = f"{socket.gethostname()[:20]}-{os.getpid()}"
        names = ("process", "method", "route")
        self._requests = Counter(
            "worldgen_http_requests", "Requests answered.", (*names, "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "worldgen_http_request_seconds",
            "Seconds per request; event streams and uploads are long.",
            names,
            registry=self.registry,
            buckets=_BUCKETS,
        )

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        verb = method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") else "other"
        self._requests.labels(self._process, verb, route, str(status)).inc()
        self._seconds.labels(self._process, verb, route).observe(seconds)


class Work(Collector):
    """Jobs and variants, as the database has them: the same from whichever replica.

    Args:
        backend: Jobs, counters and gauges.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def collect(self) -> Iterator[Metric]:
        """Read everything once."""
        jobs = GaugeMetricFamily("worldgen_jobs", "Jobs by state.", labels=("state",))
        for state, count in sorted(self._backend.jobs.counts().items()):
            jobs.add_metric((state,), count)
        yield jobs
        families: dict[str, CounterMetricFamily] = {}
        for name, labels, value in self._backend.counters.read():
            base = name.removesuffix("_total")
            if base not in families:
                families[base] = CounterMetricFamily(base, _HELP.get(base, base), labels=sorted(labels))
            families[base].add_metric([labels[label] for label in sorted(labels)], value)
        yield from families.values()
        yield from self._readings()
        for name, value in sorted(self._backend.gauges().items()):
            yield GaugeMetricFamily(name, name.replace("_", " "), value=value)

    def _readings(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for found in self._backend.readings.read():
            names = sorted(found.labels)
            if found.name not in families:
                about = _HELP.get(found.name, found.name)
                families[found.name] = GaugeMetricFamily(found.name, about, labels=names)
            families[found.name].add_metric([found.labels[name] for name in names], found.value)
        yield from families.values()


def exposition(figures: RequestFigures, backend: Backend) -> bytes:
    """Write everything in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(Work(backend))
    return generate_latest(registry) + generate_latest(figures.registry)
