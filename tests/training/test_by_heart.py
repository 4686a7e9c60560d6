"""A clip learnt by heart comes back through the production engine: signs, scales, positions and words all agree."""

from pathlib import Path

import numpy as np
import torch

from checkpoints.coder_training import round_trip
from checkpoints.export import export
from checkpoints.flow_training import FlowTask
from checkpoints.latents import Latents
from checkpoints.loop import train
from checkpoints.painter import Painter
from checkpoints.recipe import Recipe
from checkpoints.train import Run
from worldgen.imaging.fidelity import psnr

CPU = torch.device("cpu")


def _recipe(plain: Recipe) -> Recipe:
    values = plain.model_dump()
    values["flow"] |= {"text_drop": 0, "control_drop": 0, "start_share": 0, "structured_share": 0}
    values["flow"] |= {"hints": (0, 1, 0), "hint_shares": {"edge": 1, "seg": 1}}
    values["flow"]["training"] |= {
        "steps": 260,
        "batch": 8,
        "warmup": 20,
        "other_rate": 3e-3,
        "log_every": 20,
    }
    values["flow"]["training"] |= {"save_every": 1000, "examine_every": 1000}
    values["sampling"] |= {"steps": 10, "text_guidance": 1.0, "control_guidance": 1.0}
    return Recipe.model_validate(values)


def test_the_engine_paints_the_condition_that_was_asked(run: Run, tmp_path: Path) -> None:
    recipe = _recipe(run.recipe)
    shards, vae = run.shards(), run.finished_coder()
    shards.takes = shards.takes_of(shards.seeds[0])[:3]
    latents = Latents(run.folder / "latents", (*shards.seeds, *run.held_out().seeds))
    statistics = Latents(run.folder / "latents", shards.seeds).statistics()
    tokenizer = run.finished_tokenizer()
    task = FlowTask(recipe, shards, run.held_out(), latents, statistics, tokenizer, vae, CPU)
    lines: list[dict[str, float]] = []
    assert train(task, tmp_path / "flow", seed=0, told=lines.append)
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.1 * losses[0]
    folder = export(
        tmp_path / "model",
        recipe,
        vae=vae,
        flow=task.network,
        tokenizer=tokenizer,
        statistics=statistics,
        facts={},
    )
    painter = Painter(folder, recipe.sampling, shift=recipe.flow.shift, device=CPU)
    held = {i.name: shards.frames(i) for i in shards.controls if i.seed == shards.seeds[0]}
    controls = {"edge": held["control/edge"], "seg": held["control/seg"]}
    best = [round_trip(vae, shards.frames(take), CPU) for take in shards.takes]
    for index, take in enumerate(shards.takes):
        made = painter.paint(controls, take.captions[0], fps=shards.fps(take.seed), seed=7)
        likeness = [psnr(made, clip) for clip in best]
        assert int(np.argmax(likeness)) == index, (take.label, likeness)
        assert likeness[index] > 40
