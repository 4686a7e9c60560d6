"""Memory: an estimate of what a generation needs, from sizes alone. Pure; loads no torch and no weights.

Counted are the tensors that our loop holds at its fullest moment: weights, each text's keys and values,
latents, one layer's work, or the VAE's decode. Not counted: a GPU context, workspaces of libraries, what an
allocator loses between blocks, other variants' shared encodes (bounded by `model.CACHE_BYTES`). Attention is
taken to keep no matrix of scores, as flash kernels do. tests/engine/test_cosmos3_memory.py holds it to
measured tensors of tiny weights, within `WITHIN`; no GPU and no real weights have confirmed it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from worldgen.models.cosmos3.shape import Shape
from worldgen.models.engine.chunks import latent_frames, legal_frames

GIB: Final = 2**30
WITHIN: Final = 1.25
"""The factor, either way, that estimate and measured tensors of tiny weights stay within."""
TEXT_TOKENS: Final = 1500
"""Of a prompt that is not known yet: a structured caption with its system prompt."""
BYTES: Final = {"bfloat16": 2, "float16": 2, "float32": 4}
_CHARACTERS_PER_TOKEN: Final = 3
_TILE, _STRIDE = 256, 192
"""Pixels of the VAE's tiles, and from one to the next (diffusers' defaults)."""
_LATENTS_HELD: Final = 9
"""Copies in float32: noise, latents, three branches, and what the scheduler remembers of two steps."""
_PIXELS_HELD: Final = 16
"""Bytes per colour value while float pixels become 8-bit frames: four float32 at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a generation asks of the machine."""

    size: tuple[int, int]
    """Width and height of the model's frames."""
    frames: int
    """Of one chunk."""
    hints: int = 1
    text_tokens: int = TEXT_TOKENS
    texts: int = 2
    """The prompt, and the negative one when text guidance is on."""
    dtype: str = "bfloat16"
    offload: str = "none"
    vae_tiling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """An estimate, in bytes."""

    weights: int
    """On the device while it computes."""
    text: int
    """Keys and values of the texts, all layers."""
    latents: int
    """Noise, controls, velocities, and what the scheduler remembers."""
    layer: int
    """The work of one layer over all tokens."""
    decode: int
    """The work of the VAE, and the frames it makes."""
    host: int
    """Weights that wait on the host."""

    @property
    def peak(self) -> int:
        """Bytes on the device at the fullest moment: in a layer, or in the VAE."""
        return self.weights + self.text + self.latents + max(self.layer, self.decode)

    @property
    def gib(self) -> float:
        """The peak in GiB, rounded as an estimate may be."""
        gib = self.peak / GIB
        return round(gib) if gib >= 10 else round(gib, 1 if gib >= 0.1 else 3)

    def facts(self) -> dict[str, float]:
        """Tell it in GiB, by part."""
        parts = ("weights", "text", "latents", "layer", "decode", "host", "peak")
        return {part: float(f"{getattr(self, part) / GIB:.4g}") for part in parts}


def estimate_memory(shape: Shape, demand: Demand) -> Memory:
    """Estimate the memory of one chunk; the longest is the fullest."""
    kind = BYTES[demand.dtype]
    weights, host = _weights(shape, demand.offload)
    width, height = (side // shape.spatial for side in demand.size)
    time = latent_frames(legal_frames(demand.frames, shape.temporal), shape.temporal)
    tokens = time * math.ceil(width / shape.patch) * math.ceil(height / shape.patch)
    keys = shape.key_heads * shape.head_dim
    latents = shape.channels * time * width * height * 4 * (_LATENTS_HELD + demand.hints)
    everything = tokens * (demand.hints + 1)
    # Kept through all layers: the controls' and the target's tokens, the sequence, its rotation.
    kept = everything * (2 * shape.width + 4 * shape.head_dim)
    return Memory(
        weights=weights * kind,
        text=2 * demand.texts * demand.text_tokens * keys * shape.layers * kind,
        latents=latents,
        layer=kind * (kept + _layer(shape, max(everything, demand.text_tokens))),
        decode=_decode(shape, demand, kind),
        host=host * kind,
    )


def demand_of(
    parameters: Mapping[str, Any], *, size: tuple[int, int], frames: int, hints: int, words: str = ""
) -> Demand:
    """Read what a plan's parameters, size, frames and prompts ask for.

    Args:
        parameters: Of the plan: the preset is filled in.
        size: Width and height of the model's frames.
        frames: Of the whole clip.
        hints: Control maps that count.
        words: The prompt, if it is known.
    """
    chunk = min(int(parameters.get("chunk_frames", 0)) or frames, frames)
    return Demand(
        size=size,
        frames=chunk,
        hints=hints,
        text_tokens=len(words) // _CHARACTERS_PER_TOKEN or TEXT_TOKENS,
        texts=2 if float(parameters.get("guidance", 0.0)) > 1 else 1,
        dtype=str(parameters.get("dtype", "bfloat16")),
        offload=str(parameters.get("offload", "none")),
        vae_tiling=bool(parameters.get("vae_tiling", False)),
    )


def cheaper(
    shape: Shape, demand: Demand, tiers: Mapping[int, tuple[tuple[int, int], ...]]
) -> list[tuple[str, Memory]]:
    """Name what would need less, each on its own, with its estimate; the cheapest first."""
    now = estimate_memory(shape, demand)
    width, height = demand.size
    other: dict[str, Demand] = {
        f"offload={mode}": replace(demand, offload=mode) for mode in ("understanding", "layers")
    }
    other["vae_tiling=true"] = replace(demand, vae_tiling=True)
    for lines, sizes in tiers.items():
        near = min(sizes, key=lambda size: abs(size[0] / size[1] - width / height))
        other[f"tier={lines}"] = replace(demand, size=near)
    if demand.hints > 1:
        other[f"{demand.hints - 1} controls"] = replace(demand, hints=demand.hints - 1)
    half = legal_frames(demand.frames // 2 + 1, shape.temporal)
    if half < demand.frames:
        other[f"chunk_frames={half}"] = replace(demand, frames=half)
    found = [(name, estimate_memory(shape, asked)) for name, asked in other.items()]
    return sorted(((n, m) for n, m in found if m.peak < now.peak), key=lambda pair: pair[1].peak)


def _weights(shape: Shape, offload: str) -> tuple[int, int]:
    """Count the weights on the device at the fullest, and those that wait on the host."""
    layer, tower = shape.layer_parameters, shape.layers * shape.layer_parameters
    always = shape.small_parameters + shape.vae_parameters
    whole = shape.network_parameters + shape.vae_parameters
    if offload == "none":
        return whole, 0
    # A layer and the embedding are brought in for their turn; the head for words is never needed.
    turn = max(layer, shape.embedding_parameters)
    here = always + turn + (tower if offload == "understanding" else 0)
    return here, whole - (here - turn)


def _layer(shape: Shape, tokens: int) -> int:
    """Count the elements at work in one layer: while queries are rotated, or in its MLP.

    What attention read and made is held until the layer ends, its input too.
    """
    queries, keys = shape.heads * shape.head_dim, shape.key_heads * shape.head_dim
    attention = 2 * shape.width + 2 * keys + 5 * queries
    mlp = 4 * shape.width + 2 * keys + 2 * queries + (3 if shape.is_gated else 2) * shape.mlp
    return tokens * max(attention, mlp)


def _decode(shape: Shape, demand: Demand, kind: int) -> int:
    width, height = demand.size
    values = 3 * width * height * legal_frames(demand.frames, shape.temporal)
    shown = _PIXELS_HELD * values
    is_tiled = demand.vae_tiling and max(width, height) > _TILE
    if not is_tiled:
        held, work = _decoder(shape, width * height, kind)
        return max(held + work + 2 * values * kind, shown)
    tall, wide = min(height, _TILE), min(width, _TILE)
    held, work = _decoder(shape, tall * wide, kind)
    tiles = sum(
        min(_TILE, height - top) * min(_TILE, width - left)
        for top in range(0, height, _STRIDE)
        for left in range(0, width, _STRIDE)
    )
    decoded = round(values * tiles / (width * height))
    return max(held + work + decoded * kind, (decoded + 3 * values) * kind, shown)


def _decoder(shape: Shape, pixels: int, kind: int) -> tuple[int, int]:
    """Count bytes that the decoder holds between latent frames, and those at work in its fullest stage.

    Each 3-d convolution holds the last two frames that it read. In a residual block live at once: the
    stage's input and its copy, the shortcut, what was normalised, the frames before it and both put together
    and padded; where a stage ends, the enlarged picture in float32 and in the network's numbers.
    """
    area, time = pixels // shape.spatial**2, 1
    first = shape.vae_widths[0]
    held = 2 * area * (shape.channels + 4 * first)
    work = 0
    stages = list(zip(shape.vae_widths[:-1], shape.vae_widths[1:], strict=True))
    for index, (entering, leaving) in enumerate(stages):
        held += 2 * area * (entering + (2 * shape.vae_blocks + 1) * leaving)
        padded = (time + 2) * entering
        block = time * (3 * entering + leaving) + 2 * entering + padded + max(padded, time * leaving)
        work = max(work, area * block * kind)
        if index == len(stages) - 1:
            break
        if shape.vae_doubles_time[index]:
            held += 2 * area * leaving
            time *= 2
        area *= 4
        made = area * time * leaving
        work = max(work, made * (4 + kind + kind // 2), 4 * made * kind)
    held += 2 * area * shape.vae_widths[-1]
    return held * kind, work
