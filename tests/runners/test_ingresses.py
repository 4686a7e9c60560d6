"""Several ingress replicas over one database and folder: whatever was begun at one goes on at the other."""

import hashlib
import threading

import pytest

pytest.importorskip("dbos", reason="the serve extra is not installed")

from tests.situations_jobs import small_clip
from tests.situations_service import Accepted, Nursery, service_config
from worldgen.client import Client
from worldgen.wire import FINAL


@pytest.fixture(scope="module")
def nursery():
    found = Nursery()
    yield found
    found.close()


@pytest.fixture
def config(tmp_path):
    return service_config(tmp_path, http={"keys": "on"})


@pytest.fixture
def two(nursery, config):
    with nursery.ingress(config) as first, nursery.ingress(config, 1) as second:
        from serving.store.keys import KeyStore

        token = KeyStore(Accepted(config).jobs.database).create("test", frozenset({"submit", "read"}))[1]
        for ingress in (first, second):
            ingress.http.headers["Authorization"] = f"Bearer {token}"
        yield first, second


def test_an_upload_goes_on_at_the_other_and_is_known_to_both(two, tmp_path):
    first, second = two
    content = small_clip(tmp_path / "clip.mp4", frames=4).read_bytes()
    name, half = hashlib.sha256(content).hexdigest(), len(content) // 2
    part = first.http.put(
        f"/v1/blobs/{name}",
        content=content[:half],
        headers={"Content-Range": f"bytes 0-{half - 1}/{len(content)}"},
    )
    assert (part.status_code, part.json()["size"]) == (202, half)
    asked = second.http.post("/v1/blobs/check", json={"sha256": [name]}).json()
    assert asked == {"missing": [name], "received": {name: half}}
    rest = second.http.put(
        f"/v1/blobs/{name}",
        content=content[half:],
        headers={"Content-Range": f"bytes {half}-{len(content) - 1}/{len(content)}"},
    )
    assert rest.status_code == 201
    for ingress in two:
        assert ingress.http.post("/v1/blobs/check", json={"sha256": [name]}).json()["missing"] == []
    body = {"source": f"blob:{name}", "specs": ["fog 80 m"]}
    assert first.http.post("/v1/jobs", json=body).status_code == 202


def test_the_same_key_at_both_is_one_job(two, config, tmp_path):
    first, second = two
    content = small_clip(tmp_path / "clip.mp4", frames=4).read_bytes()
    name = hashlib.sha256(content).hexdigest()
    assert first.http.put(f"/v1/blobs/{name}", content=content).status_code == 201
    body = {"source": f"blob:{name}", "specs": ["fog 80 m"]}
    answers, together = [], threading.Barrier(6)

    def send(ingress, key):
        together.wait()
        answers.append(ingress.http.post("/v1/jobs", json=body, headers={"Idempotency-Key": key}))

    senders = [threading.Thread(target=send, args=(ingress, "same")) for ingress in (*two, *two, *two)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert {a.status_code for a in answers} <= {202, 409}, [a.text for a in answers]
    ids = {a.json()["id"] for a in answers if a.status_code == 202}
    again = second.http.post("/v1/jobs", json=body, headers={"Idempotency-Key": "same"})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert ids == {again.json()["id"]}
    # Without a key, the same content is the same job at whichever replica.
    plain = [ingress.http.post("/v1/jobs", json=body).json()["id"] for ingress in (first, second, first)]
    assert len(set(plain)) == 1
    assert len(Accepted(config).jobs.page(owner=None, after=None, limit=9).data) == 2


def test_a_job_is_followed_at_one_and_cancelled_at_the_other(nursery, two, config, tmp_path):
    first, second = two
    parameters = {"steps": 400, "chunks": 1, "step_seconds": 0.1}
    model = config.models[0].model_copy(update={"parameters": parameters})
    token = first.http.headers["Authorization"].removeprefix("Bearer ")
    events, seen = [], threading.Event()
    with (
        nursery.runner(config.model_copy(update={"models": (model,)})),
        Client(first.url, key=token) as here,
        Client(second.url, key=token) as there,
    ):
        job = here.submit(small_clip(tmp_path / "clip.mp4", frames=4), ["fog 80 m", "night"])

        def follow():
            for event in there.job(job.id).events():
                events.append(event)
                if event.step >= 2:
                    seen.set()

        follower = threading.Thread(target=follow)
        follower.start()
        assert seen.wait(60)
        job.cancel()
        follower.join(60)
        assert not follower.is_alive()
        assert there.job(job.id).status().state == "cancelled"
    assert [e.id for e in events] == list(range(1, len(events) + 1))
    assert events[-1].state in FINAL
