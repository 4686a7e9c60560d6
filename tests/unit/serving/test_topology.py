"""What the configuration asks of Serve: replicas by queued work, GPUs together, one request at a time."""

import pytest

pytest.importorskip("ray", reason="the serve extra is not installed")

from serving.app import build_app, generator_options
from serving.config import ServiceConfig
from worldgen.config import find_configs, load_yaml, validated
from worldgen.errors import ConfigError


def generator(app, name):
    """A generator's deployment of a built application: behind the ingress, behind a runner."""
    (runners,) = app._bound_deployment.init_args
    _, _, generators, _ = runners[0]._bound_deployment.init_args
    return generators[name]._bound_deployment


def built(model):
    return generator(build_app(validated(ServiceConfig, models=[{"name": "fake", **model}])), "fake")


def test_replicas_follow_the_work_that_waits():
    deployment = built({"autoscale": {"least": 0, "most": 8, "ongoing": 1.5}})
    scaling = deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (0, 8)
    assert scaling.target_ongoing_requests == 1.5
    assert deployment.max_ongoing_requests == 1, "what waits, waits where Serve counts it"


def test_a_fixed_number_of_replicas_shares_a_gpu():
    deployment = built({"replicas": 3, "gpus": 0.5, "cpus": 2})
    assert deployment.num_replicas == 3
    assert deployment._deployment_config.autoscaling_config is None
    assert deployment.ray_actor_options == {"num_cpus": 2, "num_gpus": 0.5}
    assert deployment._replica_config.placement_group_bundles is None
    assert deployment.max_ongoing_requests == 1


@pytest.mark.parametrize("cpus", [0, 4])
def test_several_gpus_come_together_from_one_node(cpus):
    deployment = built({"gpus": 4, "cpus": cpus})
    (bundle,) = deployment._replica_config.placement_group_bundles
    assert bundle == ({"GPU": 4, "CPU": cpus} if cpus else {"GPU": 4})
    assert deployment._replica_config.placement_group_strategy == "STRICT_PACK"
    assert deployment.ray_actor_options["num_gpus"] == 4, "the one process sees them all"


def test_the_cluster_configuration_is_built():
    config = validated(ServiceConfig, **load_yaml(find_configs() / "serving" / "cluster.yaml"))
    options = generator_options(config.models[0])
    assert options["autoscaling_config"]["max_replicas"] == 8
    assert generator(build_app(config), "physics").num_replicas == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"models": [{"gpus": 1.5}]}, "fraction of one GPU"),
        ({"models": [{"autoscale": {"least": 3, "most": 2}}]}, "more than most"),
        ({"critic": {"vlm_endpoint": "localhost:8001"}}, "an endpoint is"),
        ({"critic": {"vlm_endpoint": "https://key:secret@host/v1"}}, "does not belong"),
        ({"critic": {"vlm_endpoint": "https://host:port/v1"}}, "an endpoint is"),
        ({"critic": {"vlm_endpoint": "file:///etc/passwd"}}, "an endpoint is"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(wrong, said):
    with pytest.raises(ConfigError, match=said) as refused:
        validated(ServiceConfig, **wrong)
    assert "secret" not in str(refused.value)


def test_an_endpoint_that_could_be_one_is_taken():
    for address in ("", "http://127.0.0.1:8001/v1", "https://critic.example.com/v1"):
        config = validated(ServiceConfig, critic={"vlm_endpoint": address})
        assert config.critic.vlm_endpoint == address
