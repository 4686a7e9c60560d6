"""The Python client and the command line against the real HTTP application: one clip in, judged variants out."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.situations_http import Running, running
from tests.situations_jobs import small_clip
from worldgen.catalog import Catalog
from worldgen.client import AsyncClient, Client, RefusedInput
from worldgen.errors import ServiceError


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running(tmp_path_factory.mktemp("service"), model="physics") as found:
        yield found


def test_submit_follow_save_and_audit(service: Running, tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", frames=6)
    with Client(service.url) as client:
        assert client.missing_bytes(clip) == clip.stat().st_size
        job = client.submit(clip, ["fog 80 m", "night"])
        assert client.missing_bytes(clip) == 0
        made = list(job.variants())
        assert len(made) == 2
        status = job.wait(progress=False)
        assert status.state == "completed"
        assert status.source_name == "clip.mp4"
        folders = job.save(tmp_path / "out")
        catalog = Catalog(tmp_path / "out")
        assert sorted(p.folder for p in catalog.entries()) == sorted(folders)
        assert catalog.damaged() == ()
        assert {f.name for f in folders} == {p.folder.name for p in service.backend.catalog.entries()}
        said = made[0].audit("reject", reason="too thick", by="me", frame=2)
        assert said.decision == "reject"
        assert client.variant(made[0].id).state == made[0].state
        assert {v.id for v in client.variants()} >= {v.id for v in made}
        assert next(j.id for j in client.jobs()) == job.id
        found = client.job(job.id)
        assert found._repr_html_().count("<video") == 3, "source and variants, also from another session"
        with pytest.raises(RefusedInput) as refused:
            client.submit(clip, ["frogs"])
        assert refused.value.code == "spec.unknown_word"


def test_the_asynchronous_client_does_the_same(service: Running, tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", frames=4, seed=5)

    async def main() -> None:
        async with AsyncClient(service.url) as client:
            job = await client.submit(clip.read_bytes(), "fog 60 m")
            made = [variant async for variant in job.variants()]
            (folder,) = await job.save(tmp_path / "out")
            assert await made[0].read() == (folder / "variant.mp4").read_bytes()

    asyncio.run(main())


def test_cancel_and_time_out(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", frames=4)
    slow = {"steps": 400, "chunks": 1, "step_seconds": 0.2}
    with running(tmp_path / "runs", parameters=slow) as service, Client(service.url) as client:
        job = client.submit(clip, "fog")
        with pytest.raises(ServiceError) as late:
            job.wait(progress=False, timeout_seconds=2)
        assert late.value.reason == "timeout"
        job.cancel()
        assert job.wait(progress=False).state == "cancelled"


def test_keys_open_and_close(tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", frames=4)
    with running(tmp_path / "runs", http={"keys": "on"}) as service:
        _, headers = service.key("submit", "read")
        key = headers["Authorization"].removeprefix("Bearer ")
        with Client(service.url, key) as client:
            assert client.submit(clip, "fog").wait(progress=False).state == "completed"
        with Client(service.url, "wg_no_such") as client, pytest.raises(ServiceError) as closed:
            client.upload(clip)
        assert closed.value.reason == "unauthorized"


def _augment(*arguments: str) -> Any:
    ended = subprocess.run(
        [sys.executable, "-m", "worldgen", "augment", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr


def test_the_command_is_the_same_here_and_there(service: Running, tmp_path: Path) -> None:
    clip = small_clip(tmp_path / "clip.mp4", frames=6, seed=9)
    common = [str(clip), "--specs", "fog 60 m, night", "--seed", "4", "--model", "physics"]
    code, here, said = _augment(*common, "-o", str(tmp_path / "here"))
    assert code == 0, said
    code, plan, said = _augment(*common, "--server", service.url, "--dry-run")
    assert code == 0, said
    assert [row["code"] for row in plan["variants"]] == ["ok", "ok"]
    assert plan["upload_megabytes"] >= 0
    code, there, said = _augment(*common, "--server", service.url, "-o", str(tmp_path / "there"))
    assert code == 0, said
    assert there.keys() == here.keys()
    for one, other in zip(here["variants"], there["variants"], strict=True):
        assert one.keys() == other.keys()
        assert (one["id"], one["spec"], one["verdict"]) == (other["id"], other["spec"], other["verdict"])
        assert Path(one["video"]).parent.name == Path(other["video"]).parent.name
        assert Path(other["video"]).read_bytes() == Path(one["video"]).read_bytes()
    assert Path(there["report"]).is_file()
    code, refused, _ = _augment(*common, "--server", service.url, "--fps", "10", "-o", str(tmp_path / "no"))
    assert (code, refused["error"]["code"]) == (2, "config.invalid")
