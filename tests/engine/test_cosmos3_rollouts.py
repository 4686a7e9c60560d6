"""Text, image and video to world, and action-conditioned rollouts, held to diffusers' own pipeline."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import Cosmos3OmniModularPipeline, CosmosActionCondition, UniPCMultistepScheduler
from PIL import Image

from worldgen.errors import Cancelled, ContractError
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import load
from worldgen.models.cosmos3.request import Decoded, Made, Sampling, StepDone
from worldgen.models.cosmos3.rollout import Rollout, roll_out
from worldgen.models.cosmos3.tiny import Layout, make_checkpoint
from worldgen.models.engine.guidance import Guidance

SIZE, FRAMES = (192, 320), 9
PIXELS = np.random.default_rng(4).integers(0, 256, (FRAMES, *SIZE, 3), dtype=np.uint8)
ACTIONS = np.random.default_rng(5).normal(size=(FRAMES - 1, 9)).astype(np.float32)
HOW = Sampling(steps=3, guidance=Guidance(text=4.0), fps=10.0)


def rollout(**more: Any) -> Rollout:
    facts = {"prompt": "A wet road.", "negative": "blurry", "size": SIZE, "frames": FRAMES, "sampling": HOW}
    return Rollout(**{**facts, "seed": 3, **more})


@pytest.fixture(scope="module")
def stock(folder: Path) -> Any:
    return stock_of(folder)


def stock_of(folder: Path) -> Any:
    pipeline = Cosmos3OmniModularPipeline.from_pretrained(str(folder))
    pipeline.load_components(dtype=torch.float32)
    pipeline.disable_safety_checker()
    shifted = UniPCMultistepScheduler.from_config(
        pipeline.scheduler.config, flow_shift=10.0, use_karras_sigmas=False
    )
    pipeline.update_components(scheduler=shifted)
    return pipeline


def by_stock(pipeline: Any, wanted: Rollout) -> torch.Tensor:
    facts: dict[str, Any] = {"height": SIZE[0], "width": SIZE[1], "num_frames": wanted.frames}
    if wanted.actions is not None:
        action = CosmosActionCondition(
            mode="forward_dynamics",
            chunk_size=len(wanted.actions),
            domain_name="av",
            resolution_tier=256,
            raw_actions=torch.from_numpy(wanted.actions),
            image=Image.fromarray(wanted.start[0]),
        )
        facts = {"action": action}
    elif wanted.start is not None and len(wanted.start) == 1:
        facts["image"] = Image.fromarray(wanted.start[0])
    elif wanted.start is not None:
        facts["video"] = [Image.fromarray(f) for f in wanted.start]
        facts["condition_frame_indexes_vision"] = list(range((len(wanted.start) - 1) // 4 + 1))
    return pipeline(
        prompt=wanted.prompt,
        negative_prompt=wanted.negative,
        fps=wanted.sampling.fps,
        num_inference_steps=wanted.sampling.steps,
        guidance_scale=wanted.sampling.guidance.text,
        use_system_prompt=wanted.has_system_prompt,
        generator=torch.Generator().manual_seed(wanted.seed),
        output="videos",
        output_type="pt",
        **facts,
    )


def by_us(engine: Cosmos3Engine, wanted: Rollout) -> torch.Tensor:
    told = list(roll_out(engine, wanted, threading.Event()))
    assert isinstance(told[-1], Made)
    assert [e.step for e in told if isinstance(e, StepDone)] == [1, 2, 3]
    assert told[-1].frames.shape == (wanted.frames, *SIZE, 3)
    (decoded,) = [e for e in told if isinstance(e, Decoded)]
    return decoded.pixels[0].permute(1, 0, 2, 3) * 0.5 + 0.5


PLAIN = Sampling(steps=3, guidance=Guidance(), fps=10.0)
DRIVE = {"start": PIXELS[:1], "actions": ACTIONS, "sampling": PLAIN, "has_system_prompt": False}
CASES = {
    "text": rollout(),
    "text without guidance": rollout(sampling=PLAIN),
    "a first frame": rollout(start=PIXELS[:1]),
    "five first frames": rollout(start=PIXELS[:5]),
    "actions": rollout(**DRIVE),
}


@pytest.mark.parametrize("wanted", CASES.values(), ids=list(CASES))
def test_equal_to_stock(stock: Any, engine: Cosmos3Engine, wanted: Rollout) -> None:
    theirs, ours = by_stock(stock, wanted), by_us(engine, wanted)
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= 1e-5


def test_the_layers_of_edge_are_equal_to_stock_too(tmp_path: Path) -> None:
    made = make_checkpoint(tmp_path / "edge", Layout(is_edge=True), seed=2)
    edge = Cosmos3Engine(load(made, dtype=torch.float32))
    wanted = rollout(start=PIXELS[:1])
    assert float((by_us(edge, wanted) - by_stock(stock_of(made), wanted)).abs().max()) <= 1e-5


def test_another_way_of_driving_gives_another_clip(engine: Cosmos3Engine) -> None:
    one, other = (by_us(engine, rollout(**{**DRIVE, "actions": a})) for a in (ACTIONS, -ACTIONS))
    assert float((one - other).abs().max()) > 1e-4


BAD = {
    "ten frames": ({"frames": 10}, "frames"),
    "an odd size": ({"size": (190, 320)}, "size"),
    "two first frames": ({"start": PIXELS[:2]}, "frames"),
    "first frames of another size": ({"start": PIXELS[:1, ::2]}, "frames"),
    "actions without a first frame": ({"actions": ACTIONS}, "needs"),
    "too few actions": ({**DRIVE, "actions": ACTIONS[:3]}, "frames"),
    "actions that are not finite": ({**DRIVE, "actions": ACTIONS * np.float32("nan")}, "frames"),
}


@pytest.mark.parametrize(("change", "reason"), BAD.values(), ids=list(BAD))
def test_what_does_not_fit_is_refused(engine: Cosmos3Engine, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ContractError) as refused:
        next(iter(roll_out(engine, rollout(**change), threading.Event())))
    assert refused.value.reason == reason


def test_a_stop_ends_within_one_step(engine: Cosmos3Engine) -> None:
    stop = threading.Event()
    running = roll_out(engine, rollout(), stop)
    next(running)
    stop.set()
    with pytest.raises(Cancelled):
        next(running)
