"""Batches as jobs of Ray: submitted by entrypoint to the dashboard, which listens on the loopback."""

import json
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

from serving.config import ServiceConfig
from serving.http.backend import BatchRun
from serving.store.batches import Batch
from worldgen.errors import ServiceError, WorldgenError
from worldgen.wire import BatchState

_STATES: Final[dict[str, BatchState]] = {
    "PENDING": "queued",
    "RUNNING": "running",
    "SUCCEEDED": "completed",
    "FAILED": "failed",
    "STOPPED": "cancelled",
}
_STOP_SECONDS: Final = 60.0
_SOURCE_FAILED: Final = "source_failed:"


class RayBatches:
    """Runs batches on the Ray of this process.

    Args:
        config: Of the service: folder of results, and the parameters of its world models.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config

    def start(self, batch: Batch) -> None:
        """Submit a batch; one that is submitted already is left alone."""
        if self.look(batch) is not None:
            return
        with _answered():
            try:
                self._client.submit_job(entrypoint=self.entrypoint(batch), submission_id=batch.submission)
            except (RuntimeError, ValueError) as error:
                # Another replica may have been first: the name is the batch's own.
                if "already exists" not in str(error):
                    raise

    def look(self, batch: Batch) -> BatchRun | None:
        """Say what a submission is doing; None when Ray does not know it."""
        with _answered():
            try:
                info = self._client.get_job_info(batch.submission)
            except RuntimeError as error:
                if "does not exist" in str(error) or "404" in str(error):
                    return None
                raise
            state = _STATES[info.status.value]
            if state not in ("completed", "failed"):
                return BatchRun(state=state)
            said = _last_document(self._client.get_job_logs(batch.submission))
        return _ended(state, said, str(info.message or ""))

    def stop(self, batch: Batch) -> None:
        """Stop a submission and wait until it has ended; one that has ended is left alone."""
        found = self.look(batch)
        if found is None or found.state in ("completed", "failed", "cancelled"):
            return
        with _answered():
            self._client.stop_job(batch.submission)
        end = time.monotonic() + _STOP_SECONDS
        while (found := self.look(batch)) is not None and found.state in ("queued", "running"):
            if time.monotonic() > end:
                message = f"the batch has not stopped within {_STOP_SECONDS:.0f} s"
                raise ServiceError(message, reason="timeout", hint="ask again")
            time.sleep(0.3)

    def entrypoint(self, batch: Batch) -> str:
        """Return the command line that makes a batch."""
        model = self._config.model_named(batch.model)
        words = [sys.executable, "-m", "cluster.bulk", "--manifest", batch.manifest]
        words += ["--out", str(self._config.out.resolve()), "--model", model.name]
        words += ["--runners", str(batch.runners)]
        for name, value in model.parameters.items():
            words += ["--set", f"{name}={value}"]
        return shlex.join(words)

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 -- Ray annotates its client, and mypy does not follow it
        import ray
        from ray.job_submission import JobSubmissionClient

        # By name: what RAY_ADDRESS or a file in /tmp says may be another Ray of this machine.
        return JobSubmissionClient(ray.get_runtime_context().gcs_address)


@contextmanager
def _answered() -> Iterator[None]:
    """Say in our words that the dashboard does not answer, or answers with an error."""
    try:
        yield
    except WorldgenError:
        raise
    except Exception as error:
        message = f"Ray's job server does not answer ({type(error).__name__})"
        raise ServiceError(message, reason="unreachable", hint="try again in a few seconds") from error


def _ended(state: BatchState, said: dict[str, Any], message: str) -> BatchRun:
    counts = said.get("counts")
    failed = {
        key.removeprefix(_SOURCE_FAILED): int(count)
        for key, count in (counts.items() if isinstance(counts, dict) else ())
        if key.startswith(_SOURCE_FAILED)
    }
    if state == "completed":
        return BatchRun(state=state, failed_sources=failed)
    told = said.get("error")
    if isinstance(told, dict):
        error = {name: str(told.get(name, "")) for name in ("code", "message", "hint")}
    elif counts is not None:
        error = {"code": "service.failed", "message": "some variants failed", "hint": "submit it again"}
    else:
        error = {"code": "service.failed", "message": message[:500] or "the batch ended early", "hint": ""}
    return BatchRun(state=state, failed_sources=failed, error=error)


def _last_document(logs: str) -> dict[str, Any]:
    """Read the JSON that bulk prints when it ends."""
    for line in reversed(logs.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            return found if isinstance(found, dict) else {}
    return {}
