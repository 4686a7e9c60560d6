"""Efficiency: the bare loop's seconds over the service's, for the same variants, in turn on one machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from serving.bench.arrivals import regular
from serving.bench.job import Timed, body_of, connected, follow, submit
from serving.bench.load import Load, get, loading
from serving.bench.loop import Loop, Looped
from serving.bench.processes import processor_seconds
from serving.bench.server import Served
from worldgen.errors import ServiceError

STATUS_RATE: Final = 50.0
"""Status requests per second of the loaded rounds."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same variants, made by the bare loop and by the service."""

    loop: Looped
    service: Timed
    processor_seconds: float
    """Of all processes of the service."""

    @property
    def efficiency(self) -> float:
        """Bare loop over service; 1 is a service that costs nothing."""
        return self.loop.seconds / self.service.seconds


@dataclass(slots=True)
class Efficiency:
    """All rounds."""

    quiet: list[Pair] = field(default_factory=list)
    """With one client's event stream as the only load."""
    loaded: list[Pair] = field(default_factory=list)
    """With status requests meanwhile."""
    status: list[Load] = field(default_factory=list)
    """Of the loaded rounds."""

    @property
    def answers(self) -> Load:
        """The status requests of all rounds together."""
        together = Load()
        for load in self.status:
            together.add(load)
        return together

    def middle(self, of: Callable[[Pair], float]) -> float:
        """Return the median of something over the quiet rounds."""
        return median(of(pair) for pair in self.quiet)

    @property
    def value(self) -> float:
        """The median over the quiet rounds."""
        return self.middle(lambda pair: pair.efficiency)

    @property
    def processor_value(self) -> float:
        """The same in processor time, which a machine that others use distorts less."""
        return self.middle(lambda pair: pair.loop.processor_seconds / pair.processor_seconds)

    @property
    def value_loaded(self) -> float:
        """The median over the loaded rounds."""
        return median(pair.efficiency for pair in self.loaded)


class Rounds:
    """Rounds of loop and service over one clip.

    Args:
        service: That runs.
        source: Address of the clip there.
        loop: The bare loop over the same clip.
        specs: That each round makes.
        seed: Of the first round; each has its own, so that nothing is in a catalogue already.
    """

    def __init__(self, service: Served, source: str, loop: Loop, specs: tuple[str, ...], seed: int) -> None:
        self._service = service
        self._source = source
        self._loop = loop
        self._specs = specs
        self._seed = seed
        self._rounds = 0

    def measure(self, rounds: int, *, status: int) -> Efficiency:
        """Take turns: loop and service, loop and service under load; who goes first alternates.

        Args:
            rounds: Of each kind.
            status: Requests that there must have been at least; a fast machine takes more loaded rounds.

        Raises:
            ServiceError: `bad_answer`: the service did not make the loop's variants.
        """
        found = Efficiency()
        for _ in range(rounds):
            found.quiet.append(self._pair(None))
            found.loaded.append(self._pair(found.status))
        while len(found.answers.late) < status:
            found.loaded.append(self._pair(found.status))
        return found

    def _pair(self, status: list[Load] | None) -> Pair:
        self._seed, self._rounds = self._seed + 1, self._rounds + 1
        looped = self._loop.round(self._specs, self._seed) if self._rounds % 2 else None
        computed = processor_seconds(self._service.pid)
        job = self._made(status)
        computed = processor_seconds(self._service.pid) - computed
        looped = looped or self._loop.round(self._specs, self._seed)
        if job.state != "completed" or looped.states.keys() != job.states.keys():
            message = f"job {job.id} is {job.state}, with {len(job.states)} of {len(looped.states)} variants"
            raise ServiceError(message, reason="bad_answer")
        return Pair(looped, job, computed)

    def _made(self, status: list[Load] | None) -> Timed:
        with connected(self._service.url) as client:
            sent = time.monotonic()
            job_id = submit(client, body_of(self._source, self._specs, self._seed))
            job = Timed(job_id, sent, time.monotonic())
            if status is None:
                return follow(client, job)
            with loading(self._service.url, regular(STATUS_RATE), get(f"/v1/jobs/{job_id}")) as load:
                follow(client, job)
            status.append(load)
            return job
