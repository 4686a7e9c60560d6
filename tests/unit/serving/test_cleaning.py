"""What is old is forgotten, and nothing that somebody still needs: on SQLite and on Postgres."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

pytest.importorskip("dbos", reason="the serve extra is not installed")

from serving.cleaning import Cleaner
from serving.config import ServiceConfig
from serving.queue import JobQueue
from serving.store import JobStore
from serving.store.audit_log import AuditLog
from serving.store.batches import Batch, BatchStore
from serving.store.blobs import BlobStore
from serving.store.idempotency import Answer, IdempotencyStore
from serving.store.keys import KeyStore
from serving.store.tables import EVENTS, VARIANTS
from worldgen.wire import JobEvent, JobRequest, VariantLine

DAY = 86400.0


@pytest.fixture
def config(database, tmp_path):
    url = database.url.render_as_string(hide_password=False)
    return ServiceConfig(out=tmp_path / "runs", database=url, keep_jobs_days=10, keep_uploads_days=3)


@pytest.fixture
def jobs(database):
    return JobStore(database)


@pytest.fixture
def cleaner(config, jobs):
    # The journal is not there yet: that is one step that fails, and no reason to keep the rest.
    return Cleaner(config, jobs, JobQueue(config, jobs))


def file(path: Path, *, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def aged(database, table, column, key, value):
    """Make a row older than the server would: there is no other way to wait for days."""
    text = f"UPDATE {table} SET {column} = :value WHERE {key[0]} = :key"
    with database.write() as connection:
        connection.execute(sa.text(text), {"value": value, "key": key[1]})


def ago(days):
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def ended(jobs, job_id, source):
    request = JobRequest(source=source, specs=("fog",))
    jobs.submit(request, job_id=job_id, owner="me", variants_total=1, fingerprint="", limit=9)
    attempt = jobs.take(job_id, "r0")
    line = VariantLine(id=f"v-{job_id}", spec="fog", state="accepted")
    jobs.emit(job_id, attempt, JobEvent(id=0, kind="variant", state="running", variant=line))
    jobs.finish(job_id, attempt, "completed")


def test_old_jobs_go_with_their_events_and_lines(database, jobs, cleaner):
    for name in ("old", "new"):
        ended(jobs, name, "blob:" + "a" * 64)
    aged(database, "worldgen_jobs", "finished", ("id", "old"), time.time() - 11 * DAY)
    cleaner.clean()
    with database.read() as connection:
        for table in (EVENTS, VARIANTS):
            assert set(connection.scalars(sa.select(table.c.job_id))) == {"new"}
    assert [job.id for job in jobs.page(owner=None, after=None, limit=9).data] == ["new"]


def test_old_batches_go_with_their_manifests(database, config, cleaner):
    batches = BatchStore(database)
    manifests = {
        what: file(config.out / "batches" / f"{what}.jsonl", days=9) for what in ("old", "new", "open")
    }
    for what, manifest in manifests.items():
        batch = Batch(
            id=what,
            owner="me",
            submission=what,
            manifest=str(manifest),
            model="physics",
            runners=1,
            sources=1,
            variants_total=1,
        )
        batches.add(batch, limit=9)
        if what != "open":
            batches.end(what, "completed")
    aged(database, "worldgen_batches", "finished", ("id", "old"), time.time() - 11 * DAY)
    cleaner.clean()
    kept, _ = batches.page(owner=None, after=None, limit=9)
    assert {batch.id for batch in kept} == {"new", "open"}
    assert {what for what, manifest in manifests.items() if manifest.exists()} == {"new", "open"}


def test_uploads_go_when_nobody_names_or_has_shown_them(database, jobs, config, cleaner):
    blobs = BlobStore(database)
    names = {
        what: letter * 64 for what, letter in zip(("gone", "shown", "named", "fresh"), "abcd", strict=True)
    }
    for what, name in names.items():
        blobs.own("me", name, 1)
        file(config.blobs / name, days=0 if what == "fresh" else 9)
        if what not in ("shown", "fresh"):
            aged(database, "worldgen_blobs", "used", ("sha256", name), ago(9))
    ended(jobs, "j", f"blob:{names['named']}")
    without_owner = file(config.blobs / ("e" * 64), days=9)
    cleaner.clean()
    there = {what for what, name in names.items() if (config.blobs / name).exists()}
    assert there == {"shown", "named", "fresh"}
    assert blobs.owned("me", tuple(names.values())) == {names[what] for what in there}
    assert not without_owner.exists()


def test_an_upload_that_is_used_counts_as_shown(database, config, cleaner):
    blobs, name = BlobStore(database), "a" * 64
    blobs.own("me", name, 1)
    file(config.blobs / name, days=9)
    aged(database, "worldgen_blobs", "used", ("sha256", name), ago(9))
    blobs.touch(name)
    cleaner.clean()
    assert (config.blobs / name).exists()
    assert blobs.owned("me", (name,)) == {name}


def test_what_broke_off_goes_after_a_day(config, cleaner):
    old = [
        file(config.blobs / ".partial" / "owner-a", days=1.1),
        file(config.blobs / ".form-1", days=1.1),
        file(config.blobs / ".fetching-1", days=1.1),
        file(config.scratch / "depth.npy", days=1.1),
        file(config.scratch / "saves" / "step.safetensors", days=1.1),
    ]
    new = [
        file(config.blobs / ".partial" / "owner-b", days=0.9),
        file(config.blobs / ".form-2", days=0.9),
        file(config.scratch / "tags.npy", days=0.9),
        file(config.blobs / ("f" * 64), days=1.1),
    ]
    cleaner.clean()
    assert [path for path in old if path.exists()] == []
    assert [path for path in new if not path.exists()] == []


def test_lines_go_when_they_are_too_old(database, config, cleaner):
    log, keys, answers = AuditLog(database), KeyStore(database), IdempotencyStore(database)
    for action in ("old", "new"):
        log.add(action, owner="me", key_id="k")
        keys.charge(action, 2, limit=9)
        answers.begin("me", "jobs", action, "digest")
        answers.finish("me", "jobs", action, Answer(status=202, job_id="j", body="{}"))
    days = config.keep_audit_log_days
    aged(database, "worldgen_audit_log", "at", ("action", "old"), ago(days + 1))
    aged(database, "worldgen_usage", "day", ("owner", "old"), ago(days + 2)[:10])
    aged(database, "worldgen_idempotency", "begun", ("key", "old"), time.time() - 2 * DAY)
    cleaner.clean()
    assert [line.action for line in log.last()] == ["new"]
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT owner FROM worldgen_usage").all() == [("new",)]
        assert connection.exec_driver_sql("SELECT key FROM worldgen_idempotency").all() == [("new",)]
