"""One machine: a local Ray, the service on it, and a note beside the results that says where it is."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from serving.app import APPLICATION, build_app
from serving.config import LOOPBACK, ServiceConfig
from worldgen.datatypes.digest import Value
from worldgen.errors import ConfigError, ServiceError

_NOTE: Final = "server.json"
_TIMES: Final = 3

_ENVIRONMENT: Final = {
    # Auth off is Ray's control plane on the loopback only; the service is reached through the ingress.
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A raylet needs more than Ray's thirty seconds to start there.
    "RAY_raylet_start_wait_time_s": "120",
    # Replicas are the service: Ray starts its workers at nice 15, as if whatever else runs here came first.
    "RAY_worker_niceness": "0",
    # The proxy needs more than Ray's five seconds to start on a machine of two busy cores, and is killed.
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60",
    # The dashboard, which batches need, takes more than Ray's minute there.
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "300",
}
"""What Ray reads when it is imported; a value that is set already stays."""


class Server(Value):
    """A service that runs on this machine."""

    pid: int
    url: str
    started: str


def serve_until_stopped(
    config: ServiceConfig,
    *,
    ready: Callable[[str], None],
    broken: Callable[[str], None] | None = None,
    seconds: float | None = None,
) -> None:
    """Start a local cluster and the service, and stay until interrupted; stop what was started.

    Jobs that an earlier service left in the same folder go on.

    Args:
        config: Settings.
        ready: Called once with the service's address.
        broken: Called in place of `ready`, with the reason, when a part does not start, such as a world model
            whose weights are not here; the service stays, says so, and serves what it can. None: it leaves.
        seconds: Leave after this long; None stays.

    Raises:
        ConfigError: Another service works in the same folder.
        ServiceError: `failed`: it cannot be started.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray
    from ray import serve

    config.out.mkdir(parents=True, exist_ok=True)
    _refuse_taken(config)
    with _noted(config), _stopped_by_signals() as (stop, listen):
        _start_ray(_cpus(config), dashboard=config.batches)
        try:
            # Ray has put its own handler for SIGTERM there, which ends the process on the spot.
            listen()
            if stop.is_set():
                return
            _start_serve(config)
            _run(config, ready, broken)
            stop.wait(seconds)
            _drain(config)
        finally:
            serve.shutdown()  # type: ignore[no-untyped-call]  # Ray annotates some
            ray.shutdown()


def url_of(config: ServiceConfig) -> str:
    """Return the address under which this machine reaches the service."""
    host = config.host if config.host in LOOPBACK else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{config.port}"


def find_server(out: Path) -> Server | None:
    """Find the service that works in a folder of results; None when there is none, or it is dead."""
    try:
        server = Server.model_validate_json((out / _NOTE).read_bytes())
    except (OSError, ValueError):
        return None
    return server if _is_alive(server.pid) else None


def stop_server(out: Path, *, seconds: float) -> bool:
    """Stop the service that works in a folder, and wait until it has left.

    Returns:
        Whether there was one.

    Raises:
        ServiceError: `timeout` when it has not left after so many seconds.
    """
    server = find_server(out)
    if server is None:
        return False
    os.kill(server.pid, signal.SIGTERM)
    end = time.monotonic() + seconds
    while _is_alive(server.pid):
        if time.monotonic() > end:
            message = f"the service (process {server.pid}) has not left after {seconds:.0f} s"
            raise ServiceError(message, reason="timeout", hint=f"kill -9 {server.pid}: no job is lost")
        time.sleep(0.1)
    return True


def _run(config: ServiceConfig, ready: Callable[[str], None], broken: Callable[[str], None] | None) -> None:
    """Deploy, and say how it went."""
    from ray import serve

    try:
        serve.run(build_app(config), name=APPLICATION, route_prefix="/")
    except RuntimeError as error:
        found = serve.status().applications[APPLICATION].deployments
        ingress = found["ingress"].replica_states if "ingress" in found else {}
        if broken is None or not any(state == "RUNNING" and n for state, n in ingress.items()):
            message = f"the service does not start: {error}"
            raise ServiceError(message, reason="failed") from error
        failed = [name for name, d in found.items() if d.status.value == "DEPLOY_FAILED"]
        broken(f"{', '.join(failed) or APPLICATION}: {str(error).strip().splitlines()[-1]}")
    else:
        ready(url_of(config))


def _refuse_taken(config: ServiceConfig) -> None:
    """Refuse a port at which somebody listens: Serve would share it, and each get half of the requests."""
    host = config.host if config.host in LOOPBACK else "127.0.0.1"
    with suppress(OSError), socket.create_connection((host, config.port), timeout=2.0):
        message = f"something listens at {url_of(config)} already"
        raise ConfigError(message, reason="not_permitted", hint="another --port")


def _start_ray(cpus: int, *, dashboard: bool) -> None:
    """Start a local Ray; a machine that is busy meets Ray's thirty seconds at the second or third try.

    Raises:
        ServiceError: `failed`, with what Ray says.
    """
    import ray

    for time_ in range(1, _TIMES + 1):
        before = _children()
        try:
            ray.init(
                # One of our own, whatever other Ray this machine has.
                address="local",
                include_dashboard=dashboard,
                dashboard_host="127.0.0.1",
                log_to_driver=False,
                num_cpus=cpus,
                object_store_memory=256 << 20,
            )
        except Exception as error:
            ray.shutdown()
            _end(_children() - before)
            if time_ == _TIMES or "timed out during startup" not in str(error):
                message = f"Ray cannot be started here: {' '.join(str(error).split())[:400]}"
                raise ServiceError(message, reason="failed") from error
        else:
            return


def _start_serve(config: ServiceConfig) -> None:
    """Start Serve; a proxy that a busy machine does not bring up within Ray's minute gets another one."""
    from ray import serve

    for time_ in range(1, _TIMES + 1):
        try:
            # The second time it joins what the first has begun.
            serve.start(http_options={"host": config.host, "port": config.port})
        except TimeoutError:
            if time_ == _TIMES:
                raise
        else:
            return


def _children() -> set[Any]:
    import psutil  # Ray brings it

    return set(psutil.Process().children(recursive=True))


def _end(processes: set[Any]) -> None:
    """End what a start that failed has left: it would take the next one's processor time."""
    import psutil

    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10.0)


def _cpus(config: ServiceConfig) -> int:
    wanted = config.ingress.replicas * config.ingress.cpus + config.runner.replicas * config.runner.cpus
    wanted += config.critic.replicas * config.critic.cpus
    for model in config.models:
        wanted += model.cpus * (model.autoscale.most if model.autoscale else model.replicas)
    # Bulk books 2.2: a core each for its generator and its critic, and two runners.
    wanted += 2.5 if config.batches else 0
    # What Ray books is not what the machine has: small replicas share a core.
    return max(4, os.cpu_count() or 1, int(wanted + 2))


def _drain(config: ServiceConfig) -> None:
    """Let the runners leave first, while generators and critic still answer them."""
    from ray import serve

    for index in range(config.runner.replicas):
        with suppress(Exception):  # it may be dead: then there is nothing to drain
            handle: Any = serve.get_deployment_handle(f"runner-{index}", APPLICATION)
            handle.drain.remote().result(timeout_s=config.runner.drain_seconds + 10)


@contextmanager
def _stopped_by_signals() -> Iterator[tuple[threading.Event, Callable[[], None]]]:
    """Wake for Ctrl-C and for `worldgen stop`; a second Ctrl-C does not wait for anything."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        yield stop, lambda: None
        return

    def ask(number: int, frame: object) -> None:
        del frame
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    def listen() -> None:
        for number in numbers:
            signal.signal(number, ask)

    before = {number: signal.getsignal(number) for number in numbers}
    listen()
    try:
        yield stop, listen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _noted(config: ServiceConfig) -> Iterator[None]:
    """Note where the service is, and refuse a second one in the same folder: one runner would be two."""
    there = find_server(config.out)
    if there is not None and there.pid != os.getpid():
        message = f"a service works in {config.out} already: {there.url}, process {there.pid}"
        raise ConfigError(message, reason="not_permitted", hint="worldgen stop, or another folder (-o)")
    note = config.out / _NOTE
    started = datetime.now(UTC).isoformat(timespec="seconds")
    partial = note.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps({"pid": os.getpid(), "url": url_of(config), "started": started}) + "\n")
    partial.replace(note)
    # Nobody generates yet: marks and candidates of processes that were killed mean nothing any more.
    for left in config.scratch.glob("generating-*") if config.scratch.is_dir() else ():
        left.unlink(missing_ok=True)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # A zombie has ended; only its parent does not know yet.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
