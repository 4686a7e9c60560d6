"""Tiny Cosmos 3 checkpoints on disk, and clips of controls for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.situations_cosmos3 import checkpoint, install
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import Parts, load


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def parts(folder: Path) -> Parts:
    return load(folder, dtype=torch.float32)


@pytest.fixture
def engine(parts: Parts) -> Cosmos3Engine:
    return Cosmos3Engine(parts)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("weights")
    install(root, "cosmos3-nano")
    return root


@pytest.fixture
def installed(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny weights, where the production path looks for those of Nano."""
    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(store))
    monkeypatch.setenv("WORLDGEN_STATES", str(tmp_path / "states"))
