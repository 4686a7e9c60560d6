"""A job from outside: submitted, followed by its event stream, and timed at every turn."""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from worldgen.errors import ServiceError
from worldgen.wire import FINAL, JobEvent, Priority

_TIMEOUT: Final = httpx2.Timeout(120.0)


@dataclass(slots=True)
class Timed:
    """A job that has ended, and when what was heard; seconds of `time.monotonic`."""

    id: str
    sent: float
    accepted: float
    """When the 202 was there."""
    taken: float = float("nan")
    """When a runner took it up."""
    first: float = float("nan")
    """When its first variant was published."""
    last: float = float("nan")
    """When its last variant was published."""
    ended: float = float("nan")
    state: str = ""
    states: dict[str, str] = field(default_factory=dict)
    """Variant id -> how it ended."""

    @property
    def seconds(self) -> float:
        """From submit to completed."""
        return self.ended - self.sent


def connected(url: str) -> httpx2.Client:
    """Open a client of a service."""
    return httpx2.Client(base_url=url, timeout=_TIMEOUT)


def upload(url: str, clip: Path) -> str:
    """Upload a clip, and return its address."""
    data = clip.read_bytes()
    name = hashlib.sha256(data).hexdigest()
    httpx2.put(f"{url}/v1/blobs/{name}", content=data, timeout=_TIMEOUT).raise_for_status()
    return f"blob:{name}"


def body_of(
    source: str, specs: tuple[str, ...], seed: int, priority: Priority = "interactive"
) -> dict[str, Any]:
    """Make the body of a submission."""
    return {"source": source, "specs": list(specs), "seed": seed, "priority": priority}


def submit(client: httpx2.Client, body: Mapping[str, Any]) -> str:
    """Submit a job and return its id."""
    return str(client.post("/v1/jobs", json=body).raise_for_status().json()["id"])


def make(url: str, body: Mapping[str, Any]) -> Timed:
    """Submit a job and follow it to its end, as one client does.

    Raises:
        ServiceError: `failed`: the stream ended before the job did.
    """
    with connected(url) as client:
        sent = time.monotonic()
        job_id = submit(client, body)
        return follow(client, Timed(job_id, sent, time.monotonic()))


def follow(client: httpx2.Client, job: Timed) -> Timed:
    """Note when what happens in a job that was accepted."""
    for event in events(client, job.id):
        now = time.monotonic()
        if event.state != "queued" and math.isnan(job.taken):
            job.taken = now
        if event.variant is not None:
            job.states[event.variant.id] = event.variant.state
            job.first = now if math.isnan(job.first) else job.first
            job.last = now
        if event.kind == "state" and event.state in FINAL:
            job.ended, job.state = now, event.state
            return job
    message = f"the event stream of job {job.id} ended before the job did"
    raise ServiceError(message, reason="failed")


def events(client: httpx2.Client, job_id: str) -> Iterator[JobEvent]:
    """Read a job's event stream."""
    with client.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
        stream.raise_for_status()
        for line in stream.iter_lines():
            if line.startswith("data:"):
                yield JobEvent.model_validate(json.loads(line[5:]))
