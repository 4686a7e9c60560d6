"""Kill -9 of the replicas of a real service, each at a named place: accepted jobs go on by themselves."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

pytest.importorskip("ray", reason="the serve extra is not installed")

from serving.store import Database, JobStore
from tests.situations_jobs import small_clip
from tests.situations_service import served
from worldgen.catalog import Catalog
from worldgen.client import Client
from worldgen.wire import FINAL, JobStatus

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, JobStore]]:
    fake = ("--model", "fake", "--set", "steps=4", "--set", "chunks=1", "--set", "step_seconds=0.1")
    with served(tmp_path_factory.mktemp("kills"), *fake) as (url, folder):
        out = folder / "runs"
        yield url, out, JobStore(Database(f"sqlite:///{out / 'service.db'}"))


def _ended(jobs: JobStore, job_id: str, *, seconds: float = 150) -> JobStatus:
    end = time.monotonic() + seconds
    while (status := jobs.get(job_id)).state not in FINAL:
        assert time.monotonic() < end, status
        time.sleep(0.1)
    return status


@pytest.mark.parametrize(
    "stage", ["generator.step", "generator.candidate", "runner.after_publish", "publish.before_rename"]
)
def test_a_job_goes_on_when_a_process_under_it_dies(
    service: tuple[str, Path, JobStore], tmp_path: Path, stage: str
) -> None:
    url, out, jobs = service
    seed = sum(stage.encode())
    clip = small_clip(tmp_path / "clip.mp4", frames=4, seed=seed)
    trap = out / "failpoint"
    trap.write_text(stage)
    with Client(url) as client:
        job = client.submit(clip, ["fog 80 m", "heavy rain"], seed=seed)
    status = _ended(jobs, job.id)
    assert not trap.exists(), "a process must really have died there"
    assert status.state == "completed", status.error
    assert status.variants_done == 2
    assert not {"failed", "inconclusive"} & status.counts.keys(), status.counts
    assert status.attempt == (1 if stage.startswith("generator") else 2)
    told = [e.variant.id for e in jobs.events(job.id, 0, 5000) if e.variant is not None]
    assert sorted(told) == sorted({line.id for line in status.variants})
    published = [entry.id for entry in Catalog(out).entries()]
    assert len(published) == len(set(published))
    assert Catalog(out).damaged() == ()


def test_a_job_whose_ingress_died_before_it_could_answer_is_made(
    service: tuple[str, Path, JobStore], tmp_path: Path
) -> None:
    url, out, jobs = service
    clip = small_clip(tmp_path / "clip.mp4", frames=4, seed=77)
    before = {job.id for job in jobs.page(owner=None, after=None, limit=100).data}
    with Client(url) as client:
        name = client.upload(clip)
    (out / "failpoint").write_text("ingress.accepted")
    body = {"source": name, "specs": ["fog 80 m"], "seed": 77}
    answer = httpx2.post(f"{url}/v1/jobs", json=body, timeout=60)
    assert answer.status_code >= 500
    (new,) = {job.id for job in jobs.page(owner=None, after=None, limit=100).data} - before
    assert _ended(jobs, new).state == "completed"
    end = time.monotonic() + 100
    while True:
        try:
            again = httpx2.post(f"{url}/v1/jobs", json=body, timeout=60)
            if again.status_code == 202:
                break
        except httpx2.TransportError:
            pass
        assert time.monotonic() < end, "the ingress did not come back"
        time.sleep(0.5)
    assert again.json()["id"] == new, "asked again, it is the same job"
