"""Branches: the forwards of one step, with and without controls and prompt, and the velocity they make."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from worldgen.models.cosmos3.emphasis import attention_bias
from worldgen.models.cosmos3.network import Grid, SharedNetwork
from worldgen.models.cosmos3.towers import Rotation, TextKeys
from worldgen.models.engine.guidance import Branch, Guidance, StepGuidance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sides:
    """What one chunk's forwards read beside the latents."""

    controls: tuple[Tensor, ...]
    """Clean latents of each control, [1, c, t, h, w]."""
    weights: tuple[Tensor | float, ...]
    """Of each control: a number, or one per token."""
    conditioned: int
    """Leading latent frames that are given."""
    guidance: Guidance
    fps: float


class SharedBranches:
    """The forwards of `SharedNetwork`.

    Args:
        network: Whose forwards.
        sides: Of the chunk.
        texts: Keys and values of the prompt, and of the negative one if text guidance needs it.
        rotations: Of one item behind each of the texts.
        grid: Tokens of one item.
        timesteps: Of the schedule, as host numbers.
    """

    def __init__(
        self,
        network: SharedNetwork,
        sides: Sides,
        *,
        texts: dict[str, TextKeys],
        rotations: dict[str, Rotation],
        grid: Grid,
        timesteps: Sequence[float],
    ) -> None:
        self.forwards = 0
        self._network = network
        self._texts = texts
        self._rotations = rotations
        self._conditioned = sides.conditioned
        self._given = sides.conditioned * grid[1] * grid[2]
        self._steps = [sides.guidance.at(t) for t in timesteps]
        with torch.inference_mode():
            self._controls = [network.tokens_of(latents) for latents in sides.controls]
            self._bias = {
                name: attention_bias(
                    sides.weights, text.length, grid, dtype=network.dtype, device=network.device
                )
                for name, text in texts.items()
            }

    def __call__(self, latents: Tensor, step: int, timestep: Tensor) -> Tensor:
        """See `worldgen.models.engine.loop.Velocity`."""
        target = self._network.tokens_of(latents)
        target[self._given :] += self._network.embed_time(timestep)
        plan = self._steps[step]
        return plan.combine({b: self._forward(b, target, latents).float() for b in plan.branches})

    def _forward(self, branch: Branch, target: Tensor, latents: Tensor) -> Tensor:
        self.forwards += 1
        text = "negative" if branch == "uncond" else "prompt"
        has_controls = branch != "no_control"
        return self._network.velocity(
            target,
            self._controls if has_controls else (),
            self._texts[text],
            self._rotations[text],
            latents=latents,
            conditioned=self._conditioned,
            bias=self._bias[text] if has_controls else None,
        )


class CachedBranches:
    """The network's own forward, with diffusers' step cache on it: approximate, and only when asked for.

    Args:
        network: Whose forwards; its cache must be enabled.
        sides: Of the chunk; weights must be 1.
        ids: Tokens of the prompt, and of the negative one.
        positions: Of one item behind each of the texts, [3, tokens].
        grid: Tokens of one item.
        scheduler: With its timesteps set.
    """

    def __init__(
        self,
        network: SharedNetwork,
        sides: Sides,
        *,
        ids: dict[str, tuple[int, ...]],
        positions: dict[str, Tensor],
        grid: Grid,
        scheduler: Any,  # noqa: ANN401 -- any scheduler of diffusers
    ) -> None:
        self.forwards = 0
        self._network = network
        self._sides = sides
        self._ids = ids
        self._positions = positions
        self._grid = grid
        self._scheduler = scheduler
        self._steps: list[StepGuidance] = [sides.guidance.at(t) for t in scheduler.timesteps.tolist()]
        self._controls = [c.to(network.device, network.dtype) for c in sides.controls]
        self._statics = {
            branch: self._static(branch)
            for branch in ("full", "no_control", *(("uncond",) if "negative" in ids else ()))
        }

    def __call__(self, latents: Tensor, step: int, timestep: Tensor) -> Tensor:
        """See `worldgen.models.engine.loop.Velocity`."""
        plan = self._steps[step]
        return plan.combine({b: self._forward(b, latents, step, timestep).float() for b in plan.branches})

    def _forward(self, branch: Branch, latents: Tensor, step: int, timestep: Tensor) -> Tensor:
        self.forwards += 1
        target = latents.to(self._network.device, self._network.dtype)
        context = {"full": "cond", "no_control": "cond_no_control", "uncond": "uncond"}[branch]
        noisy = (self._grid[0] - self._sides.conditioned) * self._grid[1] * self._grid[2]
        with self._network.network.cache_context(
            context,
            step_index=step,
            sigma=float(self._scheduler.sigmas[step]),
            num_inference_steps=self._scheduler.num_inference_steps,
        ):
            made, _, _ = self._network.network(
                **self._statics[branch],
                vision_tokens=[target] if branch == "no_control" else [*self._controls, target],
                vision_timesteps=timestep.to(self._network.device).expand(noisy),
                return_dict=False,
            )
        return made[-1]  # type: ignore[no-any-return]  # tensors, one per item

    def _static(self, branch: str) -> dict[str, Any]:
        """Pack [text, controls, target] as the network's forward wants it."""
        name = "negative" if branch == "uncond" else "prompt"
        ids, device = self._ids[name], self._network.device
        items = 1 if branch == "no_control" else len(self._controls) + 1
        count = math.prod(self._grid)
        per_frame = self._grid[1] * self._grid[2]
        text = torch.arange(len(ids), device=device)
        everything = torch.arange(len(ids), len(ids) + items * count, device=device)
        given = self._sides.conditioned
        noisy = [torch.arange(0, device=device)] * (items - 1)
        noisy.append(torch.arange(given, self._grid[0], device=device))
        position = self._positions[name].float()
        return {
            "input_ids": torch.tensor(ids, device=device),
            "text_indexes": text,
            "position_ids": torch.cat([text.float().expand(3, -1), position.repeat(1, items)], dim=1),
            "und_len": len(ids),
            "sequence_length": len(ids) + items * count,
            "vision_token_shapes": [self._grid] * items,
            "vision_sequence_indexes": everything,
            "vision_mse_loss_indexes": everything[(items - 1) * count + given * per_frame :],
            "vision_noisy_frame_indexes": noisy,
        }
