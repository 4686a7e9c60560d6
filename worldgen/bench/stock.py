"""Stock: diffusers' own Cosmos 3 transfer pipeline, asked for what our engine is asked for."""

from pathlib import Path
from typing import Any, TypeAlias

import torch
from diffusers import Cosmos3OmniModularPipeline, UniPCMultistepScheduler
from PIL import Image

from worldgen.models.cosmos3.load import Parts
from worldgen.models.cosmos3.request import Sampling, Transfer

Pipeline: TypeAlias = Any
"""Of diffusers, which annotates little of it."""


def stock_from(folder: Path) -> Pipeline:
    """Load a checkpoint as diffusers does, in float32."""
    pipeline = Cosmos3OmniModularPipeline.from_pretrained(str(folder))
    pipeline.load_components(dtype=torch.float32)
    return _ready(pipeline, pipeline.scheduler.config)


def stock_of(parts: Parts) -> Pipeline:
    """Put the pipeline together from modules that are loaded already, or were never on disk."""
    from diffusers.modular_pipelines.cosmos import Cosmos3OmniBlocks

    pipeline = Cosmos3OmniBlocks().init_pipeline()
    pipeline.update_components(transformer=parts.network, vae=parts.vae, text_tokenizer=parts.tokenizer)
    return _ready(pipeline, parts.scheduler_config)


def by_stock(
    pipeline: Pipeline, request: Transfer, *, steps: int | None = None, device: str = "cpu"
) -> torch.Tensor:
    """Make a clip.

    Args:
        pipeline: Of `stock_from` or `stock_of`.
        request: What our engine is asked for.
        steps: In place of the request's.
        device: Of the noise.

    Returns:
        [t, 3, h, w] in 0..1.
    """
    height, width = request.size
    how = request.sampling
    made: torch.Tensor = pipeline(
        prompt=request.prompt,
        negative_prompt=request.negative,
        control_videos={c.kind: [Image.fromarray(f) for f in c.frames] for c in request.controls},
        height=height,
        width=width,
        fps=how.fps,
        num_inference_steps=steps or how.steps,
        guidance_scale=how.guidance.text,
        control_guidance=how.guidance.control,
        generator=torch.Generator(device).manual_seed(request.seed),
        output="videos",
        output_type="pt",
    )
    return made


def _ready(pipeline: Pipeline, scheduler_config: Any) -> Pipeline:  # noqa: ANN401 -- of diffusers
    """Give it the scheduler of a transfer, and keep it from judging and from drawing bars."""
    shifted = UniPCMultistepScheduler.from_config(
        scheduler_config, flow_shift=Sampling().flow_shift, use_karras_sigmas=False
    )
    pipeline.update_components(scheduler=shifted)
    pipeline.disable_safety_checker()
    # Its property `blocks` gives a copy, which nothing runs.
    for block in _blocks(pipeline._blocks):
        if hasattr(block, "set_progress_bar_config"):
            block.set_progress_bar_config(disable=True)
    return pipeline


def _blocks(block: Any) -> list[Any]:  # noqa: ANN401 -- of diffusers
    inner = getattr(block, "sub_blocks", {}) or {}
    return [block, *(b for child in inner.values() for b in _blocks(child))]
