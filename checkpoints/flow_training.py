"""Teaching the transformer: flow matching on latents, given words and controls, either left out at times.

Flow matching (Lipman et al. 2023) on straight lines: x = (1 - s) clean + s noise, the velocity is
noise - clean. Noise levels s are logit-normal (Esser et al. 2024), shifted as the sampler's. Hints carry no
tag: the network reads a control's kind from its content, so kinds are mixed, one to three at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from checkpoints.coder import decode, frames_of
from checkpoints.figures import sheet
from checkpoints.flow import Situation, make_flow, sample, velocity
from checkpoints.latents import Latents, Statistics
from checkpoints.loop import Chance, Numbers
from checkpoints.recipe import Recipe
from checkpoints.shards import Item, Shards
from checkpoints.words import Reader
from worldgen.datatypes import CONTROL_KINDS
from worldgen.imaging.fidelity import edge_f1, edges_of

if TYPE_CHECKING:
    from diffusers import AutoencoderKLWan

SHOWN = 6
EXAMINED = 12
LEVELS = (0.15, 0.4, 0.65, 0.9)
"""Noise levels of the held-out loss."""
QUICK_STEPS = 10


class FlowTask:
    """The transformer learns to make clips.

    Args:
        recipe: Sizes and rates.
        shards: Scenes to learn.
        held_out: Scenes to be examined on.
        latents: Of both.
        statistics: Of the clips' latents.
        tokenizer: Of the model.
        vae: To show what was made.
        device: Where.
    """

    name = "flow"

    def __init__(
        self,
        recipe: Recipe,
        shards: Shards,
        held_out: Shards,
        latents: Latents,
        statistics: Statistics,
        tokenizer: Any,  # noqa: ANN401 -- of transformers
        vae: "AutoencoderKLWan",
        device: torch.device,
    ) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.network = make_flow(recipe.flow, recipe.coder).to(device)
        self.steps = recipe.flow.training
        self._recipe = recipe
        self._shards = shards
        self._held_out = held_out
        self._latents = latents
        self._statistics = statistics
        self._reader = Reader(tokenizer, recipe.flow.max_words)
        self._vae = vae
        self._device = device
        self._negatives = sorted({take.negative for take in shards.takes})

    def is_matrix(self, name: str, parameter: nn.Parameter) -> bool:  # noqa: ARG002 -- of the protocol
        """Take the layers' weights."""
        return name.startswith("layers.")

    def loss(self, chance: Chance) -> tuple[Tensor, Numbers]:
        """Noise clips to drawn levels and compare velocities."""
        rng, how = chance.numbers, self._recipe.flow
        takes = [
            self._shards.takes[int(rng.integers(len(self._shards.takes)))] for _ in range(self.steps.batch)
        ]
        clean = self._normalised([self._latents.of(take) for take in takes])
        count = 0 if rng.random() < how.control_drop else 1 + int(rng.choice(3, p=_shares(how.hints)))
        style = int(rng.random() < how.structured_share)
        situation = self._situation(
            takes,
            [self._words(take, style, rng) for take in takes],
            [self._kinds(count, rng) for _ in takes],
            given=rng.random(len(takes)) < how.start_share,
            rng=rng,
        )
        level = torch.from_numpy(self._levels(rng, len(takes))).to(self._device)
        return self._error(situation, clean, level, chance.normal(clean)), {"hints": float(count)}

    def _error(self, situation: Situation, clean: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        s = level.view(-1, 1, 1, 1, 1)
        noisy = (1 - s) * clean + s * noise
        kept = torch.ones_like(clean[:, :1, :, :1, :1])
        kept[situation.given, :, 0] = 0
        noisy = kept * noisy + (1 - kept) * clean
        made = velocity(self.network, situation, noisy, 1000 * level).float()
        wrong = (made - (noise - clean)).square() * kept
        return wrong.sum() / (kept.sum() * clean.shape[1] * clean.shape[3] * clean.shape[4])

    def _levels(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
        level = 1 / (1 + np.exp(-rng.standard_normal(count)))
        shift = self._recipe.flow.shift
        return np.asarray(shift * level / (1 + (shift - 1) * level), np.float32)

    def _words(self, take: Item, style: int, rng: np.random.Generator) -> str:
        """Draw a prompt; at times none, or one that only says what is not wanted: both mean nothing here."""
        if rng.random() >= self._recipe.flow.text_drop:
            return take.captions[style]
        return "" if rng.random() < 0.5 else self._negatives[int(rng.integers(len(self._negatives)))]

    def _kinds(self, count: int, rng: np.random.Generator) -> list[str]:
        """Draw controls without repetition, in the order in which every pipeline packs them."""
        shares = self._recipe.flow.hint_shares
        names: list[str] = [k for k in CONTROL_KINDS if shares.get(k, 0) > 0]
        drawn = rng.choice(
            len(names),
            size=count,
            replace=False,
            p=_shares([shares[k] for k in CONTROL_KINDS if shares.get(k, 0) > 0]),
        )
        return [names[i] for i in sorted(drawn)]

    def _situation(
        self,
        takes: list[Item],
        words: list[str],
        kinds: list[list[str]],
        *,
        given: npt.NDArray[np.bool_],
        rng: np.random.Generator | None = None,
    ) -> Situation:
        ids, lengths = self._reader.batch(words, self._device)
        controls = [
            self._normalised([self._latents.named(t.seed, self._control(kind, rng)) for kind in chosen])
            if chosen
            else torch.zeros((0, *self._latents.of(t).shape), device=self._device)
            for t, chosen in zip(takes, kinds, strict=True)
        ]
        return Situation(
            ids=ids,
            lengths=lengths,
            controls=torch.stack(controls),
            fps=torch.tensor([self._fps(take.seed) for take in takes]),
            given=torch.from_numpy(given).to(self._device),
        )

    def _control(self, kind: str, rng: np.random.Generator | None) -> str:
        is_other = kind == "edge" and rng is not None and rng.random() < 0.5
        return "control/edge1" if is_other else f"control/{kind}"

    def _fps(self, seed: int) -> float:
        return (self._shards if seed in self._shards.facts else self._held_out).fps(seed)

    def _normalised(self, raw: list[npt.NDArray[np.float16]]) -> Tensor:
        return self._statistics.normalise(torch.from_numpy(np.stack(raw)).to(self._device).float())

    def examine(self) -> Numbers:
        """Measure the held-out loss at fixed levels and noise, and the edges of quick samples."""
        takes = self._held_out.takes[:EXAMINED]
        found: Numbers = {}
        for level in LEVELS:
            errors = []
            for start in range(0, len(takes), self.steps.batch):
                part = takes[start : start + self.steps.batch]
                clean = self._normalised([self._latents.of(take) for take in part])
                situation = self._plain(part)
                noise = Chance.of(self._recipe.seed, 10**9 + start).normal(clean)
                filled = torch.full((len(part),), level, device=self._device)
                errors.append(float(self._error(situation, clean, filled, noise)))
            found[f"loss_{level}"] = float(np.mean(errors))
        takes, made = self._samples()
        edges = [
            edge_f1(edges_of(frames), edges_of(self._held_out.frames(take)))
            for take, frames in zip(takes, made, strict=True)
        ]
        return {**found, "edge_f1": float(np.mean(edges))}

    def _plain(self, takes: list[Item]) -> Situation:
        """Give each take its own first caption and the controls that ship as the default."""
        kinds: list[str] = [k for k in CONTROL_KINDS if k in self._recipe.sampling.controls]
        return self._situation(
            takes,
            [take.captions[0] for take in takes],
            [kinds for _ in takes],
            given=np.zeros(len(takes), np.bool_),
        )

    def _samples(self) -> tuple[list[Item], list[npt.NDArray[np.uint8]]]:
        """Make one clip for each of a few held-out scenes, a condition each."""
        takes = []
        for index, seed in enumerate(self._held_out.seeds[:SHOWN]):
            of_scene = self._held_out.takes_of(seed)
            takes.append(of_scene[index % len(of_scene)])
        situation = self._plain(takes)
        like = self._normalised([self._latents.of(take) for take in takes])
        noise = Chance.of(self._recipe.seed, 10**9 - 1).normal(like)
        latents = sample(self.network, situation, noise, steps=QUICK_STEPS, shift=self._recipe.flow.shift)
        raw = self._statistics.restore(latents)
        with torch.no_grad():
            made = [frames_of(decode(self._vae, one[None].to(self._vae.dtype)))[0] for one in raw]
        return takes, made

    def show(self, path: Path) -> None:
        """Draw control, truth and what was made of held-out scenes."""
        takes, made = self._samples()
        rows: list[list[tuple[str, npt.NDArray[np.uint8]]]] = [[], [], []]
        for take, frames in zip(takes, made, strict=True):
            edge = np.repeat(self._held_out.array(take.seed, "control/edge")[-1][..., None], 3, axis=-1)
            rows[0].append((f"scene {take.seed}", edge))
            rows[1].append((f"{take.made_by}: {take.label}", self._held_out.frames(take)[-1]))
            rows[2].append(("made", frames[-1]))
        sheet(path, rows)


def _shares(values: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401 -- numbers
    shares = np.asarray(values, np.float64)
    return np.asarray(shares / shares.sum())
