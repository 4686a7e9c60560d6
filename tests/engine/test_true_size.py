"""The bench at true sizes, on the sizes of the tests: every figure is there, and stock is really run."""

import pytest
import torch

from worldgen.bench import run_bench
from worldgen.bench.true_size import Trial, measure_on, parts_of
from worldgen.errors import ConfigError
from worldgen.models.cosmos3.tiny import SMALL, make_network, make_vae


def test_the_small_sizes_give_every_figure_on_the_processor() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = parts_of(make_network(SMALL), make_vae(SMALL))
    trial = Trial(tiers={"small": (48, 80)}, backends=("native", "sage"), frames=9, steps=4)
    figures, samples = measure_on("cpu", parts, trial)
    assert "not measured: sage" in samples
    names = {name.partition("[")[0] for name in figures}
    assert names == {
        "stock_step_seconds",
        "step_seconds",
        "step_over_stock",
        "prepare_seconds",
        "decode_seconds",
        "step_pflop",
        "rate",
        "share_of_roofline",
        "peak_gib",
    }
    value = {name: row["value"] for name, row in figures.items()}
    assert 0 < value["step_seconds[small, native]"] < 60
    assert value["stock_step_seconds[small]"] > 0
    assert value["decode_seconds[small, native]"] > 0
    ratio = value["rate[small, native]"] / value["share_of_roofline[small, native]"]
    assert ratio == pytest.approx(790)
    # Three forwards of a network: its matrices alone, two operations a weight and token.
    tokens = 3 * (48 // 32) * (80 // 32)
    assert value["step_pflop[small, native]"] * 1e15 > 3 * 2 * tokens * 10_000


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, so the bench would run")
def test_without_a_gpu_the_bench_says_so() -> None:
    with pytest.raises(ConfigError, match="torch finds none") as refused:
        run_bench("true-size", full=False)
    assert refused.value.code == "config.not_permitted"
