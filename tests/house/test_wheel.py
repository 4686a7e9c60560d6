"""The wheel, installed in an empty environment outside the checkout: light without extras, physics with [media]."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "ray", "cv2", "av", "scipy", "einops", "fastapi", "pyarrow", "matplotlib", "jinja2")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def _installed(folder: Path, wheel: Path, extra: str) -> Path:
    """Install the wheel and what it asks for, at our pins, into an environment that has nothing."""
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    if uv is None:
        pytest.skip("uv, which makes the empty environment, is neither beside this Python nor on the path")
    made = subprocess.run(
        [uv, "venv", "-q", "-p", sys.executable, str(folder)], capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr
    python = folder / "bin" / "python"
    install = [uv, "pip", "install", "-q", "-p", str(python), "-c", str(ROOT / "requirements.txt")]
    what = f"{wheel}[{extra}]" if extra else str(wheel)
    # From uv's cache, which building this environment filled; from the index where it did not.
    for options in (["--offline"], []):
        ended = subprocess.run(
            [*install, *options, what], capture_output=True, text=True, check=False, timeout=240
        )
        if ended.returncode == 0:
            return python
    # Only a machine without an index is excused: where any package can be had, the wheel asks for what cannot be.
    probe = [uv, "pip", "install", "-q", "-p", str(python), "--no-cache", "--dry-run", "six"]
    assert subprocess.run(probe, capture_output=True, check=False, timeout=120).returncode != 0, ended.stderr
    pytest.skip("no package index answers here, and uv's cache lacks what the wheel requires")


def _run(python: Path, code: str, folder: Path) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "VIRTUAL_ENV"}
    ended = subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, cwd=folder, env=env, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def test_the_light_wheel_is_a_client(wheel: Path, tmp_path: Path) -> None:
    python = _installed(tmp_path / "env", wheel, "")
    out = _run(
        python,
        "import importlib.util, json, worldgen, worldgen.client, worldgen.pipeline, worldgen.cli.app\n"
        f"here = [name for name in {HEAVY!r} if importlib.util.find_spec(name)]\n"
        "print(json.dumps([worldgen.__file__, here]))",
        tmp_path,
    )
    file, here = json.loads(out)
    assert str(tmp_path) in file, "the checkout was imported instead of the wheel"
    assert here == [], "the light wheel pulls in what a client does not need"


def test_the_media_wheel_runs_the_demo_on_physics_without_torch(wheel: Path, tmp_path: Path) -> None:
    python = _installed(tmp_path / "env", wheel, "media")
    out = _run(
        python,
        "import importlib.util, sys\n"
        "assert not any(importlib.util.find_spec(name) for name in ('torch', 'ray', 'fastapi'))\n"
        "sys.argv = ['worldgen', 'demo', '--frames', '6', '--size', '160x90', '--json', '-o', 'demo']\n"
        "from worldgen.cli import main; main()",
        tmp_path,
    )
    result = json.loads(out)
    assert len(result["variants"]) == 6
    assert all(Path(tmp_path / v["video"]).is_file() for v in result["variants"])
    assert (tmp_path / "demo" / "variants" / "report.html").is_file()
