"""Kill -9 of a runner at every named stage: the job goes on, nothing is made twice, nothing is published twice."""

import resource
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("dbos", reason="the serve extra is not installed")

from tests.situations_service import Accepted, Nursery, service_config
from worldgen.catalog import Catalog
from worldgen.wire import FINAL

STAGES = (
    "runner.taken",
    "runner.prepared",
    "runner.generating",
    "runner.judging",
    "publish.after_files",
    "publish.before_rename",
    "publish.after_rename",
    "runner.after_publish",
    "runner.after_commit",
    "runner.before_journal",
    "runner.before_finish",
    "runner.after_finish",
)
"""From the moment a job is taken to the moment it is over; `publish.*` are inside the catalogue's commit."""

PUBLISHED = STAGES[STAGES.index("publish.after_rename") :]
"""Stages after which the variant is there: it must not be made again."""


@pytest.fixture(scope="module")
def nursery():
    found = Nursery()
    yield found
    found.close()


def made(out: Path) -> dict[str, float]:
    """Variant folder -> when its video was written."""
    return {p.name: (p / "variant.mp4").stat().st_mtime_ns for p in (out / "variants").glob("*")}


def freeze(runner, config) -> None:
    """Stop a process where it holds no lock: a stopped one would keep the others out of a SQLite file."""
    for _ in range(100):
        runner.send(signal.SIGSTOP)
        try:
            for name in ("service.db", "workflows.db"):
                with closing(sqlite3.connect(config.out / name, timeout=0.3, isolation_level=None)) as found:
                    found.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            runner.send(signal.SIGCONT)
            time.sleep(0.05)
        else:
            return
    pytest.fail("it always holds a lock")


@pytest.mark.parametrize("stage", STAGES)
def test_a_runner_that_dies_at_any_stage_loses_and_doubles_nothing(nursery, tmp_path, stage):
    config = service_config(tmp_path)
    accepted = Accepted(config)
    with nursery.runner(config, die_at=stage) as runner:
        job = accepted.submit(accepted.upload(), "fog 80 m", "heavy rain")
        assert runner.wait(60) == -signal.SIGKILL, "it must really die there"
    before = made(config.out)
    assert bool(before) == (stage in PUBLISHED), "the kill came where it was asked to"
    with nursery.runner(config):
        status = accepted.wait(job)
    assert status.state == "completed", status.error
    assert status.variants_done == status.variants_total == 2
    assert status.attempt == (1 if stage == "runner.after_finish" else 2)
    after = made(config.out)
    assert len(after) == len({line.id for line in status.variants}) == 2
    assert {name: after[name] for name in before} == before, "a finished variant was made again"
    assert Catalog(config.out).damaged() == ()
    events = accepted.jobs.events(job, 0)
    assert [e.id for e in events] == list(range(1, len(events) + 1))
    assert sorted(e.variant.id for e in events if e.variant) == sorted(line.id for line in status.variants)
    assert [e.state for e in events].count("completed") == 1


def test_a_live_runner_takes_over_the_jobs_of_a_dead_one(nursery, tmp_path):
    config = service_config(tmp_path)
    accepted = Accepted(config)
    with nursery.runner(config, 0, die_at="runner.judging") as first:
        job = accepted.submit(accepted.upload(), "fog 80 m", "heavy rain")
        assert first.wait(60) == -signal.SIGKILL
        with nursery.runner(config, 1):
            status = accepted.wait(job)
    assert status.state == "completed"
    assert status.attempt == 2
    assert len(made(config.out)) == 2


def test_a_second_runner_that_starts_meanwhile_leaves_running_jobs_alone(nursery, tmp_path):
    slow = {"steps": 60, "chunks": 1, "step_seconds": 0.5}
    config = service_config(tmp_path)
    config = config.model_copy(update={"models": (config.models[0].model_copy(update={"parameters": slow}),)})
    accepted = Accepted(config)
    with nursery.runner(config, 0):
        job = accepted.submit(accepted.upload(), "fog 80 m")
        accepted.wait_until(job, lambda s: s.step >= 1)
        with nursery.runner(config, 1):
            time.sleep(3)
            status = accepted.jobs.get(job)
            assert status.state == "running"
            assert status.attempt == 1, "live work was begun again"
            accepted.jobs.request_cancel(job, owner=None)
            assert accepted.wait(job).state == "cancelled"


def test_a_runner_that_was_taken_for_dead_changes_nothing_when_it_wakes(nursery, tmp_path):
    config = service_config(tmp_path)
    accepted = Accepted(config)
    with nursery.runner(config, 0) as first, nursery.runner(config, 1):
        job = accepted.submit(accepted.upload(), "fog 80 m", "heavy rain", "night")
        status = accepted.wait_until(job, lambda s: s.variants_done >= 1)
        holder = status.attempt
        freeze(first, config)
        accepted.wait(job)
        first.send(signal.SIGCONT)
        time.sleep(3)
        after = accepted.jobs.get(job)
    assert after.state == "completed"
    assert after.attempt in (holder, holder + 1)
    assert after.variants_done == 3
    assert len(made(config.out)) == 3
    events = accepted.jobs.events(job, 0)
    assert [e.state for e in events].count("completed") == 1


def test_after_a_machine_slept_nobody_is_dead(nursery, tmp_path):
    slow = {"steps": 40, "chunks": 1, "step_seconds": 0.1}
    config = service_config(tmp_path)
    config = config.model_copy(update={"models": (config.models[0].model_copy(update={"parameters": slow}),)})
    accepted = Accepted(config)
    with nursery.runner(config, 0) as first:
        job = accepted.submit(accepted.upload(), "fog 80 m")
        accepted.wait_until(job, lambda s: s.step >= 1)
        with nursery.runner(config, 1) as second:
            # Long enough to have been steady, and to say who is dead.
            time.sleep(config.runner.dead_after_seconds + 0.5)
            for runner in (first, second):
                freeze(runner, config)
            time.sleep(config.runner.dead_after_seconds + 1)
            # Whoever wakes last has been silent for longest, in the eyes of the other.
            second.send(signal.SIGCONT)
            time.sleep(config.runner.dead_after_seconds / 3)
            first.send(signal.SIGCONT)
            status = accepted.wait(job)
    assert status.state == "completed", status.error
    assert status.attempt == 1, "live work was begun again"
    assert len(made(config.out)) == 1


def test_a_job_goes_on_after_the_disk_was_full(nursery, tmp_path):
    """Neither results nor the journal can be written, and when there is room again all is made."""
    config = service_config(tmp_path)
    slow = {"steps": 10, "chunks": 1, "step_seconds": 0.1}
    config = config.model_copy(update={"models": (config.models[0].model_copy(update={"parameters": slow}),)})
    accepted = Accepted(config)
    with nursery.runner(config) as runner:
        job = accepted.submit(accepted.upload(), "fog 80 m", "heavy rain", "night", "snow")
        accepted.wait_until(job, lambda s: s.step >= 2)
        allowed = resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        full = time.time_ns()
        time.sleep(4)
        # On a starved machine a variant may have been written before there was no room: not one after.
        written = made(config.out)
        assert len(written) < 4, "all was made before the disk was full"
        assert all(when <= full for when in written.values())
        resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, allowed)
        status = accepted.wait(job)
    assert status.state == "completed", status.error
    assert len(made(config.out)) == status.variants_done == 4
    assert Catalog(config.out).damaged() == ()


def test_a_job_goes_on_under_newer_code(nursery, tmp_path):
    """Newer code gives variants other ids: what older code published counts, the rest is made with the new."""
    config = service_config(tmp_path)
    accepted = Accepted(config)
    with nursery.runner(config, die_at="runner.after_commit") as runner:
        job = accepted.submit(accepted.upload(), "fog 80 m", "heavy rain")
        assert runner.wait(60) == -signal.SIGKILL
    (old,) = made(config.out)
    newer = config.models[0].model_copy(update={"parameters": {**config.models[0].parameters, "steps": 2}})
    with nursery.runner(config.model_copy(update={"models": (newer,)})):
        status = accepted.wait(job)
    assert status.state == "completed"
    assert status.variants_done == status.variants_total == 2
    assert len(made(config.out)) == 2
    assert old in made(config.out)


def test_a_drained_runner_leaves_with_its_variant_finished_and_the_rest_to_the_next(nursery, tmp_path):
    config = service_config(tmp_path)
    accepted = Accepted(config)
    with nursery.runner(config, 0) as first:
        job = accepted.submit(accepted.upload(), "fog 80 m", "heavy rain", "night", "snow")
        accepted.wait_until(job, lambda s: s.step >= 1)
        assert first.drain() == 0
    left = accepted.jobs.get(job)
    before = made(config.out)
    assert left.state not in FINAL
    assert 1 <= len(before) < 4
    assert left.variants_done == len(before)
    with nursery.runner(config, 1):
        status = accepted.wait(job)
    after = made(config.out)
    assert status.state == "completed"
    assert status.variants_done == len(after) == 4
    assert {name: after[name] for name in before} == before
    assert "inconclusive" not in status.counts


def test_a_job_that_ends_every_runner_is_failed_in_the_end(nursery, tmp_path):
    runner = service_config(tmp_path).runner.model_copy(update={"attempts": 2})
    config = service_config(tmp_path, runner=runner)
    accepted = Accepted(config)
    job = accepted.submit(accepted.upload(), "fog 80 m")
    for _ in range(2):
        with nursery.runner(config, die_at="runner.generating") as dying:
            assert dying.wait(60) == -signal.SIGKILL
    with nursery.runner(config):
        status = accepted.wait(job)
    assert status.state == "failed"
    assert status.error is not None
    assert status.error["code"] == "service.failed"


def test_a_job_that_is_in_no_queue_is_found(nursery, tmp_path):
    """The ingress died between accepting a job and enqueueing it."""
    config = service_config(tmp_path)
    accepted = Accepted(config)
    job = accepted.submit(accepted.upload(), "fog 80 m", enqueue=False)
    with nursery.runner(config):
        assert accepted.wait(job).state == "completed"
