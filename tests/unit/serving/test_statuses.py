"""Statuses as they are sent: the same as the store's, whatever was kept of them."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")

from starlette.datastructures import Headers

from serving.http.statuses import Statuses
from serving.store import Database, JobStore
from worldgen.errors import ServiceError
from worldgen.wire import JobEvent, JobRequest, JobStatus, VariantLine

ASKED = JobRequest(source="blob:" + "a" * 64, specs=("fog",))
PLAIN, ZIPPED = Headers({}), Headers({"accept-encoding": "gzip, deflate"})


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobStore]:
    store = JobStore(Database(f"sqlite:///{tmp_path / 'jobs.db'}"))
    yield store
    store.database.close()


def _submit(jobs: JobStore, job_id: str, owner: str = "local") -> None:
    jobs.submit(ASKED, job_id=job_id, owner=owner, variants_total=1, fingerprint="", limit=100)


def _asked(statuses: Statuses, job_id: str, owner: str | None = None) -> JobStatus:
    plain = statuses.answer(job_id, owner, PLAIN)
    zipped = statuses.answer(job_id, owner, ZIPPED)
    body = bytes(plain.body)
    if "content-encoding" in zipped.headers:
        assert gzip.decompress(bytes(zipped.body)) == body
    return JobStatus.model_validate_json(body)


def _variant(name: str) -> JobEvent:
    findings = tuple({"check": f"c{n}", "passed": True, "value": n / 7} for n in range(60))
    line = VariantLine(id=name, spec="fog", state="accepted", findings=findings)
    return JobEvent(id=0, kind="variant", state="running", variant=line, variant_id=name)


def test_every_change_is_seen_at_once(jobs: JobStore) -> None:
    statuses = Statuses(jobs)
    _submit(jobs, "first")
    _submit(jobs, "second")
    assert _asked(statuses, "second").queue_position == 1
    jobs.request_cancel("first", owner=None)
    # Nothing of this job's own row has changed.
    assert _asked(statuses, "second").queue_position == 0
    attempt = jobs.take("second", "runner")
    assert _asked(statuses, "second").attempt == 1
    for event in (
        JobEvent(id=0, kind="state", state="preparing"),
        JobEvent(id=0, kind="progress", state="running", stage="render", step=3, steps=9),
        _variant("v" * 32),
    ):
        jobs.emit("second", attempt, event)
        assert _asked(statuses, "second") == jobs.get("second")
    jobs.request_cancel("second", owner=None)
    assert _asked(statuses, "second").cancel_requested
    jobs.finish("second", attempt, "cancelled")
    assert _asked(statuses, "second") == jobs.get("second")
    assert _asked(statuses, "second").state == "cancelled"


def test_what_is_long_is_sent_compressed_to_whoever_takes_it(jobs: JobStore) -> None:
    statuses = Statuses(jobs)
    _submit(jobs, "job")
    assert "content-encoding" not in statuses.answer("job", None, ZIPPED).headers
    jobs.emit("job", jobs.take("job", "runner"), _variant("v" * 32))
    answer = statuses.answer("job", None, ZIPPED)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == statuses.answer("job", None, PLAIN).headers["vary"] == "Accept-Encoding"
    assert len(answer.body) < len(statuses.answer("job", None, PLAIN).body) / 3


def test_a_kept_status_is_not_told_to_another_owner(jobs: JobStore) -> None:
    statuses = Statuses(jobs)
    _submit(jobs, "job", owner="ann")
    jobs.take("job", "runner")
    assert _asked(statuses, "job", "ann").id == "job"
    with pytest.raises(ServiceError, match="no job"):
        statuses.answer("job", "bob", PLAIN)


def test_a_job_that_was_removed_is_not_there(jobs: JobStore) -> None:
    statuses = Statuses(jobs)
    _submit(jobs, "job")
    jobs.request_cancel("job", owner=None)
    assert _asked(statuses, "job").state == "cancelled"
    jobs.remove("job", owner=None)
    with pytest.raises(ServiceError, match="no job"):
        statuses.answer("job", None, PLAIN)


def test_only_so_much_is_kept(jobs: JobStore) -> None:
    statuses = Statuses(jobs, most_bytes=20_000)
    for number in range(8):
        _submit(jobs, f"job{number}")
        jobs.emit(f"job{number}", jobs.take(f"job{number}", "runner"), _variant(f"{number:032}"))
    for number in (*range(8), *range(8)):
        assert _asked(statuses, f"job{number}") == jobs.get(f"job{number}")
    assert statuses._bytes <= 20_000
    assert statuses._bytes == sum(len(m.plain) + len(m.zipped) for m in statuses._made.values())
