"""What an ingress replica has: stores, queue and contracts. It never launches DBOS and loads no weights."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from serving.batches import RayBatches
from serving.config import ServiceConfig
from serving.http.backend import BatchRunner, Readiness, Stores
from serving.queue import JobQueue
from serving.store import Database
from serving.store.runners import RunnerRegistry
from worldgen.catalog import Catalog
from worldgen.datatypes import ModelProfile
from worldgen.errors import ServiceError, WorldgenError
from worldgen.models.build import profile_of
from worldgen.wire import Priority


class ServiceBackend(Stores):
    """The service, seen from the ingress.

    Args:
        config: Of the service.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self.config = config
        self.database = Database(config.database_url)
        super().__init__(self.database)
        self.runners = RunnerRegistry(self.database, config.name)
        self.catalog = Catalog(config.out)
        self.queue = JobQueue(config, self.jobs)
        self._loading_since: dict[str, float] = {}
        if config.batches:
            threading.Thread(target=self._take_batches_up, name="batches", daemon=True).start()

    def enqueue(self, job_id: str, priority: Priority) -> None:
        """Hand an accepted job to the runners; twice is harmless, and a failure loses nothing."""
        self.queue.enqueue(job_id, priority)

    def stop(self, job_id: str) -> None:
        """Tell whoever works on a job to look at its flag: a runner looks every 0.3 s by itself."""

    def profiles(self) -> tuple[ModelProfile, ...]:
        """Return the contracts of the world models that are served, the default first."""
        return self._profiles

    def batch_runner(self) -> BatchRunner:
        """Return the Ray that this replica belongs to.

        Raises:
            ServiceError: `unsupported` where batches are off.
        """
        if not self.config.batches:
            message = "this service takes no batches"
            raise ServiceError(message, reason="unsupported", hint="worldgen serve --batches")
        return self._batch_runner

    def readiness(self) -> Readiness:
        """Say whether jobs are worked on: every deployment of Serve, and the runners' hearts.

        What is not there yet is loading; it is broken when Serve has given it up, when it was there and is
        unhealthy, or when it has been loading for longer than `start_seconds`.
        """
        from ray import serve

        waits: list[str] = []
        broken: list[str] = []
        try:
            applications = serve.status().applications.values()
            alive = [r for r in self.runners.states() if not r.is_dead and r.seconds_silent < self._silent]
        except (WorldgenError, RuntimeError) as error:
            return Readiness(state="broken", why=str(error))
        for application in applications:
            for name, found in application.deployments.items():
                seconds = self._seconds_loading(name, found.replica_states)
                state = found.status.value
                if state in ("UNHEALTHY", "DEPLOY_FAILED"):
                    broken.append(f"{name}: {_reason(found.message) or state}")
                elif seconds > self.config.start_seconds:
                    broken.append(
                        f"{name} has been loading for {seconds:.0f} s: {_reason(found.message) or state}"
                    )
                elif seconds:
                    waits.append(f"{name} is {state.lower()}")
        if not alive:
            waits.append("no runner has said that it lives")
        return Readiness(
            state="broken" if broken else "loading" if waits else "ready",
            why="; ".join((*broken, *waits)),
            notes=self._notes,
        )

    def _seconds_loading(self, name: str, replicas: Mapping[Any, int]) -> float:
        """Say for how long none of a deployment's replicas has run; 0 when one does."""
        if any(state == "RUNNING" and count for state, count in replicas.items()):
            self._loading_since.pop(name, None)
            return 0.0
        now = time.monotonic()
        return max(1e-3, now - self._loading_since.setdefault(name, now))

    @property
    def _notes(self) -> tuple[str, ...]:
        if not self.config.critic.vlm_endpoint:
            return ()
        return ("critic.vlm_endpoint is set and is not used yet: the critic is the measured panel",)

    def gauges(self) -> Mapping[str, float]:
        """Return what is measured here."""
        states = self.runners.states()
        return {"worldgen_runners_alive": float(sum(r.seconds_silent < self._silent for r in states))}

    def _take_batches_up(self) -> None:
        """Hand Ray the batches that an earlier one did not finish; those that it has are left alone."""
        with suppress(ServiceError):
            for batch in self.batches.unfinished():
                self._batch_runner.start(batch)

    @cached_property
    def _batch_runner(self) -> BatchRunner:
        return RayBatches(self.config)

    @property
    def _silent(self) -> float:
        return self.config.runner.dead_after_seconds

    @cached_property
    def _profiles(self) -> tuple[ModelProfile, ...]:
        return tuple(profile_of(model.name, model.parameters) for model in self.config.models)


def _reason(message: str) -> str:
    """Return what went wrong, of a message of Serve: its first sentence, and the last line of a traceback."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if not lines:
        return ""
    first = lines[0].partition(". ")[0]
    return first if len(lines) == 1 else f"{first}: {lines[-1][:500]}"
