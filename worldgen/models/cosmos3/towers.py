"""The two towers of a Cosmos 3 network, run apart.

Each layer of `Cosmos3OmniTransformer` holds two sets of weights: the understanding tower reads the text
causally and never sees the video; the generation tower reads the video and attends to both. So the
understanding tower's keys and values do not depend on the step: they are computed once per text. Read from
diffusers 0.42, models/transformers/transformer_cosmos3.py, whose arithmetic this repeats step by step.
"""

from typing import Any, NamedTuple

import torch
from diffusers import Cosmos3OmniTransformer
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import Tensor, nn


class TextKeys(NamedTuple):
    """A text to the generation tower: each layer's rotated keys, and values: [tokens, heads, dim]."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    @property
    def length(self) -> int:
        """Count the tokens."""
        return int(self.keys[0].shape[0])


class Rotation(NamedTuple):
    """Cosine and sine of rotary positions, [tokens, head dim]."""

    cos: Tensor
    sin: Tensor


def rotation_of(network: Cosmos3OmniTransformer, positions: Tensor, dtype: torch.dtype) -> Rotation:
    """Turn positions [3, tokens] (time, height, width) into a rotation."""
    cos, sin = network.rotary_emb(position_ids=positions.unsqueeze(1), device=positions.device, dtype=dtype)
    return Rotation(cos.squeeze(0), sin.squeeze(0))


class UnderstandingTower(nn.Module):
    """Text tokens to the keys and values that the generation tower attends to.

    Args:
        network: Whose weights are used; they are shared, not copied.
    """

    def __init__(self, network: Cosmos3OmniTransformer, attention: str | None = None) -> None:
        super().__init__()
        self.embed = network.embed_tokens
        self.layers = nn.ModuleList([_UnderstandingLayer(layer) for layer in network.layers])
        self._attention = attention

    def forward(self, input_ids: Tensor, rotation: Rotation) -> TextKeys:
        """Run the tower; the last layer only as far as its keys and values."""
        hidden = self.embed(input_ids)
        turn = Rotation(rotation.cos.unsqueeze(1), rotation.sin.unsqueeze(1))
        keys, values = [], []
        for index, layer in enumerate(self.layers):
            is_last = index == len(self.layers) - 1
            hidden, key, value = layer(hidden, turn, is_last, self._attention)
            keys.append(key)
            values.append(value)
        return TextKeys(tuple(keys), tuple(values))


class _UnderstandingLayer(nn.Module):
    """The half of a decoder layer that reads text."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        attn: Any = layer.self_attn
        self.norm_in: Any = layer.input_layernorm
        self.norm_mlp: Any = layer.post_attention_layernorm
        self.mlp: Any = layer.mlp
        self.to_q, self.to_k, self.to_v, self.to_out = attn.to_q, attn.to_k, attn.to_v, attn.to_out
        self.norm_q, self.norm_k = attn.norm_q, attn.norm_k
        self.norm_k_for_generation: Any = attn.k_norm_und_for_gen
        self.heads, self.key_heads, self.head_dim = (
            attn.num_attention_heads,
            attn.num_key_value_heads,
            attn.head_dim,
        )

    def forward(
        self,
        hidden: Tensor,
        turn: Rotation,
        is_last: bool,
        attention: str | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the hidden state after the layer, and the keys and values for the generation tower."""
        normed = self.norm_in(hidden)
        key = self.norm_k(self.to_k(normed).view(-1, self.key_heads, self.head_dim))
        value = self.to_v(normed).view(-1, self.key_heads, self.head_dim)
        shown = key if self.norm_k_for_generation is None else self.norm_k_for_generation(key)
        shown = _rotate(shown, turn)
        if is_last:
            return hidden, shown, value
        query = self.norm_q(self.to_q(normed).view(-1, self.heads, self.head_dim))
        read = dispatch_attention_fn(
            _rotate(query, turn).unsqueeze(0),
            _rotate(key, turn).unsqueeze(0),
            value.unsqueeze(0),
            is_causal=True,
            enable_gqa=True,
            backend=attention,
        )
        hidden = hidden + self.to_out(read.squeeze(0).flatten(-2, -1))
        return hidden + self.mlp(self.norm_mlp(hidden)), shown, value


class GenerationTower(nn.Module):
    """Video tokens to the velocity tokens that are asked for.

    Args:
        network: Whose weights are used; they are shared, not copied.
        attention: A backend of diffusers' dispatch; None: its active one.
    """

    def __init__(self, network: Cosmos3OmniTransformer, attention: str | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_GenerationLayer(layer) for layer in network.layers])
        self.norm = network.norm_moe_gen
        self._attention = attention

    def forward(
        self, hidden: Tensor, text: TextKeys, rotation: Rotation, wanted: slice, bias: Tensor | None = None
    ) -> Tensor:
        """Run the tower.

        Args:
            hidden: [tokens, width].
            text: Of the prompt.
            rotation: Of the video tokens.
            wanted: Tokens whose result is read. The last layer works out only those; the others still give it
                keys and values.
            bias: Added to the attention scores, [text + video tokens]; None: nothing.

        Returns:
            [wanted tokens, width], normalised.
        """
        turn = Rotation(rotation.cos.unsqueeze(1), rotation.sin.unsqueeze(1))
        mask = None if bias is None else bias.view(1, 1, 1, -1)
        for index, layer in enumerate(self.layers):
            rows = wanted if index == len(self.layers) - 1 else None
            hidden = layer(hidden, text.keys[index], text.values[index], turn, rows, mask, self._attention)
        normed: Tensor = self.norm(hidden)
        return normed


class _GenerationLayer(nn.Module):
    """The half of a decoder layer that makes video."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        attn: Any = layer.self_attn
        self.norm_in: Any = layer.input_layernorm_moe_gen
        self.norm_mlp: Any = layer.post_attention_layernorm_moe_gen
        self.mlp: Any = layer.mlp_moe_gen
        self.to_q, self.to_k, self.to_v = attn.add_q_proj, attn.add_k_proj, attn.add_v_proj
        self.to_out = attn.to_add_out
        self.norm_q, self.norm_k = attn.norm_added_q, attn.norm_added_k
        self.heads, self.key_heads, self.head_dim = (
            attn.num_attention_heads,
            attn.num_key_value_heads,
            attn.head_dim,
        )

    def forward(
        self,
        hidden: Tensor,
        text_key: Tensor,
        text_value: Tensor,
        turn: Rotation,
        rows: slice | None,
        mask: Tensor | None,
        attention: str | None,
    ) -> Tensor:
        """Return the hidden state after the layer: of all tokens, or of `rows`."""
        normed = self.norm_in(hidden)
        key = self.norm_k(self.to_k(normed).view(-1, self.key_heads, self.head_dim))
        value = self.to_v(normed).view(-1, self.key_heads, self.head_dim)
        key = torch.cat([text_key, _rotate(key, turn)], dim=0)
        value = torch.cat([text_value, value], dim=0)
        if rows is not None:
            hidden, normed = hidden[rows], normed[rows]
            turn = Rotation(turn.cos[rows], turn.sin[rows])
        query = self.norm_q(self.to_q(normed).view(-1, self.heads, self.head_dim))
        read = dispatch_attention_fn(
            _rotate(query, turn).unsqueeze(0),
            key.unsqueeze(0),
            value.unsqueeze(0),
            attn_mask=mask,
            is_causal=False,
            enable_gqa=True,
            backend=attention,
        )
        hidden = hidden + self.to_out(read.squeeze(0).flatten(-2, -1))
        made: Tensor = hidden + self.mlp(self.norm_mlp(hidden))
        return made


def _rotate(x: Tensor, turn: Rotation) -> Tensor:
    half = x.shape[-1] // 2
    swapped = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * turn.cos + swapped * turn.sin
