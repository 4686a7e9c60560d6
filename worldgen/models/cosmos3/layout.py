"""The production layout of a checkpoint, as diffusers' own pipeline reads it."""

import json
from pathlib import Path
from typing import Final

_CLASSES: Final = {
    "scheduler": ("diffusers", "UniPCMultistepScheduler"),
    "text_tokenizer": ("transformers", "PreTrainedTokenizerFast"),
    "transformer": ("diffusers", "Cosmos3OmniTransformer"),
    "vae": ("diffusers", "AutoencoderKLWan"),
}


def write_index(folder: Path) -> None:
    """Write `modular_model_index.json` beside the folders of the parts."""
    places = {
        part: [
            *kind,
            {"pretrained_model_name_or_path": folder.name, "subfolder": part, "type_hint": list(kind)},
        ]
        for part, kind in _CLASSES.items()
    }
    facts = {
        "_blocks_class_name": "Cosmos3OmniBlocks",
        "_class_name": "Cosmos3OmniModularPipeline",
        "enable_safety_checker": False,
        "default_use_system_prompt": True,
        "use_native_flow_schedule": False,
    }
    (folder / "modular_model_index.json").write_text(json.dumps(facts | places, indent=1) + "\n")
