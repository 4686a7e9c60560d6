"""Bad input and hostile clients, against a real server on a real port."""

import asyncio
import hashlib
import re
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.situations import BAD_FILES, BadFile
from tests.situations_http import Running, running
from tests.situations_jobs import small_clip

_FILES = [bad for bad in BAD_FILES if bad.name != "missing" and "folder" not in bad.recipe]


@pytest.mark.parametrize("bad", _FILES, ids=lambda bad: bad.name)
def test_bad_clips_get_typed_answers(service: Running, bad: BadFile, tmp_path: Path) -> None:
    path = bad.build(tmp_path)
    if not path.is_file():
        pytest.skip("a folder cannot be uploaded")
    address = service.upload(path)
    answer = service.submit({"source": address, "specs": ["fog"]})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"] == bad.code
    assert str(service.config.out) not in answer.text, "where uploads lie is nobody's business"


def test_a_lying_hash(service: Running) -> None:
    name = hashlib.sha256(b"what was promised").hexdigest()
    answer = service.http.put(f"/v1/blobs/{name}", content=b"something else")
    assert answer.status_code == 400
    assert answer.json()["code"] == "service.invalid"
    assert answer.headers["content-type"] == "application/problem+json"
    assert service.http.post("/v1/blobs/check", json={"sha256": [name]}).json() == {
        "missing": [name],
        "received": {},
    }
    for wrong in ("0" * 63, "A" * 64, "..%2f..%2fetc%2fpasswd"):
        assert service.http.put(f"/v1/blobs/{wrong}", content=b"x").status_code in (400, 404, 405)
    assert service.http.put(f"/v1/blobs/{hashlib.sha256(b'').hexdigest()}", content=b"").status_code in (
        200,
        201,
    )


def test_an_upload_goes_on_where_it_broke_off(service: Running) -> None:
    content = bytes(range(256)) * 4000
    name = hashlib.sha256(content).hexdigest()
    where = urlsplit(service.url)
    head = f"PUT /v1/blobs/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=10) as link:
        link.sendall(head.encode() + content[:300_000])
        time.sleep(0.5)
    asked = {"sha256": [name]}
    for _ in range(50):
        received = service.http.post("/v1/blobs/check", json=asked).json()["received"].get(name, 0)
        if received == 300_000:
            break
        time.sleep(0.1)
    assert received == 300_000
    total = len(content)
    gap = service.http.put(
        f"/v1/blobs/{name}",
        content=content[400_000:],
        headers={"Content-Range": f"bytes 400000-{total - 1}/{total}"},
    )
    assert gap.status_code == 409
    assert gap.headers["upload-offset"] == "300000"
    part = service.http.put(
        f"/v1/blobs/{name}",
        content=content[300_000:500_000],
        headers={"Content-Range": f"bytes 300000-499999/{total}"},
    )
    assert part.status_code == 202
    assert part.json()["size"] == 500_000
    rest = service.http.put(
        f"/v1/blobs/{name}",
        content=content[500_000:],
        headers={"Content-Range": f"bytes 500000-{total - 1}/{total}"},
    )
    assert rest.status_code == 201
    assert rest.json()["size"] == total
    assert service.http.put(f"/v1/blobs/{name}", content=b"").json()["known"]
    for wrong in ("bytes 5-1/9", "bytes */9", "lines 0-1/2", f"bytes 0-{'9' * 30}/{'9' * 31}"):
        other = hashlib.sha256(wrong.encode()).hexdigest()
        assert (
            service.http.put(f"/v1/blobs/{other}", content=b"x", headers={"Content-Range": wrong}).status_code
            == 400
        )


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory):
    settings = {"idle_seconds": 1.0, "body_seconds": 2.0, "max_body_bytes": 10_000, "jobs_in_flight": 1000}
    with running(
        tmp_path_factory.mktemp("narrow") / "runs",
        works=False,
        max_upload_bytes=200_000,
        max_queued_jobs=10,
        http=settings,
    ) as found:
        yield found


def _raw(service: Running, head: str, pieces: list[bytes], pause: float = 0.0) -> tuple[bytes, int]:
    """Send a request piece by piece; returns what was answered and how much was taken."""
    where, sent, answer = urlsplit(service.url), 0, b""
    with socket.create_connection((where.hostname, where.port), timeout=20) as link:
        link.sendall(head.encode())
        try:
            for piece in pieces:
                link.sendall(piece)
                sent += len(piece)
                time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while part := link.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
    return answer, sent


def test_a_body_too_large_is_cut_off_early(narrow: Running) -> None:
    name = "0" * 64
    piece = b"x" * 65536
    promised = f"PUT /v1/blobs/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {100 << 20}\r\n\r\n"
    answer, sent = _raw(narrow, promised, [piece] * 1600)
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert sent < 20 << 20
    chunked = f"PUT /v1/blobs/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    framed = b"%x\r\n%s\r\n" % (len(piece), piece)
    answer, sent = _raw(narrow, chunked, [framed] * 1600)
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert sent < 20 << 20
    json = narrow.http.post(
        "/v1/jobs",
        content=b'{"source": "' + b"x" * 20_000 + b'"}',
        headers={"Content-Type": "application/json"},
    )
    assert json.status_code == 413
    assert json.json()["code"] == "service.too_large"


def test_a_slow_client_is_given_up(narrow: Running) -> None:
    head = "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
    started = time.monotonic()
    answer, _ = _raw(narrow, head, [b"{"])
    assert b" 408 " in answer.split(b"\r\n")[0]
    answer, _ = _raw(narrow, head, [b" "] * 40, pause=0.2)
    assert b" 408 " in answer.split(b"\r\n")[0], "one byte at a time is no way round it"
    assert time.monotonic() - started < 20
    upload = f"PUT /v1/blobs/{'1' * 64} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\n"
    answer, _ = _raw(narrow, upload, [b"x"] * 20, pause=0.2)
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert narrow.http.get("/healthz").status_code == 200


def test_many_at_once_fill_the_queue_and_lose_nothing(narrow: Running, tmp_path: Path) -> None:
    address = narrow.upload(small_clip(tmp_path / "clip.mp4", frames=4))

    async def flood() -> list[httpx2.Response]:
        limits = httpx2.Limits(max_connections=60)
        async with httpx2.AsyncClient(base_url=narrow.url, timeout=120, limits=limits) as http:
            bodies = [{"source": address, "specs": ["fog"], "seed": seed} for seed in range(200)]
            return await asyncio.gather(*(http.post("/v1/jobs", json=body) for body in bodies))

    answers = asyncio.run(flood())
    accepted = [a.json()["id"] for a in answers if a.status_code == 202]
    refused = [a for a in answers if a.status_code == 429]
    assert len(accepted) + len(refused) == 200, {a.status_code for a in answers}
    assert len(accepted) == narrow.config.max_queued_jobs
    assert all(int(a.headers["retry-after"]) > 0 and a.json()["code"] == "service.busy" for a in refused)
    held = narrow.http.get("/v1/jobs", params={"limit": 100}).json()["data"]
    assert {job["id"] for job in held} == set(accepted), "what was accepted is there, and nothing else"


def test_only_allowed_paths(tmp_path: Path) -> None:
    root = tmp_path / "clips"
    root.mkdir()
    clip = small_clip(root / "clip.mp4", frames=4)
    secret = small_clip(tmp_path / "secret.mp4", frames=4)
    (root / "link.mp4").symlink_to(secret)
    with running(tmp_path / "runs", works=False, source_roots=(root,)) as service:
        assert service.submit({"source": str(clip), "specs": ["fog"]}).status_code == 202
        for outside in (
            str(secret),
            f"{root}/../secret.mp4",
            f"{root}/link.mp4",
            "/etc/passwd",
            f"{tmp_path}/nothing",
        ):
            answer = service.submit({"source": outside, "specs": ["fog"]})
            assert (answer.status_code, answer.json()["code"]) == (403, "service.forbidden"), outside
        for wrong in (
            "",
            "file:///etc/passwd",
            "http://example.com/a.mp4",
            "a\0b",
            "x" * 5000,
            "blob:zz",
            "ftp://x/y",
        ):
            assert service.submit({"source": wrong, "specs": ["fog"]}).status_code == 400, wrong
        spec_file = service.submit({"source": str(clip), "specs": [str(root / "specs.yaml")]})
        assert spec_file.status_code == 400, "a request reads no file of the server"
        beside = service.submit({"source": str(clip), "labels": "/etc/passwd", "specs": ["fog"]})
        assert beside.status_code == 403


def test_the_contract_is_checked_before_anything_is_accepted(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", frames=4)
    with running(tmp_path / "runs", works=False) as service:
        address = service.upload(clip)
        unknown = service.submit({"source": address, "specs": ["fog"], "model": "fakee"})
        assert unknown.status_code == 422
        assert unknown.json()["code"] == "contract.unknown_model"
        assert unknown.json()["nearest"] == {"model": "fake"}
        weighed = {"seed": 1, "fog_mor_m": 50.0, "control_weights": {"edge": 1.0}}
        assert service.submit({"source": address, "specs": [weighed]}).status_code == 202, (
            "the fake reads no controls"
        )
        assert service.submit({"source": address, "specs": ["fog"], "seed": -1}).status_code == 422
        many = service.submit(
            {
                "source": address,
                "specs": [f"fog {n} m" for n in range(10, 199)]
                + [f"rain {n} mm/h, dust {n + 9} m" for n in range(1, 12)],
            }
        )
        assert many.status_code in (400, 422), many.text


def test_no_prompt_and_no_name_in_the_log(
    service: Running, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="worldgen.service"):
        address = service.upload(clip)
        job = service.submit(
            {"source": address, "specs": [{"seed": 5, "fog_mor_m": 70.0, "prompt": "a secret plan"}]}
        ).json()
        service.submit({"source": "/clips/alice/drive.mp4", "specs": ["fog"]})
        service.http.get("/v1/jobs/alice-was-here?q=secret")
        service.http.get(f"/v1/jobs/{job['id']}")
    from serving.http.logs import JsonLines

    text = "\n".join(JsonLines().format(record) for record in caplog.records)
    assert job["id"] in text
    assert '"route": "/v1/jobs/{job_id}"' in text
    assert not re.search("secret|alice|drive.mp4", text)
