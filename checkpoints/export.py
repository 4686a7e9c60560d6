"""Export: the finished networks in the layout in which Cosmos 3 is published, in bfloat16.

The files are those that `worldgen.models.cosmos3.load` and diffusers' own pipelines read, each part written
by its class's `save_pretrained`; weights in files of less than 15 MiB.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from checkpoints.latents import Statistics
from checkpoints.recipe import Recipe
from worldgen.datatypes import CONTROL_KINDS
from worldgen.models.cosmos3.layout import write_index
from worldgen.models.cosmos3.tiny import make_scheduler

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan, Cosmos3OmniTransformer

LARGEST_FILE: Final = "14MB"


def export(
    folder: Path,
    recipe: Recipe,
    *,
    vae: "AutoencoderKLWan",
    flow: "Cosmos3OmniTransformer",
    tokenizer: Any,  # noqa: ANN401 -- of transformers
    statistics: Statistics,
    facts: dict[str, Any],
) -> Path:
    """Write a checkpoint folder.

    Args:
        folder: Made.
        recipe: Written beside the weights.
        vae: Finished; its statistics are set here.
        flow: Finished.
        tokenizer: Of the model.
        statistics: Of the clips' latents.
        facts: How it was made, written beside the weights.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vae.register_to_config(latents_mean=list(statistics.mean), latents_std=list(statistics.std))
    for network in (vae, flow):
        for name, part in network.named_children():
            if name != "time_embedder":  # which loads as float32 whatever is asked
                part.to(torch.bfloat16)
    vae.save_pretrained(folder / "vae", max_shard_size=LARGEST_FILE)
    flow.save_pretrained(folder / "transformer", max_shard_size=LARGEST_FILE)
    make_scheduler().save_pretrained(folder / "scheduler")
    tokenizer.save_pretrained(folder / "text_tokenizer")
    write_index(folder)
    made = {**facts, "recipe": recipe.model_dump(mode="json")}
    (folder / "made.json").write_text(json.dumps(made, indent=1) + "\n")
    return folder


def model_settings(recipe: Recipe) -> dict[str, Any]:
    """Write what configs/models/cosmos3-embedded.yaml says of a model of this recipe.

    Its schema is `worldgen.models.cosmos3.settings.Cosmos3Settings`.
    """
    width, height = recipe.data.size
    how = recipe.sampling
    preset = {
        "guidance": how.text_guidance,
        "control_guidance": how.control_guidance,
        "flow_shift": recipe.flow.shift,
        "chunk_frames": recipe.data.frames,
    }
    return {
        "title": "Cosmos 3 in the small: a test model that knows only the proving ground",
        "note": "It is a test model that knows only the proving ground.",
        "weights": "cosmos3-embedded",
        "license": "Apache-2.0",
        "controls": list(CONTROL_KINDS),
        "default_controls": list(how.controls),
        "tiers": {height: [[width, height]]},
        "min_frames": 5,
        "fps_range": [min(recipe.data.fps), max(recipe.data.fps)],
        # Resident memory of a whole process while it paints on a CPU: 1004 MiB.
        "memory_gib": 1.0,
        "presets": {name: dict(preset) for name in (*CONTROL_KINDS, "several")},
        "sampling": {"steps": how.steps, "tier": height},
        "prompt_style": "plain",
        "emphasize_control_in_prompt": False,
        "verified_with_real_weights": True,
    }


def bytes_of(folder: Path) -> int:
    """Weigh all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
