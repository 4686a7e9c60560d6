"""One clip in by HTTP, judged variants out: the native surface as clients use it."""

import hashlib
import json
from pathlib import Path

import httpx2

from tests.situations_http import Running, running


def _events(text: str) -> list[dict]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def test_a_job_from_upload_to_file(service: Running, clip: Path) -> None:
    address = service.upload(clip)
    answer = service.submit({"source": address, "specs": ["fog 80 m", "night"], "seed": 3})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert job["state"] == "queued"
    assert job["variants_total"] == 2
    assert job["model"] == "fake"

    told = service.http.get(f"/v1/jobs/{job['id']}/events")
    events = _events(told.text)
    assert [e["id"] for e in events] == list(range(1, len(events) + 1))
    assert events[0]["state"] == "queued"
    assert events[-1]["state"] == "completed"
    resumed = service.http.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": "2"})
    assert _events(resumed.text) == events[2:]
    over = service.http.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": str(len(events))})
    assert over.status_code == 204, "a browser would come back for ever"

    status = service.wait(job["id"])
    assert status["state"] == "completed"
    assert status["variants_done"] == 2
    line = next(v for v in status["variants"] if "variant.mp4" in v["files"])

    view = service.http.get(f"/v1/variants/{line['id']}").json()
    assert view["state"] == line["state"]
    assert view["findings"]
    file = service.http.get(f"/v1/variants/{line['id']}/files/variant.mp4")
    assert file.status_code == 200
    assert file.headers["content-type"] == "video/mp4"
    tag = file.headers["etag"]
    assert tag == f'"{hashlib.sha256(file.content).hexdigest()}"'
    path = f"/v1/variants/{line['id']}/files/variant.mp4"
    part = service.http.get(path, headers={"Range": "bytes=10-19", "If-Range": tag})
    assert part.status_code == 206
    assert part.content == file.content[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(file.content)}"
    assert service.http.get(path, headers={"If-None-Match": tag}).status_code == 304
    beyond = service.http.get(path, headers={"Range": f"bytes={len(file.content)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(file.content)}"
    assert service.http.head(path).headers["content-length"] == str(len(file.content))
    source = service.http.get(f"/v1/variants/{line['id']}/files/source.mp4")
    assert source.status_code == 200
    assert source.content
    for name in ("..%2f..%2fservice.db", "%2e%2e%2fvariant.json", "verdict.json%00", ".partial", "a" * 500):
        assert service.http.get(f"/v1/variants/{line['id']}/files/{name}").status_code in (404, 405), name


def test_the_same_request_is_the_same_job_and_a_key_decides_otherwise(service: Running, clip: Path) -> None:
    body = {"source": service.upload(clip), "specs": ["heavy rain"], "seed": 5}
    first = service.submit(body)
    again = service.submit(body)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    other = service.submit(body, {"Idempotency-Key": "a"})
    assert other.json()["id"] != first.json()["id"]
    replayed = service.submit(body, {"Idempotency-Key": "a"})
    assert (replayed.status_code, replayed.json()) == (202, other.json())
    conflict = service.submit({**body, "seed": 6}, {"Idempotency-Key": "a"})
    assert conflict.status_code == 422
    refused = service.submit({**body, "specs": ["frogs"]}, {"Idempotency-Key": "b"})
    assert refused.status_code == 400
    assert refused.json()["code"] == "spec.unknown_word"
    assert service.submit(body, {"Idempotency-Key": "b"}).status_code == 202, "a refusal keeps no key"
    assert service.submit(body, {"Idempotency-Key": "x" * 256}).status_code == 400
    text = service.http.get("/metrics").text
    assert 'worldgen_duplicates_suppressed_total{by="fingerprint"} 1.0' in text
    assert 'worldgen_duplicates_suppressed_total{by="idempotency_key"} 1.0' in text


def test_lists_have_cursors_and_filters(service: Running, clip: Path) -> None:
    address = service.upload(clip)
    ids = []
    for seed in (21, 22, 23):
        job = service.submit({"source": address, "specs": ["fog 50 m"], "seed": seed}).json()
        service.wait(job["id"])
        ids.append(job["id"])
    first = service.http.get("/v1/jobs", params={"limit": 2, "state": "completed"}).json()
    assert [job["id"] for job in first["data"]] == ids[:0:-1]
    second = service.http.get("/v1/jobs", params={"limit": 2, "after": first["next"]}).json()
    assert second["data"][0]["id"] == ids[0]
    seen, after = [], ""
    while after is not None:
        page = service.http.get(
            "/v1/variants", params={"limit": 2, "after": after, "condition": "fog"}
        ).json()
        assert len(page["data"]) <= 2
        seen += [variant["id"] for variant in page["data"]]
        after = page.get("next")
    assert len(seen) >= 3
    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen)
    verdicts = {
        v["state"] for v in service.http.get("/v1/variants?verdict=rejected&limit=100").json()["data"]
    }
    assert verdicts <= {"rejected"}
    assert service.http.get("/v1/variants?verdict=nice").status_code == 422

    said = service.http.post(
        f"/v1/variants/{seen[0]}/audit", json={"decision": "reject", "reason": "blurry", "by": "ab"}
    )
    assert said.status_code == 201
    assert said.json()["by"] == "ab"
    assert service.http.get(f"/v1/variants/{seen[0]}").json()["audits"][0]["reason"] == "blurry"


def test_a_cancel_stops_within_a_step_and_nothing_follows(clip: Path, tmp_path: Path) -> None:
    slow = {"steps": 240, "chunks": 1, "step_seconds": 0.5}
    with running(tmp_path / "runs", parameters=slow) as service:
        address = service.upload(clip)
        first = service.submit({"source": address, "specs": ["fog"], "seed": 1}).json()
        second = service.submit({"source": address, "specs": ["fog"], "seed": 2}).json()
        with httpx2.stream("GET", f"{service.url}/v1/jobs/{first['id']}/events", timeout=60) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: ") and json.loads(line[6:])["step"] >= 2:
                    break
        waiting = service.http.post(f"/v1/jobs/{second['id']}/cancel").json()
        assert waiting["state"] == "cancelled", "a job that waits is cancelled at once"
        asked = service.http.post(f"/v1/jobs/{first['id']}/cancel").json()
        assert asked["cancel_requested"] or asked["state"] == "cancelled"
        status = service.wait(first["id"], seconds=20)
        assert status["state"] == "cancelled"
        told = _events(service.http.get(f"/v1/jobs/{first['id']}/events").text)
        assert told[-1]["state"] == "cancelled"
        assert max(e["step"] for e in told) < 240


def test_a_restart_goes_on_with_what_was_accepted(clip: Path, tmp_path: Path) -> None:
    with running(tmp_path / "runs", works=False) as service:
        job = service.submit({"source": service.upload(clip), "specs": ["night"]}).json()
        assert service.http.get("/readyz").status_code == 503
    with running(tmp_path / "runs") as service:
        assert service.http.get("/readyz").json()["state"] == "ready"
        assert service.wait(job["id"])["state"] == "completed"


def test_a_deadline_ends_a_job(clip: Path, tmp_path: Path) -> None:
    slow = {"steps": 240, "chunks": 1, "step_seconds": 0.5}
    with running(tmp_path / "runs", parameters=slow) as service:
        body = {"source": service.upload(clip), "specs": ["fog"], "deadline_seconds": 1.5}
        assert service.wait(service.submit(body).json()["id"], seconds=30)["state"] == "expired"


def test_what_is_told_outside(service: Running, clip: Path) -> None:
    job = service.submit({"source": service.upload(clip), "specs": ["snow"], "seed": 9}).json()
    service.wait(job["id"])
    answer = service.http.get("/healthz")
    assert answer.json()["status"] == "ok"
    for name, value in {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}.items():
        assert answer.headers[name] == value
    assert answer.headers["x-request-id"]
    assert service.http.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    text = service.http.get("/metrics").text
    for series in (
        'worldgen_jobs{state="completed"}',
        "worldgen_stage_seconds_total{",
        "worldgen_steps_total{",
        "worldgen_step_seconds_total{",
        "worldgen_variants_total{",
        'route="/v1/jobs/{job_id}"',
    ):
        assert series in text, series
    (profile,) = service.http.get("/v1/models").json()
    assert profile["name"] == "fake"
    assert service.http.get("/v1/models/fake").json() == profile
    assert service.http.get("/v1/models/nope").status_code == 404
    assert service.http.get("/nowhere").json()["code"] == "service.not_found"
    assert service.http.get("/docs").status_code == 404, "it would load scripts from elsewhere"


def test_what_a_source_is_called_is_shown_and_changes_nothing(service: Running, clip: Path) -> None:
    body = {"source": service.upload(clip), "specs": ["dusk"], "seed": 11}
    first = service.submit({**body, "source_name": "drive 1.mp4"}).json()
    assert first["source_name"] == "drive 1.mp4"
    assert service.http.get(f"/v1/jobs/{first['id']}").json()["source_name"] == "drive 1.mp4"
    again = service.submit({**body, "source_name": "another.mp4"})
    assert again.json()["id"] == first["id"], "the name is part of the request's identity"
    made = service.wait(first["id"])["variants"]
    new = service.submit({**body, "source_name": "third.mp4", "priority": "batch"}).json()
    assert new["id"] != first["id"]
    assert [v["id"] for v in service.wait(new["id"])["variants"]] == [v["id"] for v in made]
    for name in ("/data/drive.mp4", "..\\drive.mp4", "a\nb", "x" * 256):
        answer = service.submit({**body, "source_name": name})
        assert answer.status_code == 422, name
        assert answer.json()["code"] == "service.invalid"
