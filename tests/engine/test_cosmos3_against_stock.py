"""Our loop gives what diffusers' own transfer pipeline gives, from the same folder, on CPU in float32."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import Cosmos3OmniModularPipeline, SeaCacheConfig, UniPCMultistepScheduler
from PIL import Image

from tests.situations_cosmos3 import SIZE, control, made, pixels, request
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.request import Transfer
from worldgen.models.engine.guidance import Guidance

EXACT = 1e-5


@pytest.fixture(scope="module")
def stock(folder: Path) -> Cosmos3OmniModularPipeline:
    pipeline = Cosmos3OmniModularPipeline.from_pretrained(str(folder))
    pipeline.load_components(dtype=torch.float32)
    pipeline.disable_safety_checker()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def by_stock(pipeline: Any, wanted: Transfer) -> torch.Tensor:
    how = wanted.sampling
    pipeline.update_components(
        scheduler=UniPCMultistepScheduler.from_config(
            pipeline.scheduler.config, flow_shift=how.flow_shift, use_karras_sigmas=False
        )
    )
    start = None if wanted.start is None else [Image.fromarray(f) for f in wanted.start]
    return pipeline(
        prompt=wanted.prompt,
        negative_prompt=wanted.negative,
        control_videos={c.kind: [Image.fromarray(f) for f in c.frames] for c in wanted.controls},
        height=SIZE[0],
        width=SIZE[1],
        num_frames=wanted.frames,
        fps=how.fps,
        num_video_frames_per_chunk=how.chunk_frames,
        num_conditional_frames=how.conditional_frames,
        video=start,
        num_first_chunk_conditional_frames=0 if start is None else len(start),
        num_inference_steps=how.steps,
        guidance_scale=how.guidance.text,
        control_guidance=how.guidance.control,
        guidance_interval=how.guidance.text_interval,
        control_guidance_interval=how.guidance.control_interval,
        generator=torch.Generator().manual_seed(wanted.seed),
        use_system_prompt=wanted.has_system_prompt,
        output="videos",
        output_type="pt",
    )


START = np.random.default_rng(9).integers(0, 256, (6, *SIZE, 3), dtype=np.uint8)
WEAK = Guidance(text=2.0, control=2.0, text_interval=(400, 1000), control_interval=(0, 950))
CASES = {
    "one hint": request(),
    "one hint of 7 frames": request(control(frames=7)),
    "two hints": request(control("depth", seed=2), control("edge")),
    "every hint": request(
        *(control(k, seed=i) for i, k in enumerate(("wsm", "seg", "depth", "blur", "edge")))
    ),
    "text guidance alone": request(guidance=Guidance(text=3.0)),
    "control guidance alone": request(guidance=Guidance(control=3.0)),
    "no guidance": request(guidance=Guidance()),
    "guidance over intervals": request(steps=6, guidance=WEAK),
    "chunks": request(control(frames=21), chunk_frames=9),
    "chunks, a short last one": request(control(frames=15), chunk_frames=9),
    "chunks that share five frames": request(control(frames=21), chunk_frames=13, conditional_frames=5),
    "chunks that share two frames": request(control(frames=21), chunk_frames=9, conditional_frames=2),
    "chunks that share nothing": request(control(frames=18), chunk_frames=9, conditional_frames=0),
    "a first frame": request(start=START[:1]),
    "six first frames, chunks": request(control(frames=15), start=START, chunk_frames=9),
    "fewer frames than the control": request(frames=6),
    "one frame": request(frames=1),
    "no system prompt": request(has_system_prompt=False),
    "another shift": request(flow_shift=3.0),
}


@pytest.mark.parametrize("wanted", CASES.values(), ids=list(CASES))
def test_equal_to_stock(stock: Any, engine: Cosmos3Engine, wanted: Transfer) -> None:
    theirs, ours = by_stock(stock, wanted), pixels(engine, wanted)
    assert ours.shape == theirs.shape
    assert float(ours.std()) > 0.05, "nothing to compare"
    assert float((ours - theirs).abs().max()) <= EXACT


def test_what_is_shared_changes_nothing(stock: Any, engine: Cosmos3Engine) -> None:
    wanted = request(control(frames=15), control("seg", frames=15, seed=4), chunk_frames=9)
    first = pixels(engine, wanted)
    again = made(engine, wanted)
    assert again.counters["control_made"] == again.counters["text_made"] == 0
    assert torch.equal(pixels(engine, wanted), first)
    assert float((first - by_stock(stock, wanted)).abs().max()) <= EXACT


def test_step_caching_equals_stock_with_the_same_cache(stock: Any, engine: Cosmos3Engine) -> None:
    settings = {"threshold": 0.6, "retention_steps": 1, "cache_end_steps": 1}
    wanted = request(control(frames=15), steps=8, chunk_frames=9, step_cache=settings)
    exact = pixels(engine, request(control(frames=15), steps=8, chunk_frames=9))
    ours = pixels(engine, wanted)
    stock.transformer.enable_cache(SeaCacheConfig(**settings))
    try:
        theirs = by_stock(stock, wanted)
    finally:
        stock.transformer.disable_cache()
    assert float((ours - theirs).abs().max()) <= EXACT
    assert float((ours - exact).abs().max()) > EXACT, "the cache saved nothing"
    assert torch.equal(pixels(engine, request(control(frames=15), steps=8, chunk_frames=9)), exact)
