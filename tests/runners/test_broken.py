"""Loading is not broken, broken is not loading: a real service in which one world model cannot be loaded."""

import json
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

pytest.importorskip("ray", reason="the serve extra is not installed")

from tests.situations_jobs import small_clip
from tests.situations_service import served, state_of
from worldgen.client import Client

pytestmark = pytest.mark.timeout(900)

CONFIG = """
models:
  - name: fake
    parameters: {steps: 2, chunks: 1, step_seconds: 0.0}
  - name: cosmos3-nano
critic: {vlm_endpoint: "http://127.0.0.1:9/v1"}
"""


def test_a_service_says_which_model_is_broken_and_serves_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(weights))
    config = tmp_path / "service.yaml"
    config.write_text(CONFIG)
    with served(tmp_path, "--config", str(config), states=("loading", "broken")) as (url, folder):
        states = [state_of(url)]
        end = time.monotonic() + 400
        while states[-1] != "broken":
            assert time.monotonic() < end, (folder / "log").read_text()[-3000:]
            time.sleep(0.5)
            states.append(state_of(url))
        # A proxy that is starting answers for nobody.
        assert set(states[:-1]) <= {"loading", ""}
        answer = httpx2.get(f"{url}/readyz", timeout=30).json()
        assert "generator-cosmos3-nano" in answer["why"]
        assert "weights" in answer["why"]
        assert "generator-fake" not in answer["why"]
        command = [sys.executable, "-m", "worldgen", "status", "-o", str(folder / "runs"), "--json"]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert told["state"] == "broken"
        assert "generator-cosmos3-nano" in told["why"]
        assert "vlm_endpoint" in told["notes"][0]
        with Client(url) as client:
            job = client.submit(small_clip(tmp_path / "clip.mp4", frames=4), ["fog 80 m"])
            assert job.wait().state == "completed", "what works goes on"
