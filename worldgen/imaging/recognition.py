"""Recognition: nine classes from appearance, by a linear model whose every number is in configs/critic.

Three heads: a clip alone, against its source, and against its source with what the source does not explain.
Each is a softmax over standardised measures, held to three standard deviations so that no single measure
can decide far outside of what was seen. `worldgen.bench.recognition` makes the file and reports how well it
does on scenes that it did not see.
"""

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from worldgen.config import find_configs
from worldgen.datatypes import ConditionClass
from worldgen.datatypes.digest import Value, digest
from worldgen.errors import ConfigError
from worldgen.imaging.appearance import Appearance
from worldgen.imaging.change import Change

CLASSES: Final[tuple[ConditionClass, ...]] = get_args(ConditionClass)
HeadName: TypeAlias = Literal["alone", "pair", "against"]

_LOGARITHMIC: Final[dict[str, float]] = {
    "luminance_p05": 0.004,
    "luminance_p50": 0.004,
    "luminance_p95": 0.004,
    "ground_luminance": 0.004,
    "sky_luminance": 0.004,
    "sky_texture": 0.01,
    "streaks": 0.01,
    "flakes": 0.01,
    "noise": 0.3,
    "lamps": 0.0005,
}
"""Measures that act by ratios: taken as log2 of the value plus this."""
_LINEAR_MEASURES: Final = (
    "sky_blueness",
    "sky_saturation",
    "sky_gradient",
    "warmth",
    "saturation",
    "contrast_near",
    "contrast_far",
    "dark_channel_near",
    "dark_channel_far",
    "white_ground",
    "ground_brightness",
    "ground_blueness",
    "road_streakiness",
    "road_spread",
    "road_smoothness",
    "shadow_share",
    "glare",
)
_CHANGES: Final = tuple(name for name in Change.model_fields if name != "noise")


class Recognition(Value):
    """What a clip looks like."""

    label: ConditionClass
    scores: dict[ConditionClass, float]
    """Of every class, 0..1; they sum to 1."""
    evidence: tuple[tuple[str, float], ...]
    """The measures that spoke loudest for the label (above 0) or against it, with how much."""

    @property
    def confidence(self) -> float:
        """Score of the label."""
        return self.scores[self.label]


class Head(Value):
    """One linear model. Rows of `weights` are classes in the order of `CLASSES`."""

    names: tuple[str, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]

    def score(self, measures: dict[str, float]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the probability of each class [9], and what each measure added to each class [9, n]."""
        values = np.array([measures[name] for name in self.names])
        standard = np.clip((values - np.array(self.mean)) / np.array(self.spread), -3, 3)
        parts = np.array(self.weights) * standard
        logits = parts.sum(axis=1) + np.array(self.bias)
        odds = np.exp(logits - logits.max())
        return odds / odds.sum(), parts


def recognise(
    candidate: Appearance, source: Appearance | None = None, change: Change | None = None
) -> Recognition:
    """Name the condition of a clip.

    Args:
        candidate: Of the clip.
        source: Of the clip that it was made from; without it the clip is judged alone.
        change: What the source does not explain (`measure_change`); sharpens rain, snow and wet roads.
    """
    name: HeadName = "alone" if source is None else "pair" if change is None else "against"
    head = heads()[name]
    scores, parts = head.score(measures_of(candidate, source, change))
    best = int(scores.argmax())
    others = parts[np.arange(len(CLASSES)) != best].mean(axis=0)
    said = parts[best] - others
    loud = sorted(range(len(said)), key=lambda i: -abs(said[i]))[:8]
    return Recognition(
        label=CLASSES[best],
        scores={label: round(float(p), 4) for label, p in zip(CLASSES, scores, strict=True)},
        evidence=tuple((head.names[i], round(float(said[i]), 3)) for i in loud),
    )


def measures_of(
    candidate: Appearance, source: Appearance | None = None, change: Change | None = None
) -> dict[str, float]:
    """Name all that a head reads: the candidate, ``d_*`` against the source, ``c_*`` of the change."""
    now = _absolute(candidate)
    if source is None:
        return now
    before = _absolute(source)
    found = {**now, **{f"d_{name}": now[name] - before[name] for name in now}}
    if change is not None:
        found |= {f"c_{name}": float(getattr(change, name)) for name in _CHANGES}
    return found


def _absolute(a: Appearance) -> dict[str, float]:
    found = {name: math.log2(getattr(a, name) + floor) for name, floor in _LOGARITHMIC.items()}
    found |= {name: float(getattr(a, name)) for name in _LINEAR_MEASURES}
    found["sky_over_scene"] = found["sky_luminance"] - found["luminance_p50"]
    found["cloud"] = cloud_of(a)
    return found


def cloud_of(a: Appearance) -> float:
    """How surely the sky is cloud, 0..1: grey against the ground's own tint, or with structure in it.

    Against the ground, because cameras tint; skies of the proving ground are at 0.5 and more when clear and
    at 0.2 and less when closed. A clear sky is smooth to 2% of its luminance, broken cloud is not.
    """
    grey = _rise(a.sky_blueness - a.ground_blueness, 0.5, 0.2)
    return max(grey, _rise(math.log2(a.sky_mottle + 0.01), -5.2, -4.4))


def _rise(value: float, low: float, high: float) -> float:
    """0 at `low`, 1 at `high`, linear between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


@lru_cache(maxsize=1)
def heads() -> dict[HeadName, Head]:
    """Read the three heads from configs/critic/recognition.json.

    Raises:
        ConfigError: The file is missing or is not three heads.
    """
    path = _path()
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))["heads"]
        return {name: Head.model_validate(stored[name]) for name in get_args(HeadName)}
    except (OSError, ValueError, KeyError, TypeError) as exc:
        message = f"{path} does not hold the three heads of recognition: {exc}"
        raise ConfigError(message, reason="invalid", hint="install the package again") from exc


def recognition_version() -> str:
    """Digest of the numbers, for a critic's version: 12 hexadecimal characters."""
    return digest({name: head.model_dump(mode="json") for name, head in heads().items()})[:12]


def _path() -> Path:
    return find_configs() / "critic" / "recognition.json"
