"""What an ingress replica has: stores, queue and contracts. It never launches DBOS and loads no weights."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property

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
        """Say whether jobs are worked on: every deployment of Serve, and the runners' hearts."""
        from ray import serve

        why = []
        try:
            applications = serve.status().applications.values()
            alive = [r for r in self.runners.states() if not r.is_dead and r.seconds_silent < self._silent]
        except (WorldgenError, RuntimeError) as error:
            return Readiness(state="broken", why=str(error))
        for application in applications:
            for name, found in application.deployments.items():
                state = found.status.value
                if state in ("UNHEALTHY", "DEPLOY_FAILED"):
                    return Readiness(state="broken", why=f"{name}: {found.message or state}")
                if not any(key == "RUNNING" and n for key, n in found.replica_states.items()):
                    why.append(f"{name} is {state.lower()}")
        if not alive:
            why.append("no runner has said that it lives")
        return Readiness(state="loading" if why else "ready", why="; ".join(why))

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
