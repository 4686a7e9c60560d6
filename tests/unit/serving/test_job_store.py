"""The store of jobs, on SQLite always and on a real Postgres where there is one."""

import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("sqlalchemy", reason="the serve extra is not installed")

from serving.store import Database, JobStore
from serving.store.database import engine_url
from serving.store.runners import RunnerRegistry
from worldgen.errors import ConfigError, ServiceError
from worldgen.wire import JobEvent, JobRequest, VariantLine

ASKED = JobRequest(source="blob:" + "a" * 64, specs=("fog",))


@pytest.fixture
def jobs(database):
    return JobStore(database)


def submit(jobs, job_id="a", *, request=ASKED, owner="me", fingerprint="", limit=100):
    return jobs.submit(
        request, job_id=job_id, owner=owner, variants_total=1, fingerprint=fingerprint, limit=limit
    )


def line(variant_id="v", state="accepted"):
    return JobEvent(
        id=0, kind="variant", state="running", variant=VariantLine(id=variant_id, spec="fog", state=state)
    )


def step(number, steps=8):
    return JobEvent(id=0, kind="progress", state="running", stage="paint", step=number, steps=steps)


def test_uploads_have_the_names_that_their_owners_gave_them_last(jobs):
    clip, other = "blob:" + "a" * 64, "blob:" + "b" * 64
    for number, (source, name, owner) in enumerate(
        [
            (clip, "first.mp4", "me"),
            (clip, "rain.mp4", "me"),
            (other, "", "me"),
            (clip, "theirs.mp4", "you"),
        ]
    ):
        asked = ASKED.model_copy(update={"source": source, "source_name": name})
        submit(jobs, f"j{number}", request=asked, owner=owner)
    assert jobs.source_names([clip, other], "me") == {clip: "rain.mp4"}
    assert jobs.source_names([clip, other], "you") == {clip: "theirs.mp4"}
    assert jobs.source_names([clip], None) == {clip: "theirs.mp4"}
    assert jobs.source_names([], None) == {}


def test_a_job_from_beginning_to_end(jobs):
    status, is_new = submit(jobs)
    assert (status.state, status.queue_position, is_new) == ("queued", 0, True)
    assert jobs.request("a") == ASKED
    attempt = jobs.take("a", "r0")
    assert jobs.emit("a", attempt, step(3)).id == 2
    assert jobs.emit("a", attempt, line()).id == 3
    status = jobs.get("a", owner="me")
    assert (status.state, status.step, status.stage, status.attempt) == ("running", 3, "paint", 1)
    assert (status.counts, status.variants_done) == ({"accepted": 1}, 1)
    ended = jobs.finish("a", attempt, "completed")
    assert (ended.state, ended.error) == ("completed", None)
    assert ended.finished is not None
    events = jobs.events("a", 0)
    assert [(e.id, e.kind, e.state) for e in events] == [
        (1, "state", "queued"),
        (2, "progress", "running"),
        (3, "variant", "running"),
        (4, "state", "completed"),
    ]
    assert jobs.events("a", 2) == events[2:]
    assert jobs.counts() == {"completed": 1}


def test_only_the_latest_attempt_can_write(jobs):
    submit(jobs)
    old, new = jobs.take("a", "r0"), jobs.take("a", "r1")
    assert (old, new) == (1, 2)
    for write in (
        lambda: jobs.emit("a", old, step(1)),
        lambda: jobs.finish("a", old, "completed"),
    ):
        with pytest.raises(ServiceError) as refused:
            write()
        assert refused.value.reason == "forbidden"
    assert jobs.why_stop("a", old) == "lost"
    assert jobs.why_stop("a", new) is None
    jobs.finish("a", new, "failed", {"code": "x.y", "message": "m", "hint": ""})
    with pytest.raises(ServiceError, match="failed"):
        jobs.take("a", "r2")
    with pytest.raises(ServiceError, match="nothing follows"):
        jobs.emit("a", new, step(1))


def test_a_variant_is_said_once_and_a_later_answer_replaces_an_earlier(jobs):
    submit(jobs)
    attempt = jobs.take("a", "r0")
    first = jobs.emit("a", attempt, line(state="failed"))
    assert jobs.emit("a", attempt, line(state="failed")).id == 0
    assert jobs.emit("a", attempt, line(state="accepted")).id == first.id + 1
    assert jobs.get("a").counts == {"accepted": 1}


def test_the_same_request_is_the_same_job(jobs):
    first, _ = submit(jobs, "a", fingerprint="f")
    again, is_new = submit(jobs, "b", fingerprint="f")
    assert (again.id, is_new) == (first.id, False)
    assert submit(jobs, "c", fingerprint="f", owner="you")[1], "another owner's is another"
    assert submit(jobs, "d", fingerprint="g")[1]
    assert submit(jobs, "e")[1]
    assert submit(jobs, "f")[1], "without a fingerprint nothing is the same"
    jobs.request_cancel("a", owner="me")
    assert submit(jobs, "g", fingerprint="f")[1], "what was cancelled may be asked for again"


def test_a_full_queue_refuses_and_loses_nothing(jobs):
    for index in range(3):
        submit(jobs, f"job{index}", limit=3)
    with pytest.raises(ServiceError) as busy:
        submit(jobs, "more", limit=3)
    assert busy.value.reason == "busy"
    jobs.take("job0", "r0")
    jobs.emit("job0", 1, step(1))
    assert submit(jobs, "more", limit=3)[1], "what is worked on does not wait"


def test_many_at_once_are_bounded_and_numbered(jobs):
    def attempt(index):
        try:
            return submit(jobs, f"job{index}", fingerprint=f"f{index % 20}", limit=10)[1]
        except ServiceError as error:
            return error.reason

    with ThreadPoolExecutor(8) as pool:
        said = Counter(pool.map(attempt, range(60)))
    assert said[True] == 10
    assert jobs.counts() == {"queued": 10}
    job = jobs.page(owner=None, after=None, limit=1).data[0].id
    number = jobs.take(job, "r0")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: jobs.emit(job, number, step(n)), range(1, 41)))
    assert [e.id for e in jobs.events(job, 0)] == list(range(1, 42))


def test_pages_queue_positions_and_owners(jobs):
    for index in range(5):
        priority = "interactive" if index == 4 else "batch"
        submit(jobs, f"job{index}", request=ASKED.model_copy(update={"priority": priority}))
        time.sleep(0.002)
    submit(jobs, "other", owner="you")
    first = jobs.page(owner="me", after=None, limit=3)
    assert [j.id for j in first.data] == ["job4", "job3", "job2"]
    last = jobs.page(owner="me", after=first.next, limit=3)
    assert [j.id for j in last.data] == ["job1", "job0"]
    assert last.next is None
    assert jobs.get("job4").queue_position == 0, "interactive goes first"
    assert jobs.get("job0").queue_position == 2
    assert {j.id for j in jobs.page(owner=None, after=None, limit=9, states=frozenset({"queued"})).data} >= {
        "other"
    }
    for look in (lambda: jobs.get("other", owner="me"), lambda: jobs.request_cancel("other", owner="me")):
        with pytest.raises(ServiceError) as hidden:
            look()
        assert hidden.value.reason == "not_found"
    jobs.emit("other", jobs.take("other", "r"), line("v9"))
    assert jobs.variants_owner("v9", "you")
    assert jobs.variants_owner("v9", None)
    assert not jobs.variants_owner("v9", "me")


def test_cancel_deadline_and_expiry(jobs):
    submit(jobs, "waits")
    assert jobs.request_cancel("waits", owner="me").state == "cancelled"
    submit(jobs, "runs")
    number = jobs.take("runs", "r0")
    jobs.emit("runs", number, step(1))
    asked = jobs.request_cancel("runs", owner=None)
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert jobs.cancel_requested("runs")
    assert jobs.why_stop("runs", number) == "cancelled"
    late = ASKED.model_copy(update={"deadline_seconds": 0.01})
    submit(jobs, "late", request=late)
    submit(jobs, "late and taken", request=late)
    number = jobs.take("late and taken", "r0")
    jobs.emit("late and taken", number, step(1))
    time.sleep(0.05)
    assert jobs.lapse() == ("late",)
    assert jobs.get("late").state == "expired"
    assert jobs.why_stop("late and taken", number) == "expired"
    assert set(jobs.unfinished()) == {"runs", "late and taken"}
    assert jobs.expire(before=datetime.now(UTC) + timedelta(hours=1)) == 2
    with pytest.raises(ServiceError):
        jobs.get("late")
    assert jobs.events("late", 0) == ()
    assert jobs.sources() == {ASKED.source}


def test_the_heart_of_a_runner(database):
    registry = RunnerRegistry(database, "one")
    registry.join("one-0", "first")
    registry.join("one-1", "other")
    RunnerRegistry(database, "two").join("two-0", "elsewhere")
    assert registry.beat("one-0", "first").standing == "alive"
    assert registry.dead(60, by="one-1", patience=30) == ()
    time.sleep(0.05)
    assert registry.dead(0.03, by="one-1", patience=0.02) == (), "it has been silent itself"
    assert 0.05 <= registry.beat("one-1", "other").seconds_silent < 30
    assert registry.dead(0.03, by="one-1", patience=30) == ("one-0",), "nobody looks at another service's"
    assert registry.beat("one-0", "first").standing == "dead"
    registry.join("one-0", "second")
    assert registry.beat("one-0", "first").standing == "replaced"
    assert registry.beat("one-0", "second").standing == "alive"
    registry.leave("one-0", "second")
    assert registry.dead(1e6, by="one-1", patience=1e6) == ("one-0",), "who has left is not waited for"
    assert registry.dead(1e6, by="one-2", patience=1e6) == (), "who never joined says nothing"


KILLED = """
import os, signal, sys, threading
from serving.store import Database, JobStore
from worldgen.wire import JobRequest
jobs = JobStore(Database(sys.argv[1]))
threading.Timer(float(sys.argv[2]), os.kill, (os.getpid(), signal.SIGKILL)).start()
for n in range(100000):
    jobs.submit(JobRequest(source="s", specs=("fog",)), job_id=f"{sys.argv[3]}-{n}", owner="o",
                variants_total=1, fingerprint="", limit=10**9)
    print(n, flush=True)
"""


def test_what_was_accepted_before_a_kill_is_there(jobs, database):
    url = database.url.render_as_string(hide_password=False)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, url, "1.0", "killed"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    accepted = [f"killed-{n}" for n in ended.stdout.split()]
    assert accepted, ended.stderr
    there = set(jobs.unfinished())
    assert set(accepted) <= there
    assert len(there) <= len(accepted) + 1
    assert submit(jobs, "after", limit=10**9)[1], "no lock is left behind"


@pytest.mark.parametrize("url", ["", "mysql://h/d", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_an_address_of_no_database_is_refused(url):
    with pytest.raises(ConfigError, match="sqlite:///path"):
        engine_url(url)


def test_a_database_of_another_version_is_refused(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/service.db")
    JobStore(database)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE worldgen_schema SET version = 99")
    with pytest.raises(ConfigError, match="version 99"):
        JobStore(database)


def test_a_server_that_is_not_there_is_said_without_its_name(tmp_path):
    with pytest.raises(ServiceError) as missing:
        JobStore(Database(f"postgresql://secret:word@/db?host={tmp_path}"))
    assert missing.value.reason == "unreachable"
    assert "secret" not in missing.value.message
    assert "word" not in missing.value.message
