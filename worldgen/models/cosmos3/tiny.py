"""Tiny Cosmos 3 checkpoints: the production layout with few, random weights.

For tests, benches and training from scratch: everything is loaded by the very code that loads Nano. What
random weights paint is noise; it is never offered as a picture of anything.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKLWan, Cosmos3OmniTransformer, UniPCMultistepScheduler

from worldgen.models.cosmos3.layout import write_index

_CHAT_TEMPLATE: Final = (
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_SPECIAL: Final = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Sizes of a small Cosmos 3."""

    width: int = 48
    layers: int = 3
    heads: int = 4
    key_heads: int = 2
    head_dim: int = 16
    mlp: int = 96
    channels: int = 8
    """Of the latents."""
    patch: int = 2
    """Latent pixels per token along each side."""
    rope_axes: tuple[int, int, int] = (4, 2, 2)
    vae_width: int = 4
    vae_patch: int = 4
    """Pixels that the VAE folds into channels before its first layer: a quarter of a latent's."""
    action_dim: int = 16
    """Of the action head; 0: none."""
    vocabulary: int = 320
    is_edge: bool = False
    """Whether the layers are those of Cosmos 3 Edge (Nemotron) in place of Nano's and Super's (Qwen)."""


SMALL: Final = Layout()
"""For tests: a second for a whole clip on one core."""
LAPTOP: Final = Layout(
    width=256,
    layers=8,
    heads=4,
    key_heads=2,
    head_dim=64,
    mlp=640,
    channels=48,
    patch=1,
    rope_axes=(12, 10, 10),
    vae_width=24,
    vae_patch=4,
    action_dim=0,
    vocabulary=512,
)
"""The first laptop-sized layout that was trained: 16 million parameters in all."""


def make_checkpoint(
    folder: Path, layout: Layout = SMALL, *, seed: int = 0, words: Iterator[str] | None = None
) -> Path:
    """Write a checkpoint with random weights.

    Args:
        folder: Made; the layout of `worldgen.models.cosmos3.load`, and the files that diffusers' own pipeline
            loads by.
        layout: Sizes.
        seed: Of the weights.
        words: Text to train the tokenizer on; None: a few sentences about driving.

    Returns:
        The folder.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network, vae = make_network(layout), make_vae(layout)
    parts: dict[str, Any] = {
        "transformer": network.eval(),
        "vae": vae.eval(),
        "scheduler": make_scheduler(),
        "text_tokenizer": make_tokenizer(layout.vocabulary, words),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        part.save_pretrained(str(folder / name))
    write_index(folder)
    return folder


def make_network(layout: Layout) -> Cosmos3OmniTransformer:
    """Make the network with torch's current random state."""
    return Cosmos3OmniTransformer(
        hidden_size=layout.width,
        num_hidden_layers=layout.layers,
        num_attention_heads=layout.heads,
        num_key_value_heads=layout.key_heads,
        head_dim=layout.head_dim,
        intermediate_size=layout.mlp,
        latent_channel=layout.channels,
        latent_patch_size=layout.patch,
        patch_latent_dim=layout.channels * layout.patch**2,
        rope_theta=100.0,
        rope_axes_dim=list(layout.rope_axes),
        unified_3d_mrope_temporal_modality_margin=32,
        timestep_scale=0.02,
        vocab_size=layout.vocabulary,
        hidden_act="relu2" if layout.is_edge else "silu",
        qk_norm_for_text=not layout.is_edge,
        use_und_k_norm_for_gen=layout.is_edge,
        action_gen=layout.action_dim > 0,
        action_dim=layout.action_dim or None,
    )


def make_vae(layout: Layout) -> AutoencoderKLWan:
    """Make the VAE with torch's current random state: 4 frames to one, `vae_patch` * 4 pixels to one."""
    colours = 3 * layout.vae_patch**2
    return AutoencoderKLWan(
        base_dim=layout.vae_width,
        decoder_base_dim=2 * layout.vae_width,
        z_dim=layout.channels,
        dim_mult=[1, 2, 2],
        num_res_blocks=1,
        attn_scales=[],
        temperal_downsample=[True, True],
        is_residual=True,
        in_channels=colours,
        out_channels=colours,
        patch_size=layout.vae_patch,
        scale_factor_spatial=4 * layout.vae_patch,
        scale_factor_temporal=4,
        latents_mean=[0.0] * layout.channels,
        latents_std=[1.0] * layout.channels,
    )


def make_scheduler() -> UniPCMultistepScheduler:
    """Make the scheduler that Cosmos 3 is published with."""
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=2.5,
        final_sigmas_type="zero",
        num_train_timesteps=1000,
        solver_order=2,
    )


def make_tokenizer(vocabulary: int, words: Iterator[str] | None = None) -> Any:  # noqa: ANN401 -- of transformers
    """Train a byte-level tokenizer of the Qwen kind."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(words or iter(_sentences()), trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core)  # type: ignore[no-untyped-call]  # of transformers
    tokenizer.add_special_tokens({"eos_token": _SPECIAL[2], "pad_token": _SPECIAL[0]})
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer


def _sentences() -> list[str]:
    weather = ("rain", "heavy rain", "snow", "fog", "a clear sky", "overcast sky", "night", "dusk", "low sun")
    road = ("dry road", "wet road", "puddles on the road", "snow-covered ground")
    plain = [f"A video from the front camera of a car: {w}, {r}." for w in weather for r in road]
    return plain + [
        json.dumps({"lighting": {"conditions": w}, "background_setting": r}) for w in weather for r in road
    ]
