"""One velocity of a Cosmos 3 network, with everything that does not depend on the step taken out of it.

A sequence is [text, control 1 .. control n, target]; controls are clean, share the target's positions and
carry no tag. Compared with `Cosmos3OmniTransformer.forward`, called once per branch and step, this keeps per
text: the understanding tower; per shape: positions and rotation; per chunk: the controls' tokens; per step:
the target's tokens and the embedded time, which all branches share. Packing is the network's own.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from diffusers import Cosmos3OmniTransformer
from diffusers.pipelines.cosmos.pipeline_cosmos3_omni import get_3d_mrope_ids_vae_tokens
from torch import Tensor

from worldgen.models.cosmos3.towers import (
    GenerationTower,
    Rotation,
    TextKeys,
    UnderstandingTower,
    rotation_of,
)

Grid = tuple[int, int, int]
"""Tokens along time, height and width."""


class SharedNetwork:
    """A network whose step-independent parts can be computed once and kept.

    Args:
        network: Loaded.
        temporal: Pixel frames per latent frame.
        attention: A backend of diffusers' dispatch; None: its active one.
    """

    def __init__(
        self, network: Cosmos3OmniTransformer, *, temporal: int = 4, attention: str | None = None
    ) -> None:
        self.network = network
        self.understanding = UnderstandingTower(network, attention).eval()
        self.generation = GenerationTower(network, attention).eval()
        self._temporal = temporal
        self._place: torch.device | None = None
        config = network.config
        self._patch = int(config.latent_patch_size)
        self._margin = int(config.unified_3d_mrope_temporal_modality_margin)
        self._has_float_positions = bool(config.enable_fps_modulation)

    @property
    def dtype(self) -> torch.dtype:
        """Of the tokens."""
        return self.network.embed_tokens.weight.dtype  # type: ignore[no-any-return]  # an nn.Embedding

    @property
    def device(self) -> torch.device:
        """Where the generation tower computes."""
        where: torch.device = self._place or self.network.proj_in.weight.device
        return where

    def place(self, device: torch.device) -> None:
        """Say where to compute, when weights wait elsewhere."""
        self._place = device

    def grid_of(self, latents: Tensor) -> Grid:
        """Count the tokens of latents [1, c, t, h, w] along each axis."""
        _, _, time, height, width = latents.shape
        return time, math.ceil(height / self._patch), math.ceil(width / self._patch)

    def read_text(self, input_ids: Sequence[int]) -> TextKeys:
        """Run the understanding tower over a tokenised prompt."""
        positions = torch.arange(len(input_ids), dtype=torch.float32, device=self.device)
        rotation = rotation_of(self.network, positions.expand(3, -1), self.dtype)
        ids = torch.tensor(list(input_ids), dtype=torch.long, device=self.device)
        read: TextKeys = self.understanding(ids, rotation)
        return read

    def positions(self, text_length: int, grid: Grid, fps: float | None) -> Tensor:
        """Place one video item that follows `text_length` tokens: [3, tokens]."""
        placed, _ = get_3d_mrope_ids_vae_tokens(
            grid_t=grid[0],
            grid_h=grid[1],
            grid_w=grid[2],
            temporal_offset=text_length + self._margin,
            reset_spatial_indices=self.network.config.unified_3d_mrope_reset_spatial_ids,
            fps=fps if self._has_float_positions else None,
            base_fps=float(self.network.config.base_fps),
            temporal_compression_factor=self._temporal,
        )
        moved: Tensor = placed.to(self.device)
        return moved

    def rotation(self, text_length: int, grid: Grid, fps: float | None) -> Rotation:
        """Compute the rotation of one video item that follows `text_length` tokens."""
        return rotation_of(self.network, self.positions(text_length, grid, fps), self.dtype)

    def tokens_of(self, latents: Tensor) -> Tensor:
        """Turn latents [1, c, t, h, w] into tokens [n, width]."""
        patches, _ = self.network._patchify_and_pack_latents([latents.to(self.device, self.dtype)])
        tokens: Tensor = self.network.proj_in(patches).to(self.dtype)
        return tokens

    def embed_time(self, timestep: Tensor) -> Tensor:
        """Embed one timestep: [1, width]; the network adds it to every noisy token."""
        embedder = self.network.time_embedder
        scaled = timestep.reshape(1).to(self.device) * self.network.config.timestep_scale
        kind = next(embedder.parameters()).dtype
        embedded: Tensor = embedder(self.network.time_proj(scaled).to(kind)).to(self.dtype)
        return embedded

    def velocity(
        self,
        target: Tensor,
        controls: Sequence[Tensor],
        text: TextKeys,
        rotation: Rotation,
        *,
        latents: Tensor,
        conditioned: int,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Predict the velocity of the target's noisy frames.

        Args:
            target: Its tokens, the time added to the noisy ones.
            controls: Tokens of each control.
            text: Of the prompt.
            rotation: Of one item; all items share it.
            latents: The target's, for its shape [1, c, t, h, w].
            conditioned: Leading latent frames that are given and not predicted.
            bias: On the attention scores of [text, controls, target]; see `worldgen.models.cosmos3.emphasis`.

        Returns:
            [1, c, t, h, w]; zero on conditioned frames.
        """
        items = len(controls) + 1
        turn = Rotation(*(part.repeat(items, 1) for part in rotation)) if items > 1 else rotation
        tokens = torch.cat([*controls, target], dim=0)
        grid = self.grid_of(latents)
        per_frame = grid[1] * grid[2]
        first = (items - 1) * grid[0] * per_frame + conditioned * per_frame
        return self.predict(
            tokens,
            text,
            turn,
            wanted=slice(first, None),
            latents=latents,
            conditioned=conditioned,
            bias=bias,
        )

    def predict(
        self,
        tokens: Tensor,
        text: TextKeys,
        turn: Rotation,
        *,
        wanted: slice,
        latents: Tensor,
        conditioned: int,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Run the generation tower over any sequence, and read the velocity of the tokens `wanted`.

        Args:
            tokens: Of all items, [n, width].
            text: Of the prompt.
            turn: Of all items.
            wanted: The target's noisy tokens.
            latents: The target's, for its shape [1, c, t, h, w].
            conditioned: Leading latent frames that are given.
            bias: See `velocity`.
        """
        grid = self.grid_of(latents)
        hidden = self.generation(tokens, text, turn, wanted, bias)
        noisy = torch.arange(conditioned, grid[0], device=tokens.device)
        shape = (int(latents.shape[2]), int(latents.shape[3]), int(latents.shape[4]))
        unpack = self.network._unpatchify_and_unpack_latents
        made: list[Tensor] = unpack(self.network.proj_out(hidden), [grid], [noisy], [shape])
        return made[0]

    def action_tokens(self, actions: npt.NDArray[np.float32], domain: int) -> Tensor:
        """Turn given actions [t, n] into tokens [t, width]; n is filled up with zeros."""
        width = int(self.network.config.action_dim)
        filled = torch.zeros(len(actions), width, device=self.device, dtype=self.dtype)
        filled[:, : actions.shape[1]] = torch.from_numpy(actions).to(self.device, self.dtype)
        domains = torch.full((len(actions),), domain, device=self.device, dtype=torch.long)
        made: Tensor = self.network.action_proj_in(filled, domains) + self.network.action_modality_embed
        return made

    def action_rotation(self, text_length: int, count: int, fps: float | None) -> Rotation:
        """Compute the rotation of `count` actions: each stands at the frame that it leads to."""
        placed, _ = get_3d_mrope_ids_vae_tokens(
            grid_t=count,
            grid_h=1,
            grid_w=1,
            temporal_offset=text_length + self._margin,
            reset_spatial_indices=self.network.config.unified_3d_mrope_reset_spatial_ids,
            fps=fps if self._has_float_positions else None,
            base_fps=float(self.network.config.base_fps),
            temporal_compression_factor=1,
            base_temporal_compression_factor=self._temporal,
            start_frame_offset=1,
        )
        return rotation_of(self.network, placed.to(self.device), self.dtype)
