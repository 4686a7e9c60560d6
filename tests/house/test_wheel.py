"""The wheel, installed in an empty environment outside the checkout: light without extras, physics with [media]."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LIGHT = ("httpx2", "jaxtyping", "numpy", "pydantic", "yaml", "rich", "typer")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def _paths_without(*heavy: str) -> str:
    """Make Python code that hides installed packages, as an environment without the extra would."""
    return (
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {heavy!r}: raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )


def _environment(folder: Path, wheel: Path) -> Path:
    """Make an empty environment that sees this one's libraries but only the wheel's worldgen."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    here = next(p for p in sys.path if p.endswith("site-packages"))
    # A .pth appends after the wheel's own folder; the checkout's editable finder is not processed this way.
    (site / "libraries.pth").write_text(here + "\n")
    return python


def _run(python: Path, code: str, folder: Path) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    ended = subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, cwd=folder, env=env, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def test_the_light_wheel_is_a_client(wheel: Path, tmp_path: Path) -> None:
    python = _environment(tmp_path / "env", wheel)
    hide = _paths_without(
        "torch", "ray", "cv2", "av", "scipy", "einops", "fastapi", "pyarrow", "matplotlib", "jinja2"
    )
    out = _run(
        python,
        hide
        + "import worldgen, worldgen.client, worldgen.pipeline, worldgen.cli.app; print(worldgen.__file__)",
        tmp_path,
    )
    assert str(tmp_path) in out, "the checkout was imported instead of the wheel"


def test_the_media_wheel_runs_the_demo_on_physics_without_torch(wheel: Path, tmp_path: Path) -> None:
    python = _environment(tmp_path / "env", wheel)
    hide = _paths_without("torch", "ray", "fastapi", "transformers")
    out = _run(
        python,
        hide
        + "import sys; sys.argv = ['worldgen', 'demo', '--frames', '6', '--size', '160x90', '--json', '-o', 'demo']\n"
        + "from worldgen.cli import main; main()",
        tmp_path,
    )
    result = json.loads(out)
    assert len(result["variants"]) == 6
    assert all(Path(tmp_path / v["video"]).is_file() for v in result["variants"])
    assert (tmp_path / "demo" / "variants" / "report.html").is_file()
