"""A rolling stop under load: one of two runners leaves while both work, and clients go on submitting."""

from collections import Counter
from itertools import pairwise

import pytest

pytest.importorskip("dbos", reason="the serve extra is not installed")

from serving.config import ModelConfig
from serving.store.counters import Counters
from tests.runners.test_kills import made
from tests.situations_jobs import small_clip
from tests.situations_service import Accepted, Nursery, service_config
from worldgen.catalog import Catalog
from worldgen.client import Client
from worldgen.wire import FINAL

AT_ONCE = 8
SPECS = ["fog 80 m", "heavy rain"]


@pytest.fixture(scope="module")
def nursery():
    found = Nursery()
    yield found
    found.close()


def test_a_runner_leaves_under_load_and_nothing_is_lost_or_doubled(nursery, tmp_path):
    runner = service_config(tmp_path).runner.model_copy(
        update={
            "jobs_each": AT_ONCE // 2,
            "jobs_per_owner": AT_ONCE,
            "dead_after_seconds": 10.0,
            "drain_seconds": 60,
        }
    )
    slow = ModelConfig(name="fake", parameters={"steps": 15, "chunks": 1, "step_seconds": 0.2}, replicas=2)
    config = service_config(tmp_path, runner=runner, models=(slow,))
    clip = small_clip(tmp_path / "clip.mp4", frames=4)
    accepted = Accepted(config)
    with nursery.ingress(config) as ingress, Client(ingress.url) as client:
        source = client.upload(clip)
        jobs = [client.submit(source, SPECS, seed=seed, upload=False).id for seed in range(AT_ONCE)]
        with nursery.runner(config) as leaving, nursery.runner(config, 1):
            accepted.wait_until(jobs[0], lambda _: len(working(accepted, jobs)) == AT_ONCE)
            leaving.terminate()
            seed = AT_ONCE
            while leaving.lives:
                jobs.append(client.submit(source, SPECS[:1], seed=seed, upload=False).id)
                seed += 1
                leaving.wait(0.5)
            before = made(config.out)
            assert leaving.wait(1) == 0
            assert any(accepted.jobs.get(job).state not in FINAL for job in jobs), "it was a stop under load"
            ended = [accepted.wait(job, seconds=120) for job in jobs]
    assert len(jobs) > AT_ONCE
    begun_again = 0
    for status in ended:
        assert status.state == "completed", status.error
        assert status.variants_done == status.variants_total
        assert status.attempt <= 2, "only the runner that left has left anything"
        events = accepted.jobs.events(status.id, 0)
        assert [e.id for e in events] == list(range(1, len(events) + 1))
        assert sorted(e.variant.id for e in events if e.variant) == sorted(v.id for v in status.variants)
        assert [e.state for e in events].count("completed") == 1
        for line in status.variants:
            steps = [e.step for e in events if e.kind == "progress" and e.variant_id == line.id]
            begun_again += sum(later < earlier for earlier, later in pairwise(steps))
    after = made(config.out)
    ids = {line.id for status in ended for line in status.variants}
    assert len(after) == len(ids) == sum(status.variants_total for status in ended)
    assert {name: after[name] for name in before} == before, "a finished variant was made again"
    counted = Counter()
    for name, _, number in Counters(accepted.jobs.database).read():
        counted[name] += number
    assert counted["worldgen_variants_total"] == len(ids), "each was made once"
    assert begun_again == counted["worldgen_retries_total"], "only what the critic rejected is begun again"
    assert Catalog(config.out).damaged() == ()


def working(accepted: Accepted, jobs: list[str]) -> list[str]:
    """Those that a runner has taken and not ended."""
    return [job for job in jobs if accepted.jobs.get(job).state not in (*FINAL, "queued")]
