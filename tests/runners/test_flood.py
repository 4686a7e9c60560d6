"""A thousand submissions at once over real HTTP: the queue is bounded, and what was accepted is made."""

import asyncio
import resource
from collections import Counter

import httpx2
import psutil
import pytest

pytest.importorskip("dbos", reason="the serve extra is not installed")

from tests.situations_jobs import small_clip
from tests.situations_service import Accepted, Nursery, service_config
from worldgen.catalog import Catalog
from worldgen.client import Client

SENT, TAKEN, SEEDS = 1000, 50, 5
GROWTH_BYTES = 100 << 20
"""What a thousand requests, all open at once, may add to an ingress; a tenth of a megabyte each."""


@pytest.fixture(scope="module")
def nursery():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * SENT:
        pytest.skip(f"a process may have {hard} files open here; the test needs {2 * SENT}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * SENT), hard))
    found = Nursery()
    yield found
    found.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def flood(url: str, source: str) -> list[httpx2.Response]:
    """Send everything at once, each submission with a key of its own as our client does."""
    limits = httpx2.Limits(max_connections=SENT)
    async with httpx2.AsyncClient(base_url=url, timeout=240, limits=limits) as http:
        return await asyncio.gather(
            *(
                http.post(
                    "/v1/jobs",
                    json={"source": source, "specs": ["fog 80 m"], "seed": number % SEEDS},
                    headers={"Idempotency-Key": f"key-{number}"},
                )
                for number in range(SENT)
            )
        )


def test_a_thousand_submissions_at_once_lose_nothing(nursery, tmp_path):
    runner = service_config(tmp_path).runner.model_copy(update={"jobs_each": 4})
    config = service_config(tmp_path, runner=runner, max_queued_jobs=TAKEN, http={"jobs_in_flight": 2 * SENT})
    quick = {"steps": 1, "chunks": 1, "step_seconds": 0.0}
    config = config.model_copy(
        update={"models": (config.models[0].model_copy(update={"parameters": quick}),)}
    )
    with nursery.ingress(config) as ingress:
        with Client(ingress.url) as client:
            source = client.upload(small_clip(tmp_path / "clip.mp4", frames=4))
        memory = psutil.Process(ingress.process.pid).memory_info
        before = memory().rss
        answers = asyncio.run(flood(ingress.url, source))
        growth = memory().rss - before
        accepted = {a.json()["id"] for a in answers if a.status_code == 202}
        refused = [a for a in answers if a.status_code == 429]
        assert len(accepted) + len(refused) == SENT, Counter(a.status_code for a in answers)
        assert len(accepted) == TAKEN
        for answer in refused:
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["code"] == "service.busy"
        assert growth < GROWTH_BYTES
        with nursery.runner(config):
            store = Accepted(config)
            for job_id in accepted:
                status = store.wait(job_id, seconds=120)
                assert (status.state, status.variants_done) == ("completed", 1), status.error
        assert {job.id for job in store.jobs.page(owner=None, after=None, limit=SENT).data} == accepted
        assert len(list(Catalog(config.out).entries())) == SEEDS
        again = ingress.http.post(
            "/v1/jobs",
            json={"source": source, "specs": ["fog 80 m"], "seed": 0},
            headers={"Idempotency-Key": "one-more"},
        )
        assert again.status_code == 202, "there is room again"
