"""Named situations for the service: a configuration, an accepted job, a runner that can be killed."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.config import ModelConfig, RunnerConfig, ServiceConfig
from serving.queue import JobQueue
from serving.store import Database, JobStore
from tests.situations_jobs import small_clip
from worldgen.media.failpoint import FILE_VARIABLE
from worldgen.media.video import sha256_of
from worldgen.wire import FINAL, JobRequest, JobStatus, Priority

ROOT = Path(__file__).parent.parent


def service_config(folder: Path, *, database: str = "", **changes: object) -> ServiceConfig:
    """A service over a folder, with the fake model and quick hearts."""
    parameters = {"steps": 3, "chunks": 1, "step_seconds": 0.05}
    values = {
        "out": folder / "runs",
        "database": database,
        "models": (ModelConfig(name="fake", parameters=parameters),),
        "runner": RunnerConfig(poll_seconds=0.1, beat_seconds=0.3, dead_after_seconds=2.0, drain_seconds=5),
        **changes,
    }
    return ServiceConfig(**values)


class Accepted:
    """The ingress side: accepts jobs, and looks."""

    def __init__(self, config: ServiceConfig) -> None:
        self.config = config
        self.jobs = JobStore(Database(config.database_url))
        self.queue = JobQueue(config, self.jobs)

    def upload(self, *, frames: int = 4, seed: int = 1) -> str:
        """A clip among the blobs."""
        self.config.blobs.mkdir(parents=True, exist_ok=True)
        clip = small_clip(self.config.blobs / f"upload{seed}.mp4", frames=frames, seed=seed)
        name = sha256_of(clip)
        clip.rename(self.config.blobs / name)
        return f"blob:{name}"

    def submit(
        self,
        source: str,
        *specs: str,
        seed: int = 0,
        priority: Priority = "interactive",
        owner: str = "local",
        deadline_seconds: float | None = None,
        enqueue: bool = True,
    ) -> str:
        """Accept a job as the ingress does."""
        request = JobRequest(
            source=source, specs=specs, seed=seed, priority=priority, deadline_seconds=deadline_seconds
        )
        status, _ = self.jobs.submit(
            request,
            job_id=uuid.uuid4().hex,
            owner=owner,
            variants_total=len(specs),
            fingerprint="",
            limit=1000,
        )
        if enqueue:
            self.queue.enqueue(status.id, priority)
        return status.id

    def wait(self, job_id: str, *, seconds: float = 60.0) -> JobStatus:
        """Wait until a job has ended."""
        return self.wait_until(job_id, lambda s: s.state in FINAL, seconds=seconds)

    def wait_until(self, job_id: str, holds, *, seconds: float = 60.0) -> JobStatus:
        """Wait until something holds of a job's status."""
        end = time.monotonic() + seconds
        while not holds(status := self.jobs.get(job_id)):
            assert time.monotonic() < end, f"after {seconds:.0f} s: {status}"
            time.sleep(0.05)
        return status


@contextmanager
def runner_process(
    config: ServiceConfig, index: int = 0, *, die_at: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """A runner with near steps in a process of its own; it is ready, or has died where it was asked to."""
    config.out.mkdir(parents=True, exist_ok=True)
    path = config.out / "config.json"
    path.write_text(config.model_dump_json())
    trap = config.out / "failpoint"
    if die_at:
        trap.write_text(die_at)
    log = (config.out / f"runner{index}.log").open("a")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.runners.near_runner", str(path), f"{config.name}-runner-{index}"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", FILE_VARIABLE: str(trap)},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.strip() == "ready" or die_at, (config.out / f"runner{index}.log").read_text()[-3000:]
        yield process
    finally:
        # One that was stopped by a test cannot take a signal otherwise.
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(30)
        log.close()
