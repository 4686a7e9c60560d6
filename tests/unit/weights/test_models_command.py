"""`worldgen models` as a user runs it, against a hub on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.situations_hub import Hub, serving

pytest.importorskip("huggingface_hub", reason="the extra worldgen[models] is not installed")
safetensors = pytest.importorskip("safetensors.numpy", reason="the extra worldgen[models] is not installed")


def _run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | environment
    return subprocess.run(
        [sys.executable, "-m", "worldgen", "models", *words],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )


def test_list_pull_verify_pin_remove(tmp_path: Path) -> None:
    import numpy as np

    network = safetensors.save({"weight": np.arange(50_000.0)})
    files = {"config.json": b"{}", "preprocessor_config.json": b"{}", "model.safetensors": network}
    place = {"WORLDGEN_WEIGHTS": str(tmp_path / "weights"), "HF_HOME": str(tmp_path / "hub")}
    name = "depth-anything-v2-small"
    with serving(Hub(files, repository="depth-anything/Depth-Anything-V2-Small-hf")) as hub:
        place["HF_ENDPOINT"] = hub.url
        refused = _run("pull", name, "--json", **place)
        assert refused.returncode == 2
        assert json.loads(refused.stdout)["error"]["code"] == "weights.unpinned"
        assert not hub.asked
        pulled = _run("pull", name, "--trust-first-use", **place)
        assert pulled.returncode == 0, pulled.stderr
        assert "trusted on first use" in pulled.stdout
        assert "model.safetensors" in pulled.stderr, "a bar per file"
    listed = json.loads(_run("--json", **place).stdout)
    row = next(w for w in listed["weights"] if w["name"] == name)
    assert (row["state"], row["pinned_by"]) == ("installed", "first_use")
    assert row["bytes_here"] == len(network) + 4
    assert _run("verify", name, **place).returncode == 0
    pin = _run("pin", name, **place).stdout
    assert "model.safetensors" in pin
    assert max(len(line) for line in pin.splitlines()) > 64, "digests are not wrapped"
    (Path(row["folder"]) / "config.json").write_text("[]")
    damaged = _run("verify", name, **place)
    assert damaged.returncode == 2
    assert "config.json" in damaged.stderr
    removed = json.loads(_run("remove", name, "--json", **place).stdout)
    assert removed["freed_bytes"] == len(network) + 4
    assert "no" in _run("list", **place).stdout
