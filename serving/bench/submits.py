"""Submits: how long the answer to a submission takes while the service generates."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import islice
from typing import Final

import httpx2

from serving.bench.arrivals import regular
from serving.bench.job import body_of, connected, events, submit
from serving.bench.load import Load, send_all
from worldgen.wire import FINAL

RATE: Final = 5.0
"""Submissions per second."""
_HEADERS: Final = {"Content-Type": "application/json"}


def submit_while_generating(
    url: str, source: str, specs: tuple[str, ...], *, seed: int, requests: int
) -> Load:
    """Start a generation, submit jobs at a steady rate, and cancel everything at the end.

    Args:
        url: Of the service.
        source: Address of a clip there.
        specs: Of every job.
        seed: Of the first job; the next ones follow, so that no two are the same.
        requests: How many are timed.
    """
    submitted: list[str] = []

    def ask(connection: HTTPConnection, number: int) -> int:
        body = json.dumps(body_of(source, specs, seed + 1 + number))
        connection.request("POST", "/v1/jobs", body, _HEADERS)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status == 202:
            submitted.append(json.loads(told)["id"])
        return answer.status

    with connected(url) as client:
        submitted.append(submit(client, body_of(source, specs, seed)))
        for event in events(client, submitted[0]):
            if event.kind == "progress":
                break
    try:
        return send_all(url, islice(regular(RATE), requests), ask)
    finally:
        cancel_all(url, submitted)


def cancel_all(url: str, job_ids: list[str]) -> None:
    """Cancel jobs, the last that was accepted first, and wait until none is worked on."""

    def cancel(job_id: str) -> None:
        httpx2.post(f"{url}/v1/jobs/{job_id}/cancel", timeout=120).raise_for_status()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(cancel, reversed(job_ids)))
    for job_id in job_ids:
        while httpx2.get(f"{url}/v1/jobs/{job_id}", timeout=120).json()["state"] not in FINAL:
            time.sleep(0.1)
