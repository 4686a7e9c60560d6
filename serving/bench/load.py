"""Load: an open-loop client. What is sent when is planned, whatever became of what was sent before.

A closed loop waits for an answer before it asks again, and so asks less of a service that is slow, just
when it is slow. Here a request that cannot be sent in time, because every connection waits for an answer,
has been waiting since its planned moment: that is where its latency counts from.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from serving.bench.latency import Latencies

Ask = Callable[[HTTPConnection, int], int]
"""Send request number n over a connection, read all of the answer, and return its status."""

_TIMEOUT_SECONDS: Final = 60.0


@dataclass(slots=True)
class Load:
    """What became of the requests; filled while they are sent."""

    waited: list[float] = field(default_factory=list)
    """Seconds from the planned moment to the whole answer, of those that were answered 2xx."""
    late: list[float] = field(default_factory=list)
    """Seconds from the planned moment to the sending: for want of a free connection, or of processor time."""
    refused: int = 0
    """Answers that were none of 2xx."""
    broken: int = 0
    """Requests without an answer."""

    def add(self, other: "Load") -> None:
        """Add what became of other requests."""
        self.waited += other.waited
        self.late += other.late
        self.refused += other.refused
        self.broken += other.broken

    @property
    def latencies(self) -> Latencies:
        """Of the requests that were answered 2xx."""
        return Latencies(tuple(self.waited))

    @property
    def lateness(self) -> Latencies:
        """Of the client itself."""
        return Latencies(tuple(self.late))


class _Client:
    def __init__(self, url: str, moments: Iterator[float], ask: Ask, load: Load) -> None:
        self._moments = enumerate(moments)
        self._address = urlsplit(url)
        self._ask = ask
        self._load = load
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self.ended = threading.Event()

    def work(self) -> None:
        connection = HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=_TIMEOUT_SECONDS
        )
        try:
            while (following := self._next()) is not None:
                number, moment = following
                planned = self._started + moment
                if self.ended.wait(max(0.0, planned - time.monotonic())):
                    return
                self._send(connection, number, planned)
        finally:
            connection.close()

    def _next(self) -> tuple[int, float] | None:
        with self._lock:
            return next(self._moments, None)

    def _send(self, connection: HTTPConnection, number: int, planned: float) -> None:
        late = time.monotonic() - planned
        try:
            status = self._ask(connection, number)
        except (OSError, HTTPException):
            connection.close()  # the next request opens it again
            status = 0
        waited = time.monotonic() - planned
        with self._lock:
            self._load.late.append(late)
            if 200 <= status < 300:
                self._load.waited.append(waited)
            elif status:
                self._load.refused += 1
            else:
                self._load.broken += 1


@contextmanager
def loading(url: str, moments: Iterator[float], ask: Ask, *, connections: int = 16) -> Iterator[Load]:
    """Send requests until the block is left.

    Args:
        url: Of the service.
        moments: When each is sent, in seconds from now; rising.
        ask: Sends one.
        connections: How many may wait for an answer at once.
    """
    load = Load()
    client = _Client(url, moments, ask, load)
    threads = [threading.Thread(target=client.work, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        client.ended.set()
        for thread in threads:
            thread.join()


def send_all(url: str, moments: Iterator[float], ask: Ask, *, connections: int = 16) -> Load:
    """Send as many requests as there are moments, and wait for all answers."""
    load = Load()
    client = _Client(url, moments, ask, load)
    threads = [threading.Thread(target=client.work, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


def get(path: str) -> Ask:
    """Make requests for one path."""

    def ask(connection: HTTPConnection, number: int) -> int:
        del number
        # As our own client and every browser asks; nothing is read of it here.
        connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return ask
