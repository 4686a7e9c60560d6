"""The whole service on Postgres, jobs and journal: it works there, and goes on when Postgres is killed."""

import threading
import time

import pytest

pytest.importorskip("dbos", reason="the serve extra is not installed")

from serving.store import Database
from serving.store.keys import KeyStore
from serving.workflow import Durable
from tests.runners.test_kills import made
from tests.situations_jobs import small_clip
from tests.situations_postgres import postgres_server
from tests.situations_service import Accepted, Nursery, service_config
from worldgen.catalog import Catalog
from worldgen.client import Client
from worldgen.wire import FINAL


@pytest.fixture(scope="module")
def nursery():
    found = Nursery()
    yield found
    found.close()


@pytest.fixture
def postgres():
    with postgres_server() as found:
        yield found


def slow(config):
    """The same service with generations of some seconds."""
    parameters = {"steps": 20, "chunks": 1, "step_seconds": 0.15}
    model = config.models[0].model_copy(update={"parameters": parameters})
    return config.model_copy(update={"models": (model,)})


def test_a_job_goes_through_a_service_on_postgres(nursery, postgres, tmp_path):
    config = service_config(tmp_path, database=postgres.url)
    clip = small_clip(tmp_path / "clip.mp4", frames=4)
    with (
        nursery.runner(config),
        nursery.runner(config, 1),
        nursery.ingress(config) as ingress,
        Client(ingress.url) as client,
    ):
        job = client.submit(clip, ["fog 80 m", "heavy rain"])
        events = list(job.events())
        status = job.wait()
    assert status.state == "completed", status.error
    assert status.variants_done == status.variants_total == 2
    assert [e.id for e in events] == list(range(1, len(events) + 1))
    assert len(made(config.out)) == 2
    assert not list(config.out.glob("*.db")), "nothing is kept in SQLite"
    database = Database(postgres.url)
    with database.read() as connection:
        (journalled,) = connection.exec_driver_sql("SELECT status FROM dbos.workflow_status").all()
    database.close()
    assert journalled == ("SUCCESS",)


def test_jobs_go_on_when_postgres_is_killed_and_comes_back(nursery, postgres, tmp_path):
    config = slow(service_config(tmp_path, database=postgres.url, http={"keys": "on"}))
    # It is the silence of the database that must not end a runner; a full machine may keep one from beating.
    config = config.model_copy(
        update={"runner": config.runner.model_copy(update={"dead_after_seconds": 5.0})}
    )
    clip = small_clip(tmp_path / "clip.mp4", frames=4)
    token = KeyStore(Database(postgres.url)).create("test", frozenset({"submit", "read"}))[1]
    carried = {"Authorization": f"Bearer {token}"}
    events, late = [], []
    with (
        nursery.runner(config),
        nursery.runner(config, 1),
        nursery.ingress(config) as ingress,
        Client(ingress.url, key=token) as client,
        Client(ingress.url, key=token) as follower,
        Client(ingress.url, key=token) as sender,
    ):
        job = client.submit(clip, ["fog 80 m", "heavy rain"])
        follows = threading.Thread(target=lambda: events.extend(follower.job(job.id).events()))
        follows.start()
        accepted = Accepted(config)
        accepted.wait_until(job.id, lambda s: s.step >= 2)
        postgres.kill()
        down = time.monotonic()
        submits = threading.Thread(target=lambda: late.append(sender.submit(clip, ["night"])))
        submits.start()
        body = {"source": "blob:" + "0" * 64, "specs": ["fog"]}
        for _ in range(2):
            for answer in (
                ingress.http.get(f"/v1/jobs/{job.id}", headers=carried),
                ingress.http.post("/v1/jobs", json=body, headers=carried),
                ingress.http.get("/v1/jobs", headers={"Authorization": "Bearer wg_unknown"}),
                ingress.http.get("/v1/jobs", headers={"Authorization": token.join(("Bearer ", "x"))}),
                ingress.http.get("/v1/videos", headers=carried),
            ):
                assert answer.status_code in (401, 503), answer.text
                if answer.status_code == 503:
                    assert int(answer.headers["retry-after"]) > 0
                    assert "service.unreachable" in answer.text
            assert ingress.http.get("/healthz").status_code == 200
            # The second time a key that was known for a second is not known any more.
            time.sleep(1.5)
        assert ingress.http.get("/jobs", headers=carried).status_code == 503
        # Longer than the silence after which a runner is dead: here it was the database that was silent.
        time.sleep(max(0.0, config.runner.dead_after_seconds + 2 - (time.monotonic() - down)))
        postgres.start()
        status = accepted.wait(job.id)
        submits.join(60)
        assert len(late) == 1, "what was sent while the database was away was accepted in the end"
        later = accepted.wait(late[0].id)
        follows.join(30)
        every = accepted.jobs.page(owner=None, after=None, limit=100).data
    assert {j.id for j in every} == {job.id, late[0].id}
    for ended in (status, later):
        assert ended.state == "completed", ended.error
        assert ended.attempt == 1, "work was thrown away"
        assert ended.variants_done == ended.variants_total
    assert len(made(config.out)) == 3
    assert Catalog(config.out).damaged() == ()
    assert [e.id for e in events] == list(range(1, len(events) + 1)), "the stream went on where it was"
    assert events[-1].state in FINAL
    told = [e.variant.id for e in events if e.variant]
    assert sorted(told) == sorted(line.id for line in status.variants)
    assert [e.state for e in accepted.jobs.events(job.id, 0)].count("completed") == 1


class OutageAttempt:
    """An attempt under which the database is lost: its first step ends while there is none."""

    def __init__(self, postgres):
        self.postgres = postgres
        self.did = []

    def prepare(self):
        self.did.append("prepare")
        self.postgres.kill()
        threading.Timer(2.0, self.postgres.start).start()
        return {"ids": ["one"]}

    def variant(self, ids, index):
        self.did.append(f"variant {ids[index]}")
        return {"variant": ids[index], "state": "accepted"}

    def finish(self, ended):
        self.did.append(f"finish {ended['state']}")

    def close(self):
        self.did.append("close")


def test_a_step_that_ends_while_postgres_is_away_is_journalled_when_it_is_back(postgres, tmp_path):
    config = service_config(tmp_path, database=postgres.url)
    accepted, attempt = Accepted(config), OutageAttempt(postgres)
    durable = Durable(config, "runner", lambda job_id: attempt)
    try:
        accepted.submit("blob:" + "0" * 64, "fog 80 m")
        end = time.monotonic() + 60
        while "close" not in attempt.did:
            assert time.monotonic() < end, attempt.did
            time.sleep(0.05)
    finally:
        durable.close()
    assert attempt.did == ["prepare", "variant one", "finish accepted", "close"]
