"""Teaching the VAE: clips and control maps, in crops, with a little noise on the latents."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from checkpoints import whole
from checkpoints.coder import cost, decode, encode, frames_of, make_coder, pixels_of
from checkpoints.figures import sheet
from checkpoints.loop import Chance, Numbers
from checkpoints.recipe import Recipe
from checkpoints.shards import Item, Shards
from worldgen.errors import ConfigError
from worldgen.imaging.fidelity import edge_f1, edges_of, psnr

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan

EXAMINED = 4
"""Held-out scenes that are looked at while learning."""
WATCHED_CONTROLS = ("control/edge", "control/seg", "control/depth")


class CoderTask:
    """The VAE learns to give pictures back.

    Args:
        recipe: Sizes and rates.
        shards: Scenes to learn.
        held_out: Scenes to be examined on.
        device: Where.
        begun: A VAE that was taught level by level, to go on from.
    """

    name = "coder"

    def __init__(
        self,
        recipe: Recipe,
        shards: Shards,
        held_out: Shards,
        device: torch.device,
        begun: "AutoencoderKLWan | None" = None,
    ) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.network: AutoencoderKLWan = (begun or make_coder(recipe.coder)).to(device)
        self.steps = recipe.coder.training
        self._recipe = recipe.coder
        self._shards = shards
        self._device = device
        self._watched = _watched(held_out)

    def is_matrix(self, name: str, parameter: nn.Parameter) -> bool:  # noqa: ARG002 -- of the protocol
        """Take every convolution but the first and the last, which face pixels."""
        return "conv_in" not in name and "conv_out" not in name and "quant_conv" not in name

    def loss(self, chance: Chance) -> tuple[Tensor, Numbers]:
        """Encode, add noise, decode, compare."""
        true = self.batch(chance.numbers)
        latents = whole.encode(self.network, true)
        spread = latents.detach().float().std(dim=(0, 2, 3, 4), keepdim=True)
        noisy = latents + self._recipe.latent_noise * spread * chance.normal(latents)
        made = whole.decode(self.network, noisy)
        total, parts = cost(
            made, true, gradient=self._recipe.gradient_weight, spectrum=self._recipe.spectrum_weight
        )
        return total, parts

    def batch(self, rng: np.random.Generator) -> Tensor:
        """Draw crops: pixels [n, 3, t, h, w]."""
        return pixels_of([self._crop(self._draw(rng), rng) for _ in range(self.steps.batch)], self._device)

    def _draw(self, rng: np.random.Generator) -> Item:
        pool = self._shards.controls if rng.random() < self._recipe.control_share else self._shards.takes
        return pool[int(rng.integers(len(pool)))]

    def _crop(self, item: Item, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        frames = self._shards.frames(item)
        count = self._recipe.crop_frames
        start = int(rng.integers(len(frames) - count + 1))
        frames = frames[start : start + count]
        if self._recipe.crop is not None:
            (rows, columns), (h, w) = self._recipe.crop, frames.shape[1:3]
            rows, columns = min(rows, h), min(columns, w)
            y, x = int(rng.integers(h - rows + 1)), int(rng.integers(w - columns + 1))
            frames = frames[:, y : y + rows, x : x + columns]
        return frames[:, :, ::-1] if rng.random() < 0.5 else frames

    def examine(self) -> Numbers:
        """Give held-out clips back: signal-to-noise ratio and edges, by kind."""
        found: dict[str, list[float]] = {}
        for item, frames in self._watched:
            made = self._back(frames)
            found.setdefault(f"psnr_{_kind(item)}", []).append(psnr(made, frames))
            if item.made_by == "own":
                found.setdefault("edge_f1", []).append(edge_f1(edges_of(made), edges_of(frames)))
        return {name: float(np.mean(values)) for name, values in found.items()}

    def round_trip(self, pixels: Tensor) -> Tensor:
        """Run pixels there and back."""
        return decode(self.network, encode(self.network, pixels))

    def _back(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        kind = next(self.network.parameters()).dtype
        return np.asarray(frames_of(self.round_trip(pixels_of([frames], self._device).to(kind)))[0])

    def show(self, path: Path) -> None:
        """Draw the last frame of held-out clips above what came back."""
        true, made = [], []
        for item, frames in self._watched[:8]:
            back = self._back(frames)
            true.append((f"{_kind(item)} {item.label}", frames[-1]))
            made.append((f"{psnr(back, frames):.1f} dB", back[-1]))
        sheet(path, [true[:4], made[:4], true[4:8], made[4:8]] if len(true) > 4 else [true, made])


class DecoderTask(CoderTask):
    """The decoder learns on, after everything else: its encoder, and so all latents, stay as they are.

    Args:
        recipe: With `coder.finishing`.
        shards: Scenes to learn.
        held_out: Scenes to be examined on.
        device: Where.
        finished: The VAE that is gone on from, in float32.
    """

    name = "decoder"

    def __init__(
        self, recipe: Recipe, shards: Shards, held_out: Shards, device: torch.device, finished: nn.Module
    ) -> None:
        super().__init__(recipe, shards, held_out, device)
        if recipe.coder.finishing is None:
            message = "the recipe has no coder.finishing"
            raise ConfigError(message, reason="invalid")
        self.steps = recipe.coder.finishing
        self.network.load_state_dict(finished.state_dict())
        for part in (self.network.encoder, self.network.quant_conv):
            part.requires_grad_(requires_grad=False)


def _watched(shards: Shards) -> list[tuple[Item, npt.NDArray[np.uint8]]]:
    """Own clips first, with weather and controls between them."""
    items: list[Item] = []
    for seed in shards.seeds[:EXAMINED]:
        takes = shards.takes_of(seed)
        items.extend([takes[0], *takes[1:3]])
        items.extend(item for item in shards.controls if item.seed == seed and item.name in WATCHED_CONTROLS)
    return [(item, shards.frames(item)) for item in items]


def _kind(item: Item) -> str:
    if item.made_by == "control":
        return item.name.removeprefix("control/")
    return "clear" if item.made_by == "own" else "weather"


@torch.no_grad()
def round_trip(
    vae: "AutoencoderKLWan", frames: npt.NDArray[np.uint8], device: torch.device
) -> npt.NDArray[np.uint8]:
    """Encode and decode one clip uint8 [t, h, w, 3]."""
    kind = next(vae.parameters()).dtype
    made = decode(vae, encode(vae, pixels_of([frames], device).to(kind)))
    return np.asarray(frames_of(made)[0])
