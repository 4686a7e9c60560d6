"""`worldgen bench embedded`, on a tiny Cosmos 3 with random weights: all of the production path, none of the art."""

from pathlib import Path

import pytest

from tests.situations_cosmos3 import install
from worldgen.bench.embedded import GOALS, HELD_OUT, conditions_of, measure_model
from worldgen.errors import WeightsError


def test_the_whole_path_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(tmp_path))
    install(tmp_path, "cosmos3-nano")
    quick = {"steps": 2, "tier": 256, "dtype": "float32"}
    found = measure_model("cosmos3-nano", HELD_OUT[:1], size=(128, 64), frames=5, parameters=quick)
    assert set(found) == set(GOALS)
    assert found["clips"] == 2.0
    for name in ("condition_recognised", "acceptance", "edge_f1", "edge_f1_another_scene", "vae_edge_f1"):
        assert 0.0 <= found[name] <= 1.0, name
    assert found["acceptance"] == 0.0  # random weights paint noise, and the critic sees it
    assert found["vae_psnr"] < 20
    assert found["seconds_per_clip"] > 0


def test_without_weights_the_command_that_fetches_them_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError) as raised:
        measure_model("cosmos3-nano", HELD_OUT[:1])
    assert "pull cosmos3-nano" in f"{raised.value.message} {raised.value.hint}"


def test_every_class_is_asked_for() -> None:
    asked = [spec.asks_for for index in range(9) for spec in list(conditions_of(index, seed=index))[:2]]
    assert len(set(asked)) == 9
    assert min(asked.count(label) for label in asked) == 2
