"""Compiled layers paint what the others paint."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.situations_cosmos3 import control, pixels, request
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.placement import build_engine, placement_of

EXACT = 1e-5
"""Of 0..1; 9e-7 was measured."""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for the CPU with g++")
def test_compiled_layers_give_the_same_frames(folder: Path, engine: Cosmos3Engine) -> None:
    asked = {"device": "cpu", "dtype": "float32", "compile": True, "threads": 1}
    placement = placement_of(asked)
    assert placement.facts()["compile"] == "true"
    compiled = build_engine(folder, placement, cache_bytes=1 << 28)
    torch._dynamo.utils.counters.clear()
    for wanted in (request(control(), control("depth", seed=2, weight=0.5)), request(control(seed=3))):
        plain, other = pixels(engine, wanted), pixels(compiled, wanted)
        assert (plain - other).abs().max() <= EXACT
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0, "nothing was compiled"
    assert not torch._dynamo.utils.counters["graph_break"]
