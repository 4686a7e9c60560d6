"""Teaching the VAE level by level: the outer one, then the inner one between what the outer one has learnt.

A network taught whole from random weights spends its first hour on what its levels learn in minutes each. The
outer level (pixels to channels of 8x8 pixels and 2 frames) has a short way for its gradients; the inner one,
where the real compression is, is cheap once it is taught on the features of the outer one.
"""

from typing import TYPE_CHECKING

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanAttentionBlock, WanResidualBlock
from torch import Tensor, nn

from checkpoints import whole
from checkpoints.coder import cost, make_coder
from checkpoints.coder_training import CoderTask
from checkpoints.loop import Chance, Numbers
from checkpoints.recipe import Recipe, Steps
from checkpoints.shards import Shards
from worldgen.errors import ConfigError

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan

FEATURE_NOISE = 0.1
"""Of each feature's own spread, added while the outer level learns: it makes their scales mean something."""


def still_branches(vae: "AutoencoderKLWan") -> None:
    """Let all residual branches begin at zero: a tenth of a decibel after 100 steps, and no worse later."""
    for module in vae.modules():
        last = (
            module.conv2
            if isinstance(module, WanResidualBlock)
            else module.proj
            if isinstance(module, WanAttentionBlock)
            else None
        )
        if last is not None:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)


class Levels(nn.Module):
    """A VAE whose levels can be run apart, and the bridge over the inner one.

    Args:
        vae: Of three levels, the first two of which halve both sides and the frames.
    """

    def __init__(self, vae: "AutoencoderKLWan") -> None:
        super().__init__()
        self.vae = vae
        narrow = vae.encoder.down_blocks[0].avg_shortcut.out_channels
        wide = vae.decoder.up_blocks[0].avg_shortcut.out_channels
        self.bridge = nn.Conv3d(narrow, wide, 1)

    def shrink(self, pixels: Tensor) -> Tensor:
        """Run the encoder's outer level: pixels [n, 3, 1 + 4 k, h, w] to features."""
        return whole.shrink(self.vae, pixels)

    def widen(self, features: Tensor) -> Tensor:
        """Run the decoder's outer level: bridged features to pixels, unclamped."""
        return whole.widen(self.vae, features)

    def compress(self, features: Tensor) -> Tensor:
        """Run the encoder's inner level: features to the mean of raw latents [n, c, 1 + k, h', w']."""
        return whole.compress(self.vae, features)

    def expand(self, latents: Tensor) -> Tensor:
        """Run the decoder's inner level: raw latents to features as `bridge` gives them."""
        return whole.expand(self.vae, latents)


class OuterTask(CoderTask):
    """The outer level learns to give pictures back over the bridge.

    Args:
        recipe: With `coder.outer`.
        shards: Scenes to learn.
        held_out: Scenes to be examined on.
        device: Where.
    """

    name = "outer"

    def __init__(self, recipe: Recipe, shards: Shards, held_out: Shards, device: torch.device) -> None:
        super().__init__(recipe, shards, held_out, device)
        self.steps = _steps(recipe, "outer")
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            vae = make_coder(recipe.coder)
            still_branches(vae)
            self.levels = Levels(vae).to(device)
        self.network = self.levels  # what is saved is the VAE with its bridge

    def loss(self, chance: Chance) -> tuple[Tensor, Numbers]:
        """Shrink, add noise, bridge, widen, compare."""
        true = self.batch(chance.numbers)
        features = self.levels.shrink(true)
        spread = features.detach().float().std(dim=(0, 2, 3, 4), keepdim=True)
        noisy = features + FEATURE_NOISE * spread * chance.normal(features)
        made = self.levels.widen(self.levels.bridge(noisy))
        return cost(made, true, gradient=self._recipe.gradient_weight, spectrum=self._recipe.spectrum_weight)

    def round_trip(self, pixels: Tensor) -> Tensor:
        """Run pixels there and back over the bridge."""
        return self.levels.widen(self.levels.bridge(self.levels.shrink(pixels)))


class InnerTask(OuterTask):
    """The inner level learns to give the outer level's features back.

    Args:
        recipe: With `coder.inner`.
        shards: Scenes to learn.
        held_out: Scenes to be examined on.
        device: Where.
        outer: State of the finished outer level, by name.
    """

    name = "inner"

    def __init__(
        self,
        recipe: Recipe,
        shards: Shards,
        held_out: Shards,
        device: torch.device,
        outer: nn.Module,
    ) -> None:
        super().__init__(recipe, shards, held_out, device)
        self.steps = _steps(recipe, "inner")
        self.levels.load_state_dict(outer.state_dict())
        vae = self.levels.vae
        for part in (
            self.levels.bridge,
            vae.encoder.conv_in,
            vae.encoder.down_blocks[0],
            *vae.decoder.up_blocks[1:],
            vae.decoder.norm_out,
            vae.decoder.conv_out,
        ):
            part.requires_grad_(requires_grad=False)

    def loss(self, chance: Chance) -> tuple[Tensor, Numbers]:
        """Compress, add noise, expand, compare with what the bridge gives."""
        with torch.no_grad():
            features = self.levels.shrink(self.batch(chance.numbers))
            aims = self.levels.bridge(features).float()
        latents = self.levels.compress(features)
        spread = latents.detach().float().std(dim=(0, 2, 3, 4), keepdim=True)
        noisy = latents + self._recipe.latent_noise * spread * chance.normal(latents)
        made = self.levels.expand(noisy).float()
        wrong = (made - aims).square().mean() / aims.var().clamp(min=1e-8)
        return wrong.sqrt(), {"feature": float(wrong.detach())}

    def round_trip(self, pixels: Tensor) -> Tensor:
        """Run pixels there and back through the latents."""
        return self.levels.widen(self.levels.expand(self.levels.compress(self.levels.shrink(pixels))))


def _steps(recipe: Recipe, level: str) -> Steps:
    steps: Steps | None = getattr(recipe.coder, level)
    if steps is None:
        message = f"the recipe has no coder.{level}"
        raise ConfigError(message, reason="invalid")
    return steps
