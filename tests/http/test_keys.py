"""Keys: who is let in, and what they see; answered before a body is read."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.situations_http import Running, running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("guarded") / "runs", http={"keys": "on"}) as found:
        yield found


def test_wrong_missing_and_revoked_keys(guarded: Running) -> None:
    key_id, good = guarded.key("read")
    ask = guarded.http.get
    assert ask("/v1/jobs", headers=good).status_code == 200
    for headers in (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer wg_000000000000_" + "0" * 48},
        {"Authorization": good["Authorization"][:-1] + ("0" if good["Authorization"][-1] != "0" else "1")},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer " + "x" * 5000},
    ):
        refused = ask("/v1/jobs", headers=headers)
        assert refused.status_code == 401
        assert refused.json()["code"] == "service.unauthorized"
        assert "Bearer" in refused.headers["www-authenticate"]
    assert ask("/v1/jobs", auth=("key", good["Authorization"].removeprefix("Bearer "))).status_code == 200
    assert guarded.http.get("/healthz").status_code == 200
    assert ask("/metrics", headers=good).status_code == 403
    guarded.backend.keys.revoke(key_id)
    time.sleep(1.1)
    assert ask("/v1/jobs", headers=good).status_code == 401
    assert {"key.refused"} <= {line.action for line in guarded.backend.audit_log.last()}


def test_refused_before_the_body_is_read(guarded: Running) -> None:
    where = urlsplit(guarded.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as link:
        link.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000000\r\n\r\n"
        )
        assert b" 401 " in link.recv(4096).split(b"\r\n")[0], "not one byte of the body was sent"


def test_scopes(guarded: Running, clip: Path) -> None:
    _, reads = guarded.key("read")
    _, submits = guarded.key("submit")
    body = {"source": "blob:" + "0" * 64, "specs": ["fog"]}
    refused = guarded.submit(body, reads)
    assert refused.status_code == 403
    assert "submit" in refused.json()["detail"]
    assert guarded.http.put("/v1/blobs/" + "0" * 64, content=b"x", headers=reads).status_code == 403
    assert guarded.http.get("/v1/jobs", headers=submits).status_code == 403
    audit = f"/v1/variants/{'0' * 32}/audit"
    assert guarded.http.post(audit, json={"decision": "accept"}, headers=submits).status_code == 403


def test_a_key_sees_only_its_own(guarded: Running, clip: Path) -> None:
    _, mine = guarded.key("submit", "read", "audit")
    _, theirs = guarded.key("submit", "read", "audit")
    _, admin = guarded.key("admin")
    address = guarded.upload(clip, mine)
    job = guarded.submit({"source": address, "specs": ["fog"]}, mine).json()
    status = guarded.wait(job["id"], mine)
    variant = status["variants"][0]["id"]
    ask = guarded.http.get
    for path in (
        f"/v1/jobs/{job['id']}",
        f"/v1/jobs/{job['id']}/events",
        f"/v1/variants/{variant}",
        f"/v1/variants/{variant}/files/variant.json",
        f"/v1/videos/{job['id']}",
    ):
        assert ask(path, headers=mine).status_code == 200, path
        assert ask(path, headers=theirs).status_code == 404, path
        assert ask(path, headers=admin).status_code == 200, path
    assert guarded.http.post(f"/v1/jobs/{job['id']}/cancel", headers=theirs).status_code == 404
    said = {"decision": "accept"}
    assert guarded.http.post(f"/v1/variants/{variant}/audit", json=said, headers=theirs).status_code == 404
    assert guarded.http.post(f"/v1/variants/{variant}/audit", json=said, headers=mine).json()["by"] == "test"
    assert ask("/v1/jobs", headers=theirs).json()["data"] == []
    assert ask("/v1/variants", headers=theirs).json()["data"] == []
    assert [v["id"] for v in ask("/v1/variants", headers=mine).json()["data"]] == [variant]

    # The name of an upload is no right to it: who has not shown the content cannot use it.
    stolen = guarded.submit({"source": address, "specs": ["night"]}, theirs)
    assert stolen.status_code == 404
    assert stolen.json()["code"] == "service.not_found"
    name = address.removeprefix("blob:")
    missing = guarded.http.post("/v1/blobs/check", json={"sha256": [name]}, headers=theirs).json()["missing"]
    assert missing == [name]
    guarded.upload(clip, theirs)
    assert guarded.submit({"source": address, "specs": ["night"]}, theirs).status_code == 202


def test_quotas(guarded: Running, clip: Path) -> None:
    _, small = guarded.key("submit", "read", variants_per_day=3)
    address = guarded.upload(clip, small)
    first = guarded.submit({"source": address, "specs": ["fog", "night"]}, small)
    assert first.status_code == 202
    assert "r=1" in first.headers["ratelimit"]
    again = guarded.submit({"source": address, "specs": ["fog", "night"]}, small)
    assert again.status_code == 202
    assert again.json()["id"] == first.json()["id"], "a duplicate costs nothing"
    spent = guarded.submit({"source": address, "specs": ["rain", "snow"]}, small)
    assert spent.status_code == 429
    assert int(spent.headers["retry-after"]) <= 86400
    assert guarded.submit({"source": address, "specs": ["rain"]}, small).status_code == 202


def test_pages_of_others_change_nothing(service: Running) -> None:
    body = {"source": "blob:" + "0" * 64, "specs": ["fog"]}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert service.submit(body, headers).status_code == 403, headers
    assert service.submit(body, {"Origin": service.url}).status_code == 404, "our own page may"
    rebound = service.http.get("/v1/jobs", headers={"Host": "evil.example"})
    assert rebound.status_code == 403, "a name that was rebound to the loopback reads nothing"


def test_the_command_makes_lists_and_revokes(tmp_path: Path) -> None:
    def run(*words: str) -> dict:
        ended = subprocess.run(
            [sys.executable, "-m", "worldgen", "keys", *words, "-o", str(tmp_path), "--json"],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return json.loads(ended.stdout) | {"exit": ended.returncode}

    made = run("create", "nightly", "--scopes", "submit,read", "--per-day", "10")
    token, key = made["token"], made["key"]
    assert token.startswith(f"wg_{key['id']}_")
    assert token.encode() not in b"".join(p.read_bytes() for p in tmp_path.iterdir()), "secrets are not kept"
    assert run("create", "x", "--scopes", "fly")["error"]["code"] == "config.invalid"
    assert run("revoke", key["id"])["key"]["revoked"]
    assert [k["id"] for k in run("list")["keys"]] == [key["id"]]
    assert run("revoke", "nobody")["error"]["code"] == "service.not_found"
