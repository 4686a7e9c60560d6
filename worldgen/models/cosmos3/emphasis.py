"""Emphasis: how much each control counts, over the whole picture or place by place.

A control token of weight w counts as w equal tokens would: its attention score gets log(w) added, so that
softmax gives it w exp(s) instead of exp(s). Weight 1 is the stock network, exactly; weight 0 is a control
that is not there. Weights multiply with a spatial mask, pooled to the token grid.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from worldgen.models.cosmos3.network import Grid

Mask = Float[np.ndarray, "t h w"]
"""Weight of every pixel of a control, 0 or more."""


def attention_bias(
    weights: Sequence[Tensor | float],
    text_length: int,
    grid: Grid,
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor | None:
    """Write the bias of [text, controls, target].

    Args:
        weights: Of each control: one number, or one per token, [tokens of an item].
        text_length: Tokens of the prompt.
        grid: Tokens of one item along each axis.
        dtype: Of the network.
        device: Of the network.

    Returns:
        [all tokens], or None when every weight is 1.
    """
    if all(isinstance(w, float) and w == 1.0 for w in weights):
        return None
    count = grid[0] * grid[1] * grid[2]
    parts = [torch.zeros(text_length)]
    for weight in weights:
        whole = torch.full((count,), weight) if isinstance(weight, float) else weight.cpu()
        parts.append(torch.log(whole.to(torch.float32)))
    parts.append(torch.zeros(count))
    return torch.cat(parts).to(device, dtype)


def token_weights(mask: Mask, weight: float, grid: Grid, *, temporal: int) -> Tensor:
    """Pool a mask to tokens.

    Args:
        mask: Over the chunk's pixel frames, 1 or temporal * k + 1 of them.
        weight: Of the whole control.
        grid: Tokens along each axis.
        temporal: Pixel frames per latent frame; the first latent frame holds one.

    Returns:
        [tokens], float32.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))
    frames = [pixels[:1].mean(0)]
    frames += [pixels[1 + temporal * i : 1 + temporal * (i + 1)].mean(0) for i in range(grid[0] - 1)]
    pooled = torch.nn.functional.adaptive_avg_pool2d(torch.stack(frames).unsqueeze(1), grid[1:])
    return weight * pooled.flatten()
