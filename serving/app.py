"""The topology: one Ray Serve application from a configuration."""

import os
import time
from collections.abc import Callable
from typing import Any

from serving.config import ServiceConfig
from serving.http import build_http
from serving.runner import Runner
from worldgen.assembly import Worker

APPLICATION = "worldgen"


def build_app(config: ServiceConfig) -> Any:  # noqa: ANN401 -- Ray's Application is untyped
    """Bind ingress -> runner -> generator and critic. Replicas are plain classes."""
    from ray import serve

    scratch = str(config.scratch)
    # One generates, others wait behind its lock, and being told to stop must get through.
    generator = serve.deployment(
        Worker,
        name="generator",
        max_ongoing_requests=8,
        ray_actor_options={"num_cpus": config.generator_cpus},
    ).bind(config.model, scratch, config.parameters)
    critic = serve.deployment(
        Worker, name="critic", max_ongoing_requests=4, ray_actor_options={"num_cpus": config.critic_cpus}
    ).bind(config.model, scratch, config.parameters)
    runner = serve.deployment(
        Runner, name="runner", max_ongoing_requests=800, ray_actor_options={"num_cpus": 0.1}
    ).bind(config, generator, critic)
    ingress = serve.deployment(
        serve.ingress(lambda: build_http(config, serve.get_deployment_handle("runner", APPLICATION)))(
            Ingress
        ),
        name="ingress",
        max_ongoing_requests=800,
        ray_actor_options={"num_cpus": 0.1},
    )
    return ingress.bind(runner)


class Ingress:
    """Holds the HTTP application; binding the runner here tells Serve that it is needed."""

    def __init__(self, runner: Any) -> None:  # noqa: ANN401 -- Ray's handles are untyped
        self.runner = runner


def serve_until_stopped(
    config: ServiceConfig, *, ready: Callable[[str], None], seconds: float | None = None
) -> None:
    """Start a local cluster and the service, and stay until interrupted; stop what was started.

    Args:
        config: Settings.
        ready: Called once with the service's address.
        seconds: Leave after this long; None stays.
    """
    # Auth off is Ray's control plane on the loopback only; the service is reached through the ingress.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray import serve

    config.out.mkdir(parents=True, exist_ok=True)
    ray.init(
        include_dashboard=False,
        log_to_driver=False,
        num_cpus=max(4, os.cpu_count() or 1),
        object_store_memory=256 << 20,
    )
    try:
        serve.start(http_options={"host": config.host, "port": config.port})
        serve.run(build_app(config), name=APPLICATION, route_prefix="/")
        ready(f"http://{config.host}:{config.port}")
        end = time.monotonic() + seconds if seconds is not None else None
        while end is None or time.monotonic() < end:
            time.sleep(0.2)
    finally:
        serve.shutdown()
        ray.shutdown()
