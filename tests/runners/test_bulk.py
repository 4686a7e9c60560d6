"""A bulk job over a manifest of four clips, killed in the middle and run again."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.situations_jobs import small_clip
from worldgen.catalog import Catalog

pytest.importorskip("ray", reason="the serve extra is not installed")


def _start(manifest: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "cluster.bulk", "--manifest", str(manifest), "--out", str(out)),
            # The fake waits at every step, so that a kill after the first variant comes before the last.
            *("--model", "fake", "--set", "step_seconds=0.05"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"},
    )


def _kill_all(process: subprocess.Popen[str]) -> None:
    """Kill the driver and everything that it started, at once: nothing gets a chance to tidy up."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()


def _made(out: Path) -> dict[str, float]:
    if not (out / "variants").is_dir():
        return {}
    return {p.name: (p / "variant.mp4").stat().st_mtime for p in (out / "variants").iterdir()}


def test_a_killed_bulk_job_goes_on_where_it_was(tmp_path: Path) -> None:
    lines = []
    for index in range(4):
        small_clip(tmp_path / f"clip{index}.mp4", frames=8, seed=index)
        lines.append(
            json.dumps({"source": f"clip{index}.mp4", "specs": ["fog 80 m", "night"], "seed": index})
        )
    manifest = tmp_path / "clips.jsonl"
    manifest.write_text("\n".join(lines))
    out = tmp_path / "out"

    first = _start(manifest, out)
    deadline = time.monotonic() + 400
    while not _made(out) and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.05)
    _kill_all(first)
    before = _made(out)
    assert 0 < len(before) < 8, f"the kill came too late or too early: {len(before)} of 8 were made"
    second = _start(manifest, out)
    printed, complaints = second.communicate(timeout=240)
    assert second.returncode == 0, complaints[-3000:]
    counts = json.loads(printed)["counts"]
    after = _made(out)
    assert len(after) == 8
    assert counts.pop("made_before") == len(before)
    assert sum(counts.values()) == 8 - len(before)
    assert all(after[name] == time_ for name, time_ in before.items()), "a finished variant was made again"
    assert len(Catalog(out).finished_ids()) == 8
    assert (out / "report.html").is_file()


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    manifest = tmp_path / "clips.jsonl"
    manifest.write_text('{"source": "a.mp4", "specs": ["fog"]}\n{"source": "b.mp4", "spec": "fog"}\n')
    process = _start(manifest, tmp_path / "out")
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    error = json.loads(printed)["error"]
    assert error["code"] == "config.invalid"
    assert "line 2" in error["message"]
    assert not (tmp_path / "out").exists()
