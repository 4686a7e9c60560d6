"""Both clients against a server that misbehaves: nothing is done twice, what breaks goes on where it broke."""

import asyncio
import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.situations_client import VARIANT, Misbehaving
from worldgen.client import AsyncClient, Client, Refused, RefusedInput
from worldgen.client.following import EventParser
from worldgen.errors import BadInput, ConfigError, ServiceError, SourceError

CLIP = bytes(range(256)) * 10_000


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    found = Misbehaving().start()
    yield found
    found.stop()


class Waited:
    """The asynchronous client, called as the blocking one is."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner, self._loop = inner, loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._call(found) if callable(found) else found

    def _call(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            found = method(*args, **kwargs)
            if isinstance(found, AsyncIterable):
                return self._items(found)
            if asyncio.iscoroutine(found):
                found = self._loop.run_until_complete(found)
            return Waited(found, self._loop) if type(found).__name__.startswith("Async") else found

        return call

    def _items(self, stream: Any) -> Iterable[Any]:
        while True:
            try:
                item = self._loop.run_until_complete(anext(stream))
            except StopAsyncIteration:
                return
            yield Waited(item, self._loop) if type(item).__name__.startswith("Async") else item


@pytest.fixture(params=["blocking", "asynchronous"])
def client(request: pytest.FixtureRequest, server: Misbehaving) -> Iterator[Any]:
    if request.param == "blocking":
        with Client(server.url, "wg_k_secret", patience_seconds=20) as found:
            yield found
        return
    loop = asyncio.new_event_loop()
    inner = AsyncClient(server.url, "wg_k_secret", patience_seconds=20)
    yield Waited(inner, loop)
    loop.run_until_complete(inner.close())
    loop.close()


def test_a_clip_goes_up_once_and_variants_come_down(client: Any, server: Misbehaving, tmp_path: Path) -> None:
    clip, labels = tmp_path / "clip.mp4", tmp_path / "labels.json"
    clip.write_bytes(CLIP)
    labels.write_text("{}")
    job = client.submit(clip, ["fog"], labels=labels, calibration=b"[1]", seed=3)
    sent = next(iter(server.jobs.values()))
    assert sent["source"] == f"blob:{hashlib.sha256(CLIP).hexdigest()}"
    assert sent["labels"] == f"blob:{hashlib.sha256(b'{}').hexdigest()}"
    assert sent["calibration"] == f"blob:{hashlib.sha256(b'[1]').hexdigest()}"
    assert server.blobs[hashlib.sha256(CLIP).hexdigest()] == CLIP
    client.submit(CLIP, "fog")
    assert sum(n for what, n in server.counts().items() if what.startswith("PUT")) == 3, (
        "known content went up"
    )
    assert job.wait(progress=False).state == "completed"
    (variant,) = list(job.variants())
    assert variant.is_accepted
    (folder,) = job.save(tmp_path / "out")
    assert folder == tmp_path / "out" / "variants" / f"fog-{VARIANT[:12]}"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == server.files
    fetched = len(server.seen)
    assert job.save(tmp_path / "out") == [folder]
    assert len(server.seen) == fetched + 1, "what is here was fetched again"
    assert variant.read("verdict.json") == b"{}"
    assert {h["Authorization"] for _, _, h in server.seen} == {"Bearer wg_k_secret"}
    assert "secret" not in repr(client) + repr(job) + repr(variant)


@pytest.mark.parametrize("fault", [503, 429, (429, "1"), 409, 500, "reset", "lost"])
def test_nothing_is_submitted_twice(client: Any, server: Misbehaving, fault: Any) -> None:
    server.faults = [("POST", "/v1/jobs", fault)]
    started = time.monotonic()
    job = client.submit("https://data.example.com/a.mp4", "fog")
    tries = server.headers("POST", "/v1/jobs")
    assert len(tries) == 2
    assert len({headers["Idempotency-Key"] for headers in tries}) == 1
    assert job.id == "job0"
    assert len(server.keys) == 1
    if isinstance(fault, tuple):
        assert time.monotonic() - started >= 1.0, "Retry-After was not honoured"
    client.submit("https://data.example.com/a.mp4", "fog")
    assert len(server.keys) == 2, "another request needs another key"


def test_a_long_wait_is_not_waited_for(client: Any, server: Misbehaving) -> None:
    server.faults = [("POST", "/v1/jobs", (429, "86400"))]
    with pytest.raises(Refused) as refused:
        client.submit("s3://bucket/a.mp4", "fog")
    assert refused.value.reason == "busy"
    assert refused.value.retry_after_seconds == 86400


def test_errors_keep_the_servers_code(client: Any, server: Misbehaving, tmp_path: Path) -> None:
    with pytest.raises(RefusedInput) as refused:
        client.submit("s3://bucket/a.mp4", ["frogs"])
    error = refused.value
    assert isinstance(error, BadInput)
    assert isinstance(error, ServiceError)
    assert (error.code, error.hint, error.nearest, error.exit_code) == (
        "spec.unknown_word",
        "fog?",
        {"frames": 93},
        2,
    )
    assert len(server.headers("POST", "/v1/jobs")) == 1, "what cannot pass was tried again"
    for wrong in (tmp_path / "none.mp4", tmp_path, b""):
        with pytest.raises(SourceError):
            client.submit(wrong, "fog")
    with pytest.raises(ServiceError) as unknown:
        client.variant("ff" * 16)
    assert unknown.value.reason == "not_found"


def test_an_upload_goes_on_where_it_broke(client: Any, server: Misbehaving) -> None:
    server.faults = [("PUT", "/v1/blobs", "cut"), ("PUT", "/v1/blobs", "reset")]
    name = client.upload(CLIP)
    assert server.blobs[name.removeprefix("blob:")] == CLIP
    last = server.headers("PUT", "/v1/blobs")[-1]
    assert last["Content-Range"] == f"bytes {len(CLIP) // 2}-{len(CLIP) - 1}/{len(CLIP)}"


def test_a_wrong_beginning_on_the_server_is_replaced(client: Any, server: Misbehaving) -> None:
    server.partial[hashlib.sha256(CLIP).hexdigest()] = b"wrong" * 100
    name = client.upload(CLIP)
    assert server.blobs[name.removeprefix("blob:")] == CLIP


def test_a_download_goes_on_where_it_broke(client: Any, server: Misbehaving, tmp_path: Path) -> None:
    server.faults = [("GET", "variant.mp4", "cut"), ("GET", "variant.mp4", 503)]
    (folder,) = client.job("job0").save(tmp_path)
    assert (folder / "variant.mp4").read_bytes() == server.files["variant.mp4"]
    ranges = [headers.get("Range") for headers in server.headers("GET", "variant.mp4")]
    assert ranges[0] is None
    assert ranges[-1] is not None
    assert ranges[-1].startswith("bytes=")


def test_other_content_is_never_kept(client: Any, server: Misbehaving, tmp_path: Path) -> None:
    server.faults = [("GET", "variant.mp4", "wrong")]
    (folder,) = client.job("job0").save(tmp_path / "once")
    assert (folder / "variant.mp4").read_bytes() == server.files["variant.mp4"]
    server.faults = [("GET", "variant.mp4", "wrong")] * 2
    with pytest.raises(ServiceError) as wrong:
        client.job("job0").save(tmp_path / "twice")
    assert wrong.value.reason == "bad_answer"
    assert not list((tmp_path / "twice" / "variants").iterdir())


def test_a_stream_goes_on_after_the_last_event(client: Any, server: Misbehaving) -> None:
    server.cut_events_after = 3
    events = list(client.job("job0").events())
    assert [event.id for event in events] == list(range(1, 11))
    assert events[1].spec == "fog\u2028"
    asked = [int(headers["Last-Event-ID"]) for headers in server.headers("GET", "/events")]
    assert len(asked) >= 4
    assert asked == sorted(asked)
    assert [e.id for e in client.job("job0").events(after=7)] == [8, 9, 10]


def test_a_stream_survives_a_restart_of_the_server(client: Any, server: Misbehaving) -> None:
    server.cut_events_after = 4
    seen = []
    for event in client.job("job0").events():
        seen.append(event.id)
        if event.id == 4:
            server.stop()
            threading.Timer(1.5, server.start).start()
    assert seen == list(range(1, 11))


def test_lists_are_paged_as_far_as_one_looks(client: Any, server: Misbehaving) -> None:
    assert [job.id for job in client.jobs()] == [f"job{n}" for n in range(5)]
    pages = server.counts()["GET /v1/jobs"]
    assert pages == 3
    next(iter(client.jobs("running")))
    assert server.counts()["GET /v1/jobs"] == pages + 1
    assert "state=running" in server.seen[-1][1]
    assert client.model().name == "physics"


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with Client("http://127.0.0.1:9", retries=1, patience_seconds=1) as client:
        with pytest.raises(ServiceError) as gone:
            client.job("x")
        assert gone.value.reason == "unreachable"
    for wrong in ("ftp://x", "127.0.0.1:8000", "http://a:b@c"):
        with pytest.raises(ConfigError):
            Client(wrong)


def test_a_notebook_shows_source_and_variants(client: Any, server: Misbehaving) -> None:
    job = client.submit(CLIP[:1000], "<b>fog</b>")
    page = (job._inner if isinstance(job, Waited) else job)._repr_html_()
    assert page.count("<video") == 2
    assert page.count("data:video/mp4;base64,") == 2
    assert "accepted" in page
    assert "secret" not in page


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_events_are_read_from_any_pieces(ends: bytes, size: int) -> None:
    lines = [
        b": x",
        b"id: 1",
        b"event: state",
        b'data: {"id":1,"kind":"state",',
        b'data: "state":"queued"}',
        b"",
    ]
    body = ends.join([*lines, *lines, b""])
    parser = EventParser()
    found = [event for at in range(0, len(body), size) for event in parser.feed(body[at : at + size])]
    found += parser.feed(b"\n")
    assert [event.id for event in found] == [1, 1]


def test_the_client_loads_nothing_heavy() -> None:
    code = (
        "import time; t = time.perf_counter(); import pydantic, httpx2; base = time.perf_counter() - t\n"
        "import sys, worldgen.client; whole = time.perf_counter() - t\n"
        "print(f'import: {whole / base:.1f} times pydantic and httpx2 alone', file=sys.stderr)\n"
        "print([m for m in ('torch', 'ray', 'cv2', 'av', 'numpy', 'rich', 'fastapi', 'worldgen.pipeline') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(ended.stderr)
    assert ended.stdout.strip() == "[]"


def test_a_proxy_of_the_environment_is_for_other_machines(
    server: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Client(server.url, retries=0) as client:
        assert client.models()
