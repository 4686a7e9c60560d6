"""Batches without Ray: what is checked before anything is run, and who sees what."""

import json
from pathlib import Path

import pytest

from serving.store.batches import Batch, BatchStore
from serving.store.database import Database
from tests.situations_http import Running, running
from tests.situations_jobs import small_clip
from worldgen import augment
from worldgen.client import Client, Refused
from worldgen.errors import ServiceError
from worldgen.wire import BatchLine


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    return folder


@pytest.fixture
def rooted(tmp_path: Path, allowed: Path):
    with running(tmp_path / "runs", works=False, source_roots=(allowed,)) as found:
        yield found


def test_where_there_is_no_ray_a_batch_is_refused_with_what_to_do(rooted: Running, allowed: Path) -> None:
    line = {"source": str(allowed / "a.mp4"), "specs": ["fog"]}
    answer = rooted.http.post("/v1/batches", json={"lines": [line]})
    assert answer.status_code == 501
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "service.unsupported"
    assert "--batches" in answer.json()["hint"]
    assert rooted.http.get("/v1/batches").json() == {"data": [], "next": None}
    assert not (rooted.config.out / "batches").exists()
    with Client(rooted.url) as client, pytest.raises(Refused) as refused:
        client.submit_batch([line])
    assert refused.value.code == "service.unsupported"
    assert not refused.value.is_passing


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": [{"source": "/etc/passwd", "specs": ["fog"]}]}, 403, "service.forbidden"),
        ({"lines": [{"source": "A/../../x", "specs": ["fog"]}]}, 403, "service.forbidden"),
        (
            {"lines": [{"source": "A/a.mp4", "labels": "/etc/passwd", "specs": ["fog"]}]},
            403,
            "service.forbidden",
        ),
        ({"lines": [{"source": "https://a.example/a.mp4", "specs": ["fog"]}]}, 400, "service.invalid"),
        ({"lines": [{"source": "A/a.mp4", "specs": ["frogs"]}]}, 400, "spec.unknown_word"),
        ({"lines": [{"source": "A/a.mp4", "specs": ["/etc/specs.yaml"]}]}, 400, "spec.unknown_word"),
        (
            {"lines": [{"source": "A/a.mp4", "specs": ["fog"]}], "model": "none"},
            422,
            "contract.unknown_model",
        ),
        ({"manifest": "/etc/passwd"}, 403, "service.forbidden"),
        ({"manifest": "A/none.jsonl"}, 404, "service.not_found"),
        ({"manifest": "A/wrong.jsonl"}, 400, "service.invalid"),
        ({"manifest": "A/leaves.jsonl"}, 403, "service.forbidden"),
        ({}, 400, "service.invalid"),
    ],
)
def test_what_cannot_be_a_batch_is_refused_and_nothing_is_written(
    rooted: Running, allowed: Path, body: dict, status: int, code: str
) -> None:
    (allowed / "wrong.jsonl").write_text('{"source": "a.mp4", "specs": ["fog"]}\n{"source": 3}\n')
    (allowed / "leaves.jsonl").write_text('{"source": "../b.mp4", "specs": ["fog"]}\n')
    text = json.dumps(body).replace('"A/', f'"{allowed}/')
    answer = rooted.http.post("/v1/batches", content=text, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    if body.get("manifest") == "A/wrong.jsonl":
        assert "line 2" in answer.json()["detail"]
    assert not (rooted.config.out / "batches").exists()
    assert rooted.http.get("/v1/batches").json()["data"] == []


def _batch(name: str, owner: str) -> Batch:
    return Batch(
        id=f"batch-{name * 32}",
        owner=owner,
        submission=f"batch-{name * 32}",
        manifest="/nowhere",
        model="fake",
        runners=2,
        sources=1,
        variants_total=2,
    )


def test_a_key_sees_its_own_batches(tmp_path: Path) -> None:
    with running(tmp_path / "runs", works=False, http={"keys": "on"}) as found:
        key_id, ada = found.key("read", "submit")
        _, bob = found.key("read", "submit")
        _, admin = found.key("admin", "read")
        _, blind = found.key("audit")
        key = found.backend.keys.find(key_id)
        assert key is not None
        batch = found.backend.batches.add(_batch("a", key.owner), limit=9)
        path = f"/v1/batches/{batch.id}"
        assert found.http.get(path, headers=ada).json()["variants_total"] == 2
        assert found.http.get(path, headers=admin).status_code == 200
        assert found.http.get(path, headers=bob).status_code == 404
        assert found.http.post(f"{path}/cancel", headers=bob).status_code == 404
        assert found.http.get(path, headers=blind).status_code == 403
        assert found.http.get(path).status_code == 401
        assert found.http.get("/v1/batches", headers=bob).json()["data"] == []
        assert [b["id"] for b in found.http.get("/v1/batches", headers=ada).json()["data"]] == [batch.id]


def test_a_key_sees_the_variants_of_its_batches_once_it_asked(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "a.mp4", frames=6, seed=1)
    manifest = tmp_path / "all.jsonl"
    manifest.write_text(BatchLine(source=str(clip), specs=("fog 80 m",)).model_dump_json() + "\n")
    with running(tmp_path / "runs", works=False, http={"keys": "on"}) as found:
        made = augment(clip, ["fog 80 m", "night"], out=found.config.out, model="fake").variants
        key_id, ada = found.key("read")
        _, bob = found.key("read")
        key = found.backend.keys.find(key_id)
        assert key is not None
        batch = _batch("a", key.owner).model_copy(update={"manifest": str(manifest)})
        found.backend.batches.add(batch, limit=9)
        # What another batch made of the same clip is there already, and counts for this one.
        status = found.http.get(f"/v1/batches/{batch.id}", headers=ada).json()
        assert status["variants_done"] == 1
        fog, night = (variant.id for variant in made)
        listed = found.http.get("/v1/variants", headers=ada).json()["data"]
        assert [variant["id"] for variant in listed] == [fog]
        assert found.http.get(f"/v1/variants/{fog}", headers=ada).status_code == 200
        assert found.http.get(f"/v1/variants/{night}", headers=ada).status_code == 404
        assert found.http.get(f"/v1/variants/{fog}", headers=bob).status_code == 404
        assert found.http.get("/v1/variants", headers=bob).json()["data"] == []
        assert found.http.get(f"/v1/batches/{batch.id}", headers=ada).json()["variants_done"] == 1


def test_the_store_pages_bounds_and_believes_the_first_end(tmp_path: Path) -> None:
    store = BatchStore(Database(f"sqlite:///{tmp_path / 'service.db'}"))
    ids = [store.add(_batch(name, "ada"), limit=3).id for name in "abc"]
    with pytest.raises(ServiceError) as busy:
        store.add(_batch("d", "ada"), limit=3)
    assert busy.value.reason == "busy"
    first, after = store.page(owner="ada", after=None, limit=2)
    rest, end = store.page(owner="ada", after=after, limit=2)
    assert [b.id for b in (*first, *rest)] == ids[::-1]
    assert end is None
    assert store.page(owner="bob", after=None, limit=2) == ((), None)
    store.end(ids[0], "completed", failed_sources={"source.not_found": 2})
    store.end(ids[0], "cancelled")
    ended = store.get(ids[0], owner="ada")
    assert ended.state == "completed"
    assert ended.failed_sources == {"source.not_found": 2}
    assert [b.id for b in store.unfinished()] == ids[1:]
    assert store.add(_batch("d", "ada"), limit=3).state == "queued"
