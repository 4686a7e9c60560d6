"""One tiny run of every stage, shared by the tests of this folder."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra worldgen[models]")
pytest.importorskip("diffusers", reason="training needs the extra worldgen[models]")

import torch

from checkpoints.recipe import Recipe, read_recipe
from checkpoints.train import Run

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return read_recipe(ROOT / "checkpoints" / "tiny.yaml", {"data": {"scenes": 2, "held_out": 2}})


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Run:
    """Return a run that is finished up to the export."""
    made = Run(tmp_path_factory.mktemp("run"), recipe, device=CPU)
    for name in ("data", "outer", "inner", "coder", "tokenizer", "latents", "flow", "probe", "export"):
        made.stages[name]()
    return made
