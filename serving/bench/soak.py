"""Soak: submissions, status, event streams and downloads together, for as long as is asked."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.bench.arrivals import poisson, regular
from serving.bench.dataset import Item
from serving.bench.job import Timed, body_of, connected, make, upload
from serving.bench.load import Load, get, loading
from serving.bench.memory import Memory, remembering

_STATUS_RATE: Final = 5.0
_PAGE_RATE: Final = 0.5
_FILES: Final = 3


@dataclass(frozen=True, slots=True)
class Soaked:
    """What became of a mixed load."""

    memory: Memory
    status: Load
    jobs: tuple[Timed, ...]
    downloads: int
    """Files that were read to their end."""
    bytes_downloaded: int
    errors: Counter[str]
    """What went wrong, by kind."""
    seconds: float


class _Users:
    """People who submit, follow, and fetch what was made."""

    def __init__(self, url: str, items: Iterator[Item], end: float) -> None:
        self._url = url
        self._items = items
        self._end = end
        self._sources: dict[Path, str] = {}
        self._lock = threading.Lock()
        self.jobs: list[Timed] = []
        self.errors: Counter[str] = Counter()
        self.downloads = self.bytes = 0

    def work(self) -> None:
        """Make jobs one after the other until the end."""
        while time.monotonic() < self._end:
            with self._lock:
                item = next(self._items)
                if item.clip not in self._sources:
                    self._sources[item.clip] = upload(self._url, item.clip)
            try:
                job = make(self._url, body_of(self._sources[item.clip], item.specs, item.seed))
                self.jobs.append(job)
                self._fetch(job)
            except Exception as error:  # noqa: BLE001 -- counted; a soak goes on
                self.errors[type(error).__name__] += 1
                time.sleep(1.0)

    def _fetch(self, job: Timed) -> None:
        with connected(self._url) as client:
            for variant_id in job.states:
                found = client.get(f"/v1/variants/{variant_id}")
                if found.status_code == 404:
                    continue  # a failure has no files
                names = found.raise_for_status().json()["files"]
                for name in names[:_FILES]:
                    answer = client.get(f"/v1/variants/{variant_id}/files/{name}").raise_for_status()
                    self.downloads += 1
                    self.bytes += len(answer.content)


def soak(url: str, pid: int, items: Iterator[Item], *, seconds: float, users: int) -> Soaked:
    """Put a mixed load on a service and watch its memory.

    Args:
        url: Of the service.
        pid: Of the service.
        items: What jobs ask for, without end.
        seconds: For so long; jobs under way are finished.
        users: How many jobs are under way at once.
    """
    started = time.monotonic()
    people = _Users(url, items, started + seconds)
    with (
        remembering(pid) as memory,
        loading(url, regular(_STATUS_RATE), get("/v1/jobs?limit=20")) as status,
        loading(url, poisson(_PAGE_RATE, seed=1), get("/v1/variants?limit=50")),
        ThreadPoolExecutor(users) as pool,
    ):
        for work in [pool.submit(people.work) for _ in range(users)]:
            work.result()
    return Soaked(
        memory=memory,
        status=status,
        jobs=tuple(people.jobs),
        downloads=people.downloads,
        bytes_downloaded=people.bytes,
        errors=people.errors,
        seconds=time.monotonic() - started,
    )
