"""The demo through the service: the same results as by the library, and nothing left running."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx2
import psutil
import pytest

pytest.importorskip("ray", reason="the serve extra is not installed")

pytestmark = pytest.mark.timeout(1200)

SMALL = ("--frames", "6", "--size", "192x108", "--no-paint", "--json")


class Demo:
    """One `worldgen demo`, whose processes can be told from all others."""

    def __init__(self, *words: str | Path, **environment: str) -> None:
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worldgen", "demo", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "WORLDGEN_TEST": self.mark, **environment},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def end(self, seconds: float = 900.0) -> tuple[int, str, str]:
        """Wait for the end: exit code, standard output, standard error."""
        printed, said = self.process.communicate(timeout=seconds)
        return self.process.returncode, printed, said

    def __enter__(self) -> "Demo":
        return self

    def __exit__(self, *problem: object) -> None:
        for process in self._running():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait()

    def left(self, seconds: float = 20.0) -> list[str]:
        """What it started and did not stop, after so long at most."""
        end = time.monotonic() + seconds
        while (found := self._running()) and time.monotonic() < end:
            time.sleep(0.5)
        return [process.name() for process in found]

    def _running(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("WORLDGEN_TEST") == self.mark and process.status() != "zombie":
                    found.append(process)
        return found


def test_the_demo_runs_through_the_service_and_makes_what_the_library_makes(tmp_path: Path) -> None:
    with Demo("-o", tmp_path / "demo", *SMALL) as demo:
        code, printed, said = demo.end()
        assert code == 0, said
        made = json.loads(printed)
        assert len(made["variants"]) == 6
        assert made["page"].startswith("http://127.0.0.1:")
        assert made["serving"] is False
        assert Path(made["report"]).is_file()
        assert demo.left() == []
    times = {v["video"]: Path(v["video"]).stat().st_mtime_ns for v in made["variants"]}

    with Demo("-o", tmp_path / "demo", *SMALL, "--no-serve") as again:
        code, printed, said = again.end()
    assert code == 0, said
    by_library = json.loads(printed)
    assert [v["id"] for v in by_library["variants"]] == [v["id"] for v in made["variants"]]
    assert by_library["report"] == made["report"]
    assert by_library["page"] is None
    assert {v["video"]: Path(v["video"]).stat().st_mtime_ns for v in by_library["variants"]} == times


def test_a_kept_service_is_used_again_until_it_is_stopped(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    with Demo("-o", out, *SMALL, "--keep-serving") as demo:
        code, printed, said = demo.end()
        assert code == 0, said
        made = json.loads(printed)
        assert made["serving"] is True
        page = httpx2.get(made["page"], timeout=60.0)
        assert page.status_code == 200
        assert "drive-7-192x108-6" in page.text
        with Demo("-o", out, *SMALL) as again:
            code, printed, said = again.end()
        assert code == 0, said
        used = json.loads(printed)
        assert (used["page"], used["serving"]) == (made["page"], True)
        assert [v["id"] for v in used["variants"]] == [v["id"] for v in made["variants"]]
        stop = [
            sys.executable,
            "-m",
            "worldgen",
            "stop",
            "-o",
            str(out / "variants"),
            "--seconds",
            "300",
            "--json",
        ]
        stopped = subprocess.run(stop, capture_output=True, text=True, check=False)
        assert json.loads(stopped.stdout) == {"stopped": True}
        assert demo.left(60) == []


def test_where_ray_does_not_start_the_demo_says_what_does_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Demo("-o", tmp_path / "demo", *SMALL, RAY_TMPDIR=str(tmp_path / "file" / "ray")) as demo:
        code, printed, _ = demo.end()
        assert code == 1
        error = json.loads(printed)["error"]
        assert error["code"] == "service.failed"
        assert "Ray cannot be started" in error["message"]
        assert "--no-serve" in error["hint"]
        assert demo.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    with Demo("-o", tmp_path / "demo", *SMALL) as demo:
        end = time.monotonic() + 600
        # Ray's own processes are there: the service is in the middle of its start.
        while not any("raylet" in name for name in demo.left(0)):
            assert time.monotonic() < end
            assert demo.process.poll() is None
            time.sleep(0.2)
        demo.process.send_signal(number)
        code, _, _ = demo.end(200)
        assert code == 130
        assert demo.left(60) == []
