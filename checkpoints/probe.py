"""The probe: a small network that reads classes, depth and condition off single pictures.

It judges what the small world model paints, so it learns from true pictures alone: the scenes' own clips and
what weather physics made of them, of training seeds. Nothing that a world model painted is ever shown to it.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from checkpoints.figures import sheet
from checkpoints.loop import Chance, Numbers
from checkpoints.recipe import Recipe
from checkpoints.shards import Item, Shards
from worldgen.datatypes import ConditionClass, Tag
from worldgen.datatypes.tags import EGO, PEOPLE, VEHICLES

CONDITIONS: tuple[ConditionClass, ...] = (
    "clear",
    "overcast",
    "fog",
    "rain",
    "snow",
    "low_sun",
    "dusk",
    "night",
    "wet",
)
GROUPS: tuple[tuple[str, frozenset[int]], ...] = (
    ("road", frozenset({Tag.ROAD, Tag.ROAD_LINE})),
    ("ground", frozenset({Tag.SIDEWALK, Tag.TERRAIN, Tag.GROUND, Tag.RAIL_TRACK})),
    ("building", frozenset({Tag.BUILDING, Tag.WALL, Tag.FENCE, Tag.BRIDGE, Tag.GUARD_RAIL})),
    ("plants", frozenset({Tag.VEGETATION})),
    ("sky", frozenset({Tag.SKY})),
    ("vehicle", frozenset({*VEHICLES, EGO})),
    ("people", frozenset(PEOPLE)),
)
"""Classes that can be told apart at this size; everything else is the last, `other`."""
NEAREST_M = 2.0
"""Inverse depth is stated in units of 1 / NEAREST_M."""


def groups_of(tags: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Turn `Tag` into the index of a group; len(GROUPS) is `other`."""
    table = np.full(256, len(GROUPS), np.int64)
    for index, (_, members) in enumerate(GROUPS):
        table[[int(tag) for tag in members]] = index
    return table[tags]


def nearness_of(depth_m: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Turn metres into NEAREST_M / depth, 0 for the sky, at most 1."""
    return np.minimum(NEAREST_M / np.maximum(depth_m.astype(np.float32), NEAREST_M), 1.0)


class Probe(nn.Module):
    """A small U-shaped network: three halvings, three heads.

    Args:
        width: Channels at full size.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = [width, 2 * width, 4 * width, 6 * width]
        self.stem = _block(3, sizes[0])
        self.down = nn.ModuleList([_block(a, b) for a, b in pairwise(sizes)])
        self.up = nn.ModuleList([_block(a + b, b) for a, b in zip(sizes[:0:-1], sizes[-2::-1], strict=True)])
        self.places = nn.Conv2d(sizes[0], len(GROUPS) + 2, 1)
        self.condition = nn.Sequential(
            nn.Linear(2 * sizes[-1] + 2 * sizes[0], 64), nn.SiLU(), nn.Linear(64, len(CONDITIONS))
        )

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read pictures.

        Args:
            pixels: [n, 3, h, w] in -1..1, sides multiples of 8.

        Returns:
            Scores of groups [n, groups + 1, h, w], nearness [n, h, w] in 0..1, scores of conditions [n, 9].
        """
        kept = [self.stem(pixels)]
        for down in self.down:
            kept.append(down(functional.avg_pool2d(kept[-1], 2)))
        deep = x = kept.pop()
        for up in self.up:
            x = up(torch.cat([functional.interpolate(x, scale_factor=2.0), kept.pop()], dim=1))
        read = self.places(x)
        # Mean and spread: weather is everywhere, streaks and lamps are few and bright.
        pooled = [f(p.flatten(2), dim=-1) for p in (deep, x) for f in (torch.mean, torch.std)]
        return read[:, :-1], torch.sigmoid(read[:, -1]), self.condition(torch.cat(pooled, dim=1))


def _block(inputs: int, outputs: int) -> nn.Sequential:
    groups = max(1, outputs // 8)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.GroupNorm(groups, outputs),
        nn.SiLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.GroupNorm(groups, outputs),
        nn.SiLU(),
    )


class ProbeTask:
    """The probe learns from true pictures.

    Args:
        recipe: Sizes and rates.
        shards: Scenes to learn.
        held_out: Scenes to be examined on.
        device: Where.
    """

    name = "probe"

    def __init__(self, recipe: Recipe, shards: Shards, held_out: Shards, device: torch.device) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.network = Probe(recipe.probe.width).to(device)
        self.steps = recipe.probe.training
        self._device = device
        self._shards = shards
        self._held_out = held_out
        self._by_label = _by_label(shards)

    def is_matrix(self, name: str, parameter: nn.Parameter) -> bool:  # noqa: ARG002 -- of the protocol
        """Take the convolutions inside."""
        return not name.startswith(("stem.0", "places", "condition"))

    def loss(self, chance: Chance) -> tuple[Tensor, Numbers]:
        """Compare what is read of drawn pictures with the truth; every condition is drawn as often."""
        rng = chance.numbers
        labels = [CONDITIONS[int(rng.integers(len(CONDITIONS)))] for _ in range(self.steps.batch)]
        takes = [self._draw(label, rng) for label in labels]
        at = [int(rng.integers(len(self._shards.frames(take)))) for take in takes]
        pixels = pixels_of(
            np.stack([self._shards.frames(t)[i] for t, i in zip(takes, at, strict=True)]), self._device
        )
        tags = np.stack([self._shards.array(t.seed, "truth/tags")[i] for t, i in zip(takes, at, strict=True)])
        depth = np.stack(
            [self._shards.array(t.seed, "truth/depth_m")[i] for t, i in zip(takes, at, strict=True)]
        )
        # Cameras differ in gain; so do pictures here, a little, so that brightness alone decides nothing.
        gain = torch.from_numpy(rng.uniform(0.9, 1.1, (len(takes), 1, 1, 1)).astype(np.float32))
        scores, nearness, condition = self.network(((pixels + 1) * gain.to(self._device) - 1).clamp(-1, 1))
        groups = torch.from_numpy(groups_of(tags)).to(self._device)
        true = torch.from_numpy(nearness_of(depth)).to(self._device)
        named = torch.tensor([CONDITIONS.index(t.label) for t in takes], device=self._device)
        parts = {
            "groups": functional.cross_entropy(scores.float(), groups),
            "nearness": 10 * functional.l1_loss(nearness.float(), true),
            "condition": 0.5 * functional.cross_entropy(condition.float(), named),
        }
        return sum(parts.values(), torch.zeros((), device=self._device)), {
            name: float(part.detach()) for name, part in parts.items()
        }

    def _draw(self, label: str, rng: np.random.Generator) -> Item:
        pool = self._by_label.get(label) or self._by_label["clear"]
        return pool[int(rng.integers(len(pool)))]

    def examine(self) -> Numbers:
        """Read true pictures of held-out scenes."""
        takes = [t for t in self._held_out.takes if t.made_by != "rendered"][:60]
        found: dict[str, list[float]] = {}
        for take in takes:
            read = Reading.of(self.network, self._held_out.frames(take), self._device)
            tags, depth = (self._held_out.array(take.seed, f"truth/{n}") for n in ("tags", "depth_m"))
            found.setdefault("group_iou", []).append(read.group_iou(groups_of(tags)))
            found.setdefault("depth_error", []).append(read.depth_error(depth))
            found.setdefault("condition", []).append(float(read.condition == take.label))
        return {name: float(np.mean(values)) for name, values in found.items()}

    def show(self, path: Path) -> None:
        """Draw what is read of held-out pictures beside the truth."""
        rows: list[list[tuple[str, npt.NDArray[np.uint8]]]] = []
        for take in [t for t in self._held_out.takes if t.made_by != "rendered"][:5]:
            frames = self._held_out.frames(take)
            read = Reading.of(self.network, frames, self._device)
            tags, depth = (self._held_out.array(take.seed, f"truth/{n}")[-1] for n in ("tags", "depth_m"))
            rows.append(
                [
                    (take.label, frames[-1]),
                    (f"read: {read.condition}", _grey(read.groups[-1] / len(GROUPS))),
                    ("true", _grey(groups_of(tags) / len(GROUPS))),
                    ("nearness read", _grey(read.nearness[-1] ** 0.5)),
                    ("true", _grey(nearness_of(depth) ** 0.5)),
                ]
            )
        sheet(path, rows, scale=1.0)


class Reading:
    """What the probe reads off a clip."""

    def __init__(
        self,
        groups: npt.NDArray[np.int64],
        nearness: npt.NDArray[np.float32],
        odds: npt.NDArray[np.float64],
    ) -> None:
        self.groups = groups
        """Index into GROUPS, [t, h, w]."""
        self.nearness = nearness
        """NEAREST_M / depth, [t, h, w]."""
        self.odds = odds
        """Of each of CONDITIONS, for the whole clip."""

    @classmethod
    @torch.no_grad()
    def of(cls, probe: Probe, frames: npt.NDArray[np.uint8], device: torch.device) -> "Reading":
        """Read every frame of a clip uint8 [t, h, w, 3]."""
        probe.eval()
        scores, nearness, condition = probe(pixels_of(frames, device))
        return cls(
            scores.argmax(1).cpu().numpy(),
            nearness.float().cpu().numpy(),
            torch.softmax(condition.double(), dim=1).mean(0).cpu().numpy(),
        )

    @property
    def condition(self) -> ConditionClass:
        """The likeliest condition."""
        return CONDITIONS[int(self.odds.argmax())]

    def group_iou(self, true: npt.NDArray[np.int64]) -> float:
        """Mean intersection over union of the groups that have 0.5% of the pixels or more; not of `other`."""
        found = []
        for index in range(len(GROUPS)):
            there = true == index
            if there.mean() >= 0.005:
                said = self.groups == index
                found.append(float((there & said).sum() / (there | said).sum()))
        return float(np.mean(found)) if found else 1.0

    def depth_error(self, depth_m: npt.NDArray[np.floating]) -> float:
        """Mean relative error of depth, |read / true - 1|, within 60 m: farther reads too coarse."""
        near = depth_m.astype(np.float32) < 60
        if not near.any():
            return 0.0
        read = NEAREST_M / np.maximum(self.nearness[near], NEAREST_M / 200)
        return float(np.mean(np.abs(read / np.maximum(depth_m[near].astype(np.float32), NEAREST_M) - 1)))


def pixels_of(frames: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """Turn frames uint8 [n, h, w, 3] into pixels [n, 3, h, w] in -1..1."""
    return torch.from_numpy(frames.copy()).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def _by_label(shards: Shards) -> dict[str, list[Item]]:
    pools: dict[str, list[Item]] = {}
    for take in shards.takes:
        if take.made_by != "rendered":
            pools.setdefault(take.label, []).append(take)
    return pools


def _grey(values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    grey = np.clip(values * 255, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)
