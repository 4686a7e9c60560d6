"""The networks: batched arithmetic against diffusers' own, descent, steps that learn, runs that resume."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.cosmos.pipeline_cosmos3_omni import get_3d_mrope_ids_vae_tokens
from safetensors.torch import load_file
from torch import nn

from checkpoints.coder import decode, encode, make_coder
from checkpoints.coder_training import CoderTask, DecoderTask
from checkpoints.descent import Descent, has_rank, orthogonal
from checkpoints.flow import Situation, make_flow, velocity
from checkpoints.flow_training import FlowTask
from checkpoints.latents import Latents
from checkpoints.levels import InnerTask, Levels, OuterTask
from checkpoints.loop import STATE, Chance, Task, rate_at, read_log, train
from checkpoints.probe import GROUPS, ProbeTask, Reading, groups_of
from checkpoints.recipe import Recipe, Steps
from checkpoints.shards import Shards
from checkpoints.train import Run
from worldgen.datatypes import Tag
from worldgen.errors import ConfigError, GenerationError

CPU = torch.device("cpu")


def _task(run: Run, name: str) -> Task:
    shards, held_out = run.shards(), run.held_out()
    if name == "coder":
        return CoderTask(run.recipe, shards, held_out, CPU, run._levels("inner").vae)
    if name == "outer":
        return OuterTask(run.recipe, shards, held_out, CPU)
    if name == "inner":
        return InnerTask(run.recipe, shards, held_out, CPU, run._levels("outer"))
    if name == "probe":
        return ProbeTask(run.recipe, shards, held_out, CPU)
    latents = Latents(run.folder / "latents", (*shards.seeds, *held_out.seeds))
    return FlowTask(
        run.recipe,
        shards,
        held_out,
        latents,
        Latents(run.folder / "latents", shards.seeds).statistics(),
        run.finished_tokenizer(),
        run.finished_coder(),
        CPU,
    )


def test_the_batched_velocity_is_the_networks_own(recipe: Recipe) -> None:
    torch.manual_seed(0)
    network = make_flow(recipe.flow, recipe.coder).eval()
    nn.init.normal_(network.proj_out.weight, std=0.1)  # it starts at zero
    shape, lengths = (8, 2, 4, 8), (12, 7, 9)
    ids = torch.randint(0, recipe.flow.vocabulary, (3, 12))
    situation = Situation(
        ids=ids,
        lengths=torch.tensor(lengths),
        controls=torch.randn(3, 2, *shape),
        fps=torch.tensor([10.0, 24.0, 15.0]),
        given=torch.tensor([False, True, False]),
    )
    target, timestep = torch.randn(3, *shape), torch.tensor([900.0, 300.0, 10.0])
    with torch.no_grad():
        made = velocity(network, situation, target, timestep)
        for row, length in enumerate(lengths):
            own = _stock(network, situation, target, timestep, row, length)
            assert torch.allclose(made[row], own, atol=2e-6), row
    assert float(made[1, :, 0].abs().max()) == 0.0
    assert float(made[0].abs().mean()) > 0.01


def _stock(
    network: Any, situation: Situation, target: torch.Tensor, timestep: torch.Tensor, row: int, length: int
) -> torch.Tensor:
    """Call the network's own forward on one packed sequence."""
    grid = (target.shape[2], target.shape[3] // 2, target.shape[4] // 2)
    count, given = int(np.prod(grid)), int(situation.given[row])
    placed, _ = get_3d_mrope_ids_vae_tokens(
        grid_t=grid[0],
        grid_h=grid[1],
        grid_w=grid[2],
        temporal_offset=length + 32,
        fps=float(situation.fps[row]),
        base_fps=24.0,
        temporal_compression_factor=4,
    )
    where = torch.arange(length, length + 3 * count)
    return network(
        input_ids=situation.ids[row, :length],
        text_indexes=torch.arange(length),
        position_ids=torch.cat(
            [torch.arange(length).float().expand(3, -1), placed.float().repeat(1, 3)], dim=1
        ),
        und_len=length,
        sequence_length=length + 3 * count,
        vision_tokens=[*(c[None] for c in situation.controls[row]), target[row][None]],
        vision_token_shapes=[grid] * 3,
        vision_sequence_indexes=where,
        vision_mse_loss_indexes=where[2 * count + given * grid[1] * grid[2] :],
        vision_timesteps=timestep[row].expand((grid[0] - given) * grid[1] * grid[2]),
        vision_noisy_frame_indexes=[torch.arange(0), torch.arange(0), torch.arange(given, grid[0])],
    ).sample[-1][0]


def test_decoding_without_the_clamp_is_decoding(recipe: Recipe) -> None:
    torch.manual_seed(0)
    vae = make_coder(recipe.coder).eval()
    pixels = torch.rand(2, 3, 5, 32, 32) * 2 - 1
    with torch.no_grad():
        latents = encode(vae, pixels)
        assert latents.shape == (2, recipe.coder.channels, 2, 4, 4)
        assert torch.equal(decode(vae, latents).clamp(-1, 1), vae.decode(latents).sample)


def test_an_orthogonal_factor_is_nearly_orthogonal() -> None:
    for shape in ((20, 50), (50, 20)):
        found = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert float(found.min()) > 0.6
        assert float(found.max()) < 1.3


def test_descent_finds_the_bottom_and_remembers_where_it_was() -> None:
    torch.manual_seed(0)
    goal = torch.randn(6, 8)

    def network() -> nn.Linear:
        torch.manual_seed(1)
        return nn.Linear(8, 6)

    def descent(net: nn.Module) -> Descent:
        return Descent(
            net.named_parameters(),
            is_matrix=lambda n, p: True,
            matrix_rate=0.05,
            other_rate=0.02,
            weight_decay=0.0,
        )

    def step(net: nn.Linear, down: Descent) -> float:
        down.zero()
        loss = (net.weight - goal).square().mean() + (net.bias - 1).square().mean()
        loss.backward()
        down.step(1.0)
        return float(loss.detach())

    whole = network()
    down = descent(whole)
    losses = [step(whole, down) for _ in range(120)]
    assert losses[-1] < 0.02 * losses[0]
    first = network()
    down = descent(first)
    for _ in range(60):
        step(first, down)
    second = network()
    second.load_state_dict(first.state_dict())
    resumed = descent(second)
    resumed.restore({name: value.clone() for name, value in down.state().items()})
    for _ in range(60):
        step(second, resumed)
    assert torch.equal(second.weight, whole.weight)
    assert torch.equal(second.bias, whole.bias)


def test_gains_are_no_matrices(recipe: Recipe) -> None:
    vae = make_coder(recipe.coder)
    gains = [p for name, p in vae.named_parameters() if name.endswith("gamma")]
    assert gains
    assert not any(has_rank(p) for p in gains)
    assert has_rank(vae.decoder.conv_in.weight)


def test_rates_rise_stay_and_fall() -> None:
    how = Steps(steps=100, batch=1, warmup=10, decay=0.3)
    rates = [rate_at(step, how) for step in range(100)]
    assert rates[0] < 0.1
    assert rates[10:70] == [1.0] * 60
    assert rates[99] < 0.06
    assert all(a >= b for a, b in itertools.pairwise(rates[70:]))


@pytest.mark.parametrize("name", ["outer", "inner", "coder", "flow", "probe"])
def test_steps_lower_the_loss(run: Run, name: str) -> None:
    task = _task(run, name)
    down = Descent(
        task.network.named_parameters(),
        is_matrix=task.is_matrix,
        matrix_rate=0.005,
        other_rate=1e-3,
        weight_decay=0.0,
    )
    chance = Chance.of
    losses = []
    for _ in range(8):
        down.zero()
        loss, _ = task.loss(chance(0, 3))  # the same batch and noise each time
        loss.backward()
        losses.append(float(loss.detach()))
        down.step(1.0)
    assert losses[1] < losses[0]
    assert losses[-1] < 0.97 * losses[0]


@pytest.mark.parametrize("name", ["outer", "inner", "coder", "flow", "probe"])
def test_a_run_that_stopped_goes_on_as_if_it_never_had(run: Run, tmp_path: Path, name: str) -> None:
    whole = run.folder / name  # all eight steps in one sitting
    assert not train(_task(run, name), tmp_path, seed=run.recipe.seed, minutes=0)
    assert read_log(tmp_path / "log.jsonl")[-1]["step"] < 8
    # A line that a killed run wrote after its last saved state is not there twice.
    with (tmp_path / "log.jsonl").open("a") as stream:
        stream.write(json.dumps({"step": 3, "loss": 99.0}) + '\n{"step": 4, "lo')
    assert train(_task(run, name), tmp_path, seed=run.recipe.seed)
    left, right = load_file(tmp_path / STATE), load_file(whole / STATE)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)
    steps = [line["step"] for line in read_log(tmp_path / "log.jsonl") if "loss" in line]
    assert steps == list(range(1, 9))


def test_the_levels_together_are_the_vae(recipe: Recipe) -> None:
    torch.manual_seed(0)
    vae = make_coder(recipe.coder).eval()
    levels = Levels(vae)
    pixels = torch.rand(2, 3, 9, 32, 32) * 2 - 1
    with torch.no_grad():
        latents = levels.compress(levels.shrink(pixels))
        torch.testing.assert_close(latents, encode(vae, pixels), rtol=0, atol=1e-5)
        made = levels.widen(levels.expand(latents))
        torch.testing.assert_close(made, decode(vae, latents), rtol=0, atol=1e-5)


def test_teaching_the_inner_level_leaves_the_outer_one_as_it_is(run: Run, tmp_path: Path) -> None:
    before = run._levels("outer")
    task = InnerTask(run.recipe, run.shards(), run.held_out(), CPU, before)
    train(task, tmp_path, seed=1)
    changed = {
        name
        for name, value in task.network.state_dict().items()
        if not torch.equal(value, before.state_dict()[name])
    }
    outer = ("bridge", "vae.encoder.conv_in", "vae.encoder.down_blocks.0", "vae.decoder.up_blocks.1")
    assert any("mid_block" in name for name in changed)
    assert not [name for name in changed if name.startswith(outer)]


def test_the_whole_vae_goes_on_from_its_levels(run: Run) -> None:
    begun = run._levels("inner").vae
    task = CoderTask(run.recipe, run.shards(), run.held_out(), CPU, begun)
    pixels = torch.rand(1, 3, 5, 32, 32) * 2 - 1
    with torch.no_grad():
        of_levels = run._levels("inner").widen(_features(run, pixels))
        torch.testing.assert_close(task.round_trip(pixels), of_levels, rtol=0, atol=1e-5)


def _features(run: Run, pixels: torch.Tensor) -> torch.Tensor:
    levels = run._levels("inner")
    return levels.expand(levels.compress(levels.shrink(pixels)))


def test_finishing_the_decoder_leaves_latents_as_they_are(run: Run, tmp_path: Path) -> None:
    how = run.recipe.coder.training.model_copy(update={"steps": 3})
    coder = run.recipe.coder.model_copy(update={"finishing": how})
    recipe = run.recipe.model_copy(update={"coder": coder})
    before = run._coder("coder")
    task = DecoderTask(recipe, run.shards(), run.held_out(), CPU, before)
    assert train(task, tmp_path, seed=0)
    pixels = torch.rand(1, 3, 5, 32, 32) * 2 - 1
    with torch.no_grad():
        latents = encode(before, pixels)
        assert torch.equal(encode(task.network, pixels), latents)
        assert not torch.equal(decode(task.network, latents), decode(before, latents))


def test_a_state_of_another_network_is_refused(run: Run) -> None:
    recipe = run.recipe
    wider = recipe.model_copy(update={"probe": recipe.probe.model_copy(update={"width": 16})})
    task = ProbeTask(wider, run.shards(), run.held_out(), CPU)
    with pytest.raises(ConfigError, match="another network"):
        train(task, run.folder / "probe", seed=0)


def test_a_loss_that_is_not_finite_stops_the_run(run: Run, tmp_path: Path) -> None:
    task = _task(run, "probe")
    with torch.no_grad():
        next(task.network.parameters()).fill_(float("nan"))
    with pytest.raises(GenerationError, match="step 1") as raised:
        train(task, tmp_path, seed=0)
    assert raised.value.reason == "not_finite"
    assert not (tmp_path / STATE).exists()


def test_prompts_and_controls_are_left_out_as_often_as_asked(run: Run) -> None:
    task = _task(run, "flow")
    assert isinstance(task, FlowTask)
    rng = np.random.default_rng(0)
    take = run.shards().takes[1]
    said = [task._words(take, 0, rng) for _ in range(4000)]
    dropped = sum(words != take.captions[0] for words in said) / 4000
    assert abs(dropped - run.recipe.flow.text_drop) < 0.02
    hints = [task.loss(Chance.of(1, step))[1]["hints"] for step in range(120)]
    assert 0.02 < hints.count(0.0) / 120 < 0.18
    assert {1.0, 2.0, 3.0} <= set(hints)
    kinds = {tuple(task._kinds(2, rng)) for _ in range(300)}
    assert ("edge", "seg") in kinds
    assert ("seg", "edge") not in kinds  # always in the order in which pipelines pack them
    assert len(kinds) == 10


def test_statistics_are_those_of_the_clips(run: Run) -> None:
    shards = run.shards()
    latents = Latents(run.folder / "latents", shards.seeds)
    raw = np.concatenate([latents.of(t).reshape(run.recipe.coder.channels, -1) for t in shards.takes], axis=1)
    found = latents.statistics()
    assert np.allclose(found.mean, raw.astype(np.float64).mean(1), atol=1e-4)
    assert np.allclose(found.std, raw.astype(np.float64).std(1), atol=1e-4)
    one = torch.from_numpy(latents.of(shards.takes[0])).float()
    assert torch.allclose(found.restore(found.normalise(one)), one, atol=1e-5)


def test_latents_of_another_vae_are_not_mixed_in(run: Run) -> None:
    from checkpoints.latents import encode_all

    with pytest.raises(ConfigError, match="another VAE"):
        list(encode_all(run.folder / "latents", run.finished_coder(), run.shards(), identity="x", device=CPU))


def test_reading_the_truth_is_a_perfect_score() -> None:
    tags = np.full((2, 16, 16), int(Tag.ROAD), np.uint8)
    tags[:, :8] = Tag.SKY
    tags[:, 10:14, 4:8] = Tag.CAR
    depth = np.full((2, 16, 16), 20.0, np.float16)
    depth[:, :8] = np.inf
    nearness = np.where(np.isinf(depth), 0, 2.0 / np.minimum(depth, 1000)).astype(np.float32)
    odds = np.zeros(9)
    right = Reading(groups_of(tags), nearness, odds)
    assert right.group_iou(groups_of(tags)) == 1.0
    assert right.depth_error(depth) < 1e-3
    wrong = Reading((groups_of(tags) + 1) % len(GROUPS), nearness / 2, odds)
    assert wrong.group_iou(groups_of(tags)) < 0.1
    assert wrong.depth_error(depth) == pytest.approx(1.0, abs=0.02)


def test_shards_of_training_are_not_those_of_evaluation(run: Run) -> None:
    assert not set(run.shards().seeds) & set(run.held_out().seeds)
    assert isinstance(run.held_out(), Shards)
