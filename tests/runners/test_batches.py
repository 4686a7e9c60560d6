"""Batches on a real Ray: submitted over HTTP, followed in the catalogue, stopped."""

import json
import time
from pathlib import Path

import pytest

from tests.situations_jobs import small_clip
from tests.situations_service import served
from worldgen.catalog import Catalog
from worldgen.client import Client

pytest.importorskip("ray", reason="the serve extra is not installed")

# Ray's full dashboard starts nine more processes: 88 s alone, many minutes beside other tests on two cores.
pytestmark = [pytest.mark.timeout(1500), pytest.mark.slow]


def test_a_batch_runs_to_its_end_and_another_is_stopped(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for seed in (1, 2):
        small_clip(clips / f"clip{seed}.mp4", frames=6, seed=seed)
    manifest = clips / "all.jsonl"
    lines = [{"source": f"clip{seed}.mp4", "specs": ["fog 80 m", "night"], "seed": seed} for seed in (1, 2)]
    lines.append({"source": "absent.mp4", "specs": ["fog"]})
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ("--model", "fake", "--set", "steps=5", "--set", "chunks=1", "--set", "step_seconds=0.2")
    with (
        served(tmp_path, *options, "--batches", "--source-root", str(clips), seconds=900) as (url, folder),
        Client(url) as client,
    ):
        batch = client.submit_batch(manifest=str(manifest))
        assert batch.last.state in ("queued", "running")
        assert (batch.last.sources, batch.last.variants_total) == (3, 5)
        seen = []
        ended = batch.wait(seen.append, timeout_seconds=500)
        assert ended.state == "completed", ended.error
        assert ended.variants_done == 4
        counts = dict(ended.counts)
        assert counts.pop("source_failed:source.not_found") == 1
        assert sum(counts.values()) == 4
        done = [status.variants_done for status in seen]
        assert done == sorted(done)
        assert len(Catalog(folder / "runs").finished_ids()) == 4
        assert client.batch(batch.id).last == ended

        line = {"source": str(clips / "clip1.mp4"), "specs": ["heavy rain", "snow", "dusk"]}
        slow = [{**line, "seed": seed} for seed in range(20)]
        other = client.submit_batch(slow)
        end = time.monotonic() + 300
        while other.status().state != "running":
            assert time.monotonic() < end
            time.sleep(0.5)
        assert other.cancel().state == "cancelled"
        assert other.cancel().state == "cancelled"
        made = len(Catalog(folder / "runs").finished_ids())
        time.sleep(5)
        assert len(Catalog(folder / "runs").finished_ids()) == made, "it went on after it was stopped"
        assert [b.id for b in client.batches()] == [other.id, batch.id]
