"""Named situations for the service: a configuration, an accepted job, a runner that can be killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

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
        "runner": RunnerConfig(poll_seconds=0.1, beat_seconds=0.3, dead_after_seconds=3.0, drain_seconds=5),
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


class Nursery:
    """Forks runners: real processes, without the seconds that their imports take."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.runners.near_runner"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "loaded"

    def ask(self, order: dict[str, object]) -> int | None:
        """Send a line, read a line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    @contextmanager
    def runner(self, config: ServiceConfig, index: int = 0, *, die_at: str = "") -> Iterator["RunnerProcess"]:
        """A runner that works until the block is left, or dies where it is asked to."""
        config.out.mkdir(parents=True, exist_ok=True)
        trap = config.out / "failpoint"
        if die_at:
            trap.write_text(die_at)
        with self._born(config, f"{config.name}-runner-{index}", f"runner{index}", bool(die_at)) as found:
            yield found

    @contextmanager
    def ingress(self, config: ServiceConfig, index: int = 0) -> Iterator["IngressProcess"]:
        """An ingress replica on a real port, until the block is left."""
        config.out.mkdir(parents=True, exist_ok=True)
        with self._born(config, "", f"ingress{index}", may_die=False) as found:
            url = f"http://127.0.0.1:{found.ready.read_text()}"
            with httpx2.Client(base_url=url, timeout=60.0) as http:
                yield IngressProcess(found, url, http)

    @contextmanager
    def _born(
        self, config: ServiceConfig, executor: str, name: str, may_die: bool
    ) -> Iterator["RunnerProcess"]:
        log, ready = config.out / f"{name}.log", config.out / f"ready-{uuid.uuid4().hex}"
        pid = self.ask(
            {
                "config": config.model_dump_json(),
                "executor": executor,
                "trap": str(config.out / "failpoint"),
                "log": str(log),
                "ready": str(ready),
            }
        )
        assert pid is not None
        found = RunnerProcess(self, pid, ready)
        try:
            end = time.monotonic() + 60
            while not ready.exists():
                assert time.monotonic() < end, log.read_text()[-3000:]
                assert found.lives or may_die, log.read_text()[-3000:]
                if not found.lives:
                    break
                time.sleep(0.02)
            yield found
        finally:
            # One that was stopped by a test is woken first: it could not end otherwise.
            for number in (signal.SIGCONT, signal.SIGKILL):
                found.send(number)
            found.wait(30)

    def close(self) -> None:
        """End the nursery; its runners have ended."""
        self._process.kill()
        self._process.wait()


class RunnerProcess:
    """A runner, seen from outside."""

    def __init__(self, nursery: Nursery, pid: int, ready: Path) -> None:
        self.nursery = nursery
        self.pid = pid
        self.ready = ready
        self._ended: int | None = None

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.wait(0.01) is None

    def wait(self, seconds: float) -> int | None:
        """How it ended: minus the signal, or the exit code; None when it lives after so long."""
        if self._ended is None:
            self._ended = self.nursery.ask({"wait": self.pid, "seconds": seconds})
        return self._ended

    def send(self, number: int) -> None:
        """Send a signal, if it lives."""
        if self.lives:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to leave as Serve does."""
        self.send(signal.SIGTERM)

    def drain(self, seconds: float = 30.0) -> int | None:
        """Ask it to leave, and wait."""
        self.terminate()
        return self.wait(seconds)


@dataclass(frozen=True)
class IngressProcess:
    """An ingress replica, seen from outside."""

    process: RunnerProcess
    url: str
    http: httpx2.Client


@contextmanager
def served(
    folder: Path, *options: str, seconds: float = 600.0, states: tuple[str, ...] = ("ready",)
) -> Iterator[tuple[str, Path]]:
    """The real server as a user starts it, in one of the states; stopped as Ctrl-C does.

    Results are in `folder`/runs. A process of it dies at the place that the file `folder`/runs/failpoint names.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    log = (folder / "log").open("a")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "worldgen", "serve", "--port", str(port)),
            *("-o", str(folder / "runs")),
            *options,
        ],
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={
            **os.environ,
            "RAY_AUTH_MODE": "disabled",
            FILE_VARIABLE: str(folder / "runs" / "failpoint"),
        },
    )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + seconds
        while state_of(url) not in states:
            said = (folder / "log").read_text()[-3000:]
            assert process.poll() is None, f"the server ended:\n{said}"
            assert time.monotonic() < end, f"the server did not come up in {seconds:.0f} s:\n{said}"
            time.sleep(0.5)
        yield url, folder
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def state_of(url: str) -> str:
    """What /readyz says; empty while nobody answers, or nobody of ours."""
    try:
        answer = httpx2.get(f"{url}/readyz", timeout=10.0)
        state = str(answer.json().get("state", ""))
    except (httpx2.TransportError, ValueError):
        return ""
    assert (answer.status_code == 200) == (state == "ready")
    return state
