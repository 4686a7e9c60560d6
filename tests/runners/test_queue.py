"""Who goes first, how many at once, what is too late, what is stopped: a real runner over a real queue."""

import base64
import pickle
import time
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("dbos", reason="the serve extra is not installed")

from serving.queue import JobQueue
from tests.situations_service import Accepted, Nursery, service_config
from worldgen.wire import FINAL


@pytest.fixture(scope="module")
def nursery():
    found = Nursery()
    yield found
    found.close()


def slow(config, **parameters):
    """The same service with a slower model."""
    model = config.models[0]
    changed = model.model_copy(update={"parameters": {**model.parameters, **parameters}})
    return config.model_copy(update={"models": (changed,)})


def test_interactive_goes_before_batch_also_before_one_that_runs(nursery, tmp_path):
    config = service_config(tmp_path)
    accepted = Accepted(config)
    with nursery.runner(config):
        source = accepted.upload()
        batch = accepted.submit(source, "fog 80 m", "heavy rain", "night", "snow", "dusk", priority="batch")
        accepted.wait_until(batch, lambda s: s.step >= 1)
        interactive = accepted.submit(source, "fog 40 m")
        assert accepted.wait(interactive).state == "completed"
        assert accepted.jobs.get(batch).state not in FINAL, "the batch job was not waited for"
        assert accepted.wait(batch).variants_done == 5


def test_a_key_has_its_share_and_no_more(nursery, tmp_path):
    runner = service_config(tmp_path).runner.model_copy(update={"jobs_each": 3, "jobs_per_owner": 1})
    config = service_config(tmp_path, runner=runner)
    accepted = Accepted(config)
    source = accepted.upload()
    mine = [accepted.submit(source, "fog 80 m", "night", seed=s, owner="me") for s in (1, 2)]
    other = accepted.submit(source, "fog 80 m", owner="you")
    together = 0
    with nursery.runner(config):
        while any(
            (states := {j: accepted.jobs.get(j).state for j in (*mine, other)})[j] not in FINAL for j in mine
        ):
            working = [j for j, state in states.items() if state not in FINAL and state != "queued"]
            assert sum(j in mine for j in working) <= 1
            together = max(together, len(working))
            time.sleep(0.02)
        assert accepted.wait(other).state == "completed"
    assert together == 2, "another key's job was worked on meanwhile"


def test_a_deadline_ends_what_waits_and_what_runs(nursery, tmp_path):
    config = slow(service_config(tmp_path), steps=400, step_seconds=0.1)
    accepted = Accepted(config)
    source = accepted.upload()
    with nursery.runner(config):
        runs = accepted.submit(source, "fog 80 m", deadline_seconds=6)
        accepted.wait_until(runs, lambda s: s.step >= 1)
        waits = accepted.submit(source, "night", deadline_seconds=0.5)
        assert accepted.wait(waits).state == "expired"
        status = accepted.wait(runs)
        assert status.state == "expired"
        assert 1 <= status.step < 400


def test_a_cancel_stops_within_a_step_and_nothing_follows(nursery, tmp_path):
    config = slow(service_config(tmp_path), steps=400, step_seconds=0.1)
    accepted = Accepted(config)
    with nursery.runner(config):
        job = accepted.submit(accepted.upload(), "fog 80 m", "night")
        accepted.wait_until(job, lambda s: s.step >= 2)
        accepted.jobs.request_cancel(job, owner=None)
        ended = accepted.wait(job, seconds=20)
        told = accepted.jobs.events(job, 0)
        time.sleep(1)
        assert accepted.jobs.events(job, 0) == told
        assert ended.state == told[-1].state == "cancelled"
        assert ended.variants_done == 0
        assert list((config.out / "variants").glob("*")) == []
        after = accepted.submit(accepted.upload(), "night", priority="batch")
        accepted.wait_until(after, lambda s: s.step >= 1)
        accepted.jobs.request_cancel(after, owner=None)
        assert accepted.wait(after).state == "cancelled", "the generator is free for the next job"


def test_a_source_that_cannot_be_read_fails_the_job_with_its_code(nursery, tmp_path):
    config = service_config(tmp_path)
    accepted = Accepted(config)
    name = "c" * 64
    config.blobs.mkdir(parents=True)
    (config.blobs / name).write_text("this is not a video")
    with nursery.runner(config):
        status = accepted.wait(accepted.submit(f"blob:{name}", "fog 80 m"))
    assert status.state == "failed"
    assert status.error is not None
    assert status.error["code"].startswith("source.")


class Bomb:
    """What a pickle can do."""

    def __reduce__(self):
        return (print, ("unpickled",))


def test_a_pickle_in_the_journal_is_not_read(nursery, tmp_path, capsys):
    config = service_config(tmp_path)
    accepted = Accepted(config)
    with nursery.runner(config):
        job = accepted.submit(accepted.upload(), "fog 80 m")
        accepted.wait(job)
        bomb = base64.b64encode(pickle.dumps(Bomb())).decode()
        with accepted.queue.client._sys_db.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE workflow_status SET inputs = ?, serialization = 'py_pickle', status = 'ENQUEUED'",
                (bomb,),
            )
        time.sleep(2)
        (found,) = JobQueue(config, accepted.jobs).client.list_workflows(workflow_ids=[job])
    assert found.status == "ERROR"
    assert "unpickled" not in capsys.readouterr().out
    assert "unpickled" not in (config.out / "runner0.log").read_text()


def test_the_journal_of_old_jobs_is_forgotten_and_that_of_others_is_not(nursery, tmp_path):
    config = slow(service_config(tmp_path), steps=400, step_seconds=0.1)
    accepted = Accepted(config)
    source = accepted.upload()
    with nursery.runner(config):
        old = accepted.submit("blob:" + "0" * 64, "fog 80 m")
        assert accepted.wait(old).state == "failed"
        runs = accepted.submit(source, "fog 80 m")
        accepted.wait_until(runs, lambda s: s.step >= 1)
        assert accepted.queue.forget(datetime.now(UTC) + timedelta(hours=1)) == 1
        assert accepted.queue.in_flight() == {runs}
        left = accepted.queue.client.list_workflows(load_input=False, load_output=False)
        assert [workflow.workflow_id for workflow in left] == [runs]
