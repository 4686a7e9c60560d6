"""The topology: one Ray Serve application from a configuration. The only place that makes deployments."""

from typing import Any, Final

from serving.backend import ServiceBackend
from serving.config import ModelConfig, ServiceConfig
from serving.ingress import build_ingress
from serving.replicas import Critic, FarRunner, Generator

APPLICATION: Final = "worldgen"

_HEALTH: Final = {"health_check_period_s": 2.0, "health_check_timeout_s": 60.0}
"""A dead replica is seen within two seconds; one that is only slow has a minute."""
_MARGIN_SECONDS: Final = 30.0


def build_app(config: ServiceConfig) -> Any:  # noqa: ANN401 -- Ray's Application is untyped
    """Bind ingress -> runners -> a generator per world model, and the critic. Replicas are plain classes.

    Generators and critic outlive the runners, and runners leave when their generations are finished: a
    rolling update throws nothing away.
    """
    drained = config.runner.drain_seconds + _MARGIN_SECONDS
    generators = {model.name: _generator(config, model, drained) for model in config.models}
    critic = _deployment(
        Critic,
        name="critic",
        num_replicas=config.critic.replicas,
        max_ongoing_requests=4,
        graceful_shutdown_timeout_s=drained + _MARGIN_SECONDS,
        ray_actor_options={"num_cpus": config.critic.cpus},
    ).bind("physics", str(config.scratch), cache_bytes=config.cache_bytes)
    # A deployment each: the name of a replica is new after every restart, the name of a deployment is not.
    runners = [
        _deployment(
            FarRunner,
            name=f"runner-{index}",
            num_replicas=1,
            max_ongoing_requests=8,
            graceful_shutdown_timeout_s=drained,
            ray_actor_options={"num_cpus": config.runner.cpus},
        ).bind(config, executor, generators, critic)
        for index, executor in enumerate(config.executors())
    ]
    ingress = _deployment(
        _ingress(config),
        name="ingress",
        num_replicas=config.ingress.replicas,
        max_ongoing_requests=config.ingress.ongoing,
        max_queued_requests=config.ingress.waiting,
        backpressure_config={"status_code": 429, "retry_after_s": 5},
        ray_actor_options={"num_cpus": config.ingress.cpus},
    )
    return ingress.bind(runners)


def _generator(config: ServiceConfig, model: ModelConfig, drained: float) -> Any:  # noqa: ANN401 -- see above
    return _deployment(
        Generator,
        name=f"generator-{model.name}",
        graceful_shutdown_timeout_s=drained + _MARGIN_SECONDS,
        **generator_options(model),
    ).bind(
        model.name,
        str(config.scratch),
        model.parameters,
        config.database_url,
        cache_bytes=config.cache_bytes,
    )


def generator_options(model: ModelConfig) -> dict[str, Any]:
    """Say what Serve has to know of a world model's replicas: how many, on what, and one request at a time.

    More requests wait at the callers, where Serve counts them for autoscaling and gives them to whichever
    replica is free first. To stop a generation takes no request: its stream is closed.
    """
    options: dict[str, Any] = {
        "max_ongoing_requests": 1,
        "ray_actor_options": {"num_cpus": model.cpus, "num_gpus": model.gpus},
    }
    if model.autoscale is None:
        options["num_replicas"] = model.replicas
    else:
        options["autoscaling_config"] = {
            "min_replicas": model.autoscale.least,
            "max_replicas": model.autoscale.most,
            "target_ongoing_requests": model.autoscale.ongoing,
        }
    if model.gpus > 1:
        # One process drives them all, so they come together, from one node, or not at all.
        bundle = {"GPU": model.gpus} | ({"CPU": model.cpus} if model.cpus else {})
        options |= {"placement_group_bundles": [bundle], "placement_group_strategy": "STRICT_PACK"}
    return options


def _deployment(replica: type, **options: Any) -> Any:  # noqa: ANN401 -- see above
    from ray import serve

    return serve.deployment(replica, **{**_HEALTH, **options})


def _ingress(config: ServiceConfig) -> Any:  # noqa: ANN401 -- see above
    from ray import serve

    return serve.ingress(lambda: build_ingress(config, ServiceBackend(config)))(Ingress)


class Ingress:
    """Holds the HTTP application; binding the runners here tells Serve that they are needed."""

    def __init__(self, runners: list[Any]) -> None:
        self.runners = runners
