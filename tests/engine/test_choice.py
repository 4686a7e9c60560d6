"""The default world model: the best that this machine can run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.situations_cosmos3 import install
from worldgen.models.build import profile_of
from worldgen.models.choice import default_model, gpu_gib


def test_without_weights_it_is_physics_and_torch_stays_out(tmp_path: Path) -> None:
    code = (
        "import sys; from worldgen.models.choice import default_model; "
        "assert default_model() == 'physics'; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"WORLDGEN_WEIGHTS": str(tmp_path)})


def test_weights_count_only_with_a_gpu_that_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(tmp_path))
    install(tmp_path, "cosmos3-nano")
    has_room = gpu_gib() >= profile_of("cosmos3-nano").memory_gib
    assert default_model() == ("cosmos3-nano" if has_room else "physics")
