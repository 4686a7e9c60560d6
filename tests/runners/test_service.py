"""The slice through the house: a real server on a real port, the Python client, step progress, cancel, files."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.situations_jobs import small_clip
from tests.situations_service import served
from worldgen.client import Client
from worldgen.errors import ServiceError

pytest.importorskip("ray", reason="the serve extra is not installed")

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    with served(tmp_path_factory.mktemp("serve")) as found:
        yield found


def test_one_clip_in_judged_variants_out(server: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = server
    clip = small_clip(tmp_path / "clip.mp4", frames=8)
    with Client(url) as client:
        job = client.submit(clip, ["fog 80 m", "night"])
        events = list(job.events())
        status = job.status()
        assert status.state == "completed", status.error
        assert status.variants_done == status.variants_total == 2
        for name in {e.variant_id for e in events if e.kind == "progress"}:
            steps = [e for e in events if e.kind == "progress" and e.variant_id == name]
            # Thinned to five a second, and the last step is always told; a rejected candidate is tried
            # again, so a variant may be painted twice.
            ends = [index for index, e in enumerate(steps) if e.step == e.steps == 8]
            assert ends[-1] == len(steps) - 1
            first = [e.step for e in steps[: ends[0] + 1]]
            assert first == sorted(set(first))
        assert [e.id for e in events] == list(range(1, len(events) + 1))
        folders = job.save(tmp_path / "saved")
        assert len(folders) == 2
        for folder in folders:
            assert (folder / "variant.mp4").stat().st_size > 0
            provenance = json.loads((folder / "provenance.json").read_text())
            assert provenance["model"] == "physics"

        resumed = list(job.events(after=events[2].id))
        assert [e.id for e in resumed] == [e.id for e in events[3:]], "the stream resumes after Last-Event-ID"

        again = client.submit(clip, ["fog 80 m", "night", "heavy rain"])
        assert again.wait().variants_done == 3
        made = {e.spec for e in again.events() if e.kind == "progress"}
        assert made == {"heavy_rain"}, "finished variants were made again"


def test_a_cancel_stops_the_generation_and_nothing_follows(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", frames=6)
    # Two minutes of steps, so that what ends the job is the cancel on every machine.
    slow = ("--model", "fake", "--set", "steps=240", "--set", "chunks=1", "--set", "step_seconds=0.5")
    with served(tmp_path, *slow) as (url, _), Client(url) as client:
        job = client.submit(clip, ["heavy rain"], seed=5)
        for event in job.events():
            if event.kind == "progress" and event.step >= 2:
                break
        status = job.cancel()
        assert status.state == "cancelled" or status.cancel_requested
        seen = list(job.events())
        assert seen[-1].state == "cancelled"
        assert 2 <= max(e.step for e in seen if e.kind == "progress") < 240
        time.sleep(1.5)
        assert len(list(job.events())) == len(seen), "an event came after the job was cancelled"


def test_errors_are_typed_and_say_what_is_allowed(server: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = server
    clip = small_clip(tmp_path / "clip.mp4", frames=4)
    text = tmp_path / "text.mp4"
    text.write_text("this is not a video")
    with Client(url) as client:
        with pytest.raises(ServiceError, match=r"spec\.unknown_word"):
            client.submit(clip, ["frogs"])
        with pytest.raises(ServiceError, match=r"source\."):
            client.submit(text, ["fog"])
        with pytest.raises(ServiceError) as refused:
            client.submit("/etc/hostname", ["fog"], upload=False)
        assert refused.value.reason == "forbidden"
        with pytest.raises(ServiceError) as unknown:
            client.job("nope")
        assert unknown.value.reason == "not_found"
    answer = httpx2.put(f"{url}/v1/blobs/{'0' * 64}", content=b"other content")
    assert answer.status_code == 400
    assert answer.json()["code"] == "service.invalid"
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_command_line_runs_on_a_server(server: tuple[str, Path], tmp_path: Path) -> None:
    url, _ = server
    clip = small_clip(tmp_path / "clip.mp4", frames=6, seed=9)
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "worldgen",
            "augment",
            str(clip),
            "--specs",
            "fog 60 m",
            "--server",
            url,
            "-o",
            str(tmp_path / "out"),
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (variant,) = json.loads(ended.stdout)["variants"]
    assert Path(variant["video"]).is_file()
