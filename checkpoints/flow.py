"""The transformer: building it, and its forward pass over a batch.

`Cosmos3OmniTransformer.forward` takes one packed sequence; training wants many. This repeats its arithmetic
on its own modules with a batch dimension (a test compares the two). A sequence is [text, controls, target]:
text is read causally and never sees the video; the video attends to both; controls share the target's
positions.
"""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import Cosmos3OmniTransformer
from diffusers.pipelines.cosmos.pipeline_cosmos3_omni import get_3d_mrope_ids_vae_tokens
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from checkpoints.recipe import CoderRecipe, FlowRecipe


def make_flow(recipe: FlowRecipe, coder: CoderRecipe) -> Cosmos3OmniTransformer:
    """Make an untrained network with torch's current random state.

    Its last projection starts at zero: the first velocity is none, and learning starts calmly.
    """
    network = Cosmos3OmniTransformer(
        hidden_size=recipe.width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_heads,
        head_dim=recipe.head_dim,
        intermediate_size=recipe.mlp,
        latent_channel=coder.channels,
        latent_patch_size=recipe.patch,
        patch_latent_dim=coder.channels * recipe.patch**2,
        rope_theta=100.0,
        rope_axes_dim=list(recipe.rope_axes),
        unified_3d_mrope_temporal_modality_margin=32,
        timestep_scale=0.02,
        vocab_size=recipe.vocabulary,
    )
    torch.nn.init.normal_(network.embed_tokens.weight, std=0.02)
    torch.nn.init.zeros_(network.proj_out.weight)
    torch.nn.init.zeros_(network.proj_out.bias)
    return network


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Situation:
    """What a velocity is predicted from, beside the noisy target."""

    ids: Tensor
    """[n, longest], padded at the end."""
    lengths: Tensor
    """[n]."""
    controls: Tensor
    """Clean, normalised latents [n, k, c, t, h, w]; k may be 0."""
    fps: Tensor
    """[n]."""
    given: Tensor
    """[n], bool: the target's first latent frame is clean, and is not predicted."""


def velocity(
    network: Cosmos3OmniTransformer, situation: Situation, target: Tensor, timestep: Tensor
) -> Tensor:
    """Predict the velocity of targets.

    Args:
        network: Whose.
        situation: See `Situation`.
        target: Latents [n, c, t, h, w], noisy but for frames that are given.
        timestep: [n], 0..1000.

    Returns:
        [n, c, t, h, w], zero on given frames.
    """
    parts: Any = network
    kind = parts.embed_tokens.weight.dtype
    patch = int(network.config.latent_patch_size)
    noisy = _noisy(situation, target, patch)
    tokens = parts.proj_in(_tokens(target, patch).to(kind))
    time = parts.time_embedder(parts.time_proj(timestep * network.config.timestep_scale).to(kind))
    tokens = tokens + noisy.unsqueeze(-1) * time.unsqueeze(1).to(tokens.dtype)
    count = situation.controls.shape[1]
    items = [parts.proj_in(_tokens(situation.controls[:, i], patch).to(kind)) for i in range(count)]
    video = torch.cat([*items, tokens], dim=1)
    text = parts.embed_tokens(situation.ids)
    text_turn, video_turn = _turns(network, situation, target.shape, count + 1, patch)
    mask = _mask(situation, video.shape[1])
    last = len(parts.layers) - 1
    for index, layer in enumerate(parts.layers):
        text, video = _layer(layer, text, video, text_turn, video_turn, mask, is_last=index == last)
    made = parts.proj_out(parts.norm_moe_gen(video[:, -tokens.shape[1] :]))
    return _latents(made * noisy.unsqueeze(-1).to(made.dtype), target, patch)


def _layer(
    layer: Any,  # noqa: ANN401 -- a decoder layer of diffusers
    text: Tensor,
    video: Tensor,
    text_turn: tuple[Tensor, Tensor],
    video_turn: tuple[Tensor, Tensor],
    mask: Tensor | None,
    *,
    is_last: bool,
) -> tuple[Tensor, Tensor]:
    attn = layer.self_attn
    words, seen = layer.input_layernorm(text), layer.input_layernorm_moe_gen(video)
    key = attn.norm_k(_heads(attn.to_k(words), attn.num_key_value_heads))
    value = _heads(attn.to_v(words), attn.num_key_value_heads)
    shown = _turned(key if attn.k_norm_und_for_gen is None else attn.k_norm_und_for_gen(key), text_turn)
    query = _turned(attn.norm_added_q(_heads(attn.add_q_proj(seen), attn.num_attention_heads)), video_turn)
    own = _turned(attn.norm_added_k(_heads(attn.add_k_proj(seen), attn.num_key_value_heads)), video_turn)
    own_value = _heads(attn.add_v_proj(seen), attn.num_key_value_heads)
    read = _attend(
        query,
        torch.cat([shown, own], dim=2),
        torch.cat([value, own_value], dim=2),
        mask=mask,
        is_causal=False,
    )
    video = video + attn.to_add_out(read)
    video = video + layer.mlp_moe_gen(layer.post_attention_layernorm_moe_gen(video))
    if is_last:  # Nothing reads the text after the last layer.
        return text, video
    asked = _turned(attn.norm_q(_heads(attn.to_q(words), attn.num_attention_heads)), text_turn)
    text = text + attn.to_out(_attend(asked, _turned(key, text_turn), value, mask=None, is_causal=True))
    return text + layer.mlp(layer.post_attention_layernorm(text)), video


def _heads(x: Tensor, count: int) -> Tensor:
    """[n, tokens, count * d] to [n, count, tokens, d]."""
    n, tokens, _ = x.shape
    return x.view(n, tokens, count, -1).transpose(1, 2)


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate [n, heads, tokens, d] by cosines and sines [n, 1, tokens, d]."""
    half = x.shape[-1] // 2
    swapped = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return (x * turn[0] + swapped * turn[1]).to(x.dtype)


def _attend(query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None, is_causal: bool) -> Tensor:
    repeats = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(repeats, dim=1).to(query.dtype) for x in (key, value))
    read = scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=is_causal)
    return read.transpose(1, 2).flatten(-2)


def _turns(
    network: Cosmos3OmniTransformer, situation: Situation, shape: torch.Size, items: int, patch: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Rotations of text (from 0) and video (after each sample's own text): [n, 1, tokens, d] each."""
    device, longest = situation.ids.device, situation.ids.shape[1]
    words = torch.arange(longest, dtype=torch.float32, device=device).expand(3, 1, -1)
    placed = []
    for length, fps in zip(situation.lengths.tolist(), situation.fps.tolist(), strict=True):
        one, _ = get_3d_mrope_ids_vae_tokens(
            grid_t=shape[2],
            grid_h=shape[3] // patch,
            grid_w=shape[4] // patch,
            temporal_offset=length + int(network.config.unified_3d_mrope_temporal_modality_margin),
            reset_spatial_indices=network.config.unified_3d_mrope_reset_spatial_ids,
            fps=fps if network.config.enable_fps_modulation else None,
            base_fps=float(network.config.base_fps),
            temporal_compression_factor=4,
        )
        placed.append(one.float().repeat(1, items))
    video = torch.stack(placed, dim=1).to(device)
    turns = []
    for positions in (words, video):
        cos, sin = network.rotary_emb(position_ids=positions, device=device, dtype=torch.float32)
        turns.append((cos.unsqueeze(1), sin.unsqueeze(1)))
    return turns[0], turns[1]


def _mask(situation: Situation, video_tokens: int) -> Tensor | None:
    """Which keys the video may see: all but padding; None when there is none. [n, 1, 1, keys]."""
    longest = situation.ids.shape[1]
    if bool((situation.lengths == longest).all()):
        return None
    words = torch.arange(longest, device=situation.ids.device) < situation.lengths.unsqueeze(1)
    video = words.new_ones((len(words), video_tokens))
    return torch.cat([words, video], dim=1)[:, None, None]


def _noisy(situation: Situation, target: Tensor, patch: int) -> Tensor:
    """1 for every token that is noisy, 0 for those that are given: [n, tokens], float32."""
    frames = target.new_ones((target.shape[0], target.shape[2]), dtype=torch.float32)
    frames[situation.given, 0] = 0.0
    return frames.repeat_interleave(target.shape[3] * target.shape[4] // patch**2, dim=1)


def _tokens(latents: Tensor, patch: int) -> Tensor:
    """[n, c, t, h, w] to [n, tokens, patch * patch * c], as the network packs them."""
    n, c, t, h, w = latents.shape
    cut = latents.reshape(n, c, t, h // patch, patch, w // patch, patch)
    return cut.permute(0, 2, 3, 5, 4, 6, 1).reshape(n, -1, patch * patch * c)


def _latents(tokens: Tensor, like: Tensor, patch: int) -> Tensor:
    """Undo `_tokens`."""
    n, c, t, h, w = like.shape
    cut = tokens.reshape(n, t, h // patch, w // patch, patch, patch, c)
    return cut.permute(0, 6, 1, 2, 4, 3, 5).reshape(n, c, t, h, w)


@torch.no_grad()
def sample(
    network: Cosmos3OmniTransformer, situation: Situation, noise: Tensor, *, steps: int, shift: float
) -> Tensor:
    """Make latents by Euler steps without guidance: a quick look while learning, not what ships.

    Args:
        network: Whose.
        situation: See `Situation`; given frames are not supported here.
        noise: [n, c, t, h, w], standard normal.
        steps: How many.
        shift: Of the noise levels.
    """
    levels = torch.linspace(1, 0, steps + 1)
    levels = shift * levels / (1 + (shift - 1) * levels)
    latents = noise
    for now, then in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
        timestep = torch.full((len(noise),), 1000 * now, device=noise.device)
        latents = latents + (then - now) * velocity(network, situation, latents, timestep).float()
    return latents
