"""Condition: which of nine classes a clip shows, alone or against its source."""

import math

from worldgen.datatypes import Clip, Condition, ConditionClass, Geometry
from worldgen.datatypes.digest import Value
from worldgen.imaging.appearance import Appearance, measure_appearance

__all__ = ["Appearance", "Recognition", "estimate_condition", "measure_appearance", "recognise"]


class Recognition(Value):
    """What a clip looks like."""

    label: ConditionClass
    scores: dict[ConditionClass, float]
    """Of every class, 0..1; they sum to 1."""
    evidence: tuple[tuple[str, float], ...]
    """The signs the scores were made from, each 0..1: how much of it is there."""

    @property
    def confidence(self) -> float:
        """Score of the label."""
        return self.scores[self.label]


def estimate_condition(clip: Clip, geometry: Geometry | None = None) -> Condition:
    """Estimate a source's own weather and light from its pictures."""
    appearance = measure_appearance(clip, geometry)
    seen = recognise(appearance)
    signs = dict(seen.evidence)
    return Condition(
        label=seen.label,
        origin="estimated",
        confidence=round(seen.confidence, 3),
        is_wet=seen.label in ("rain", "wet"),
        is_snowy=seen.label == "snow",
        is_night=seen.label == "night",
        is_precipitating=seen.label == "rain" or (seen.label == "snow" and signs["flakes"] > 0.5),
        has_hard_shadows=signs["shadows"] > 0.5,
        evidence=seen.evidence,
    )


def recognise(candidate: Appearance, source: Appearance | None = None) -> Recognition:
    """Name the condition of a clip, against its source when there is one."""
    signs = _signs(candidate, source)
    scores = _scores(signs)
    label = max(scores, key=lambda name: scores[name])
    return Recognition(
        label=label, scores=scores, evidence=tuple(sorted((k, round(v, 4)) for k, v in signs.items()))
    )


def _rise(value: float, low: float, high: float) -> float:
    """0 at `low`, 1 at `high`, linear between; falls when high < low."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _signs(c: Appearance, s: Appearance | None) -> dict[str, float]:
    stops = math.log2((c.luminance_p50 + 1e-4) / (s.luminance_p50 + 1e-4)) if s else 0.0
    dark = _rise(c.luminance_p50, 0.06, 0.012)
    dark_sky = _rise(c.sky_luminance, 0.10, 0.02)
    haze = _rise(c.dark_channel_far - c.dark_channel_near, 0.15, 0.5) * _rise(c.contrast_far, 0.2, 0.08)
    return {
        "night": dark_sky * max(dark, _rise(stops, -2.0, -4.0)),
        "dusk": _rise(c.sky_luminance, 0.35, 0.2) * (1 - dark_sky) * _rise(c.luminance_p50, 0.15, 0.06),
        "fog": haze,
        "flakes": _rise(c.flakes - (s.flakes if s else 0.0), 0.1, 0.4),
        "white": _rise(c.white_ground - (s.white_ground if s else 0.0), 0.15, 0.4),
        "streaks": _rise(c.streaks - (s.streaks if s else 0.0), 0.02, 0.1),
        "drops": _rise(c.drops - (s.drops if s else 0.0), 0.05, 0.2),
        "mirror": _rise(c.road_streakiness - (s.road_streakiness if s else 0.0), 0.3, 0.9),
        "warm": _rise(c.warmth - (s.warmth if s else 0.0), 0.3, 0.9),
        "glare": _rise(c.glare - (s.glare if s else 0.0), 0.02, 0.08),
        "blue": _rise(c.sky_blueness, 0.15, 0.5),
        "shadows": _rise(c.shadow_share, 0.02, 0.06),
    }


def _scores(signs: dict[str, float]) -> dict[ConditionClass, float]:
    day = (1 - signs["night"]) * (1 - signs["dusk"])
    raw: dict[ConditionClass, float] = {
        "night": 2 * signs["night"],
        "dusk": 1.5 * signs["dusk"],
        "snow": 1.5 * day * max(signs["white"], 0.6 * signs["flakes"]),
        "fog": 1.4 * day * signs["fog"],
        "rain": 1.3 * day * max(signs["streaks"], signs["drops"] * signs["mirror"]),
        "low_sun": 1.2 * day * max(signs["warm"], signs["glare"]),
        "wet": day * signs["mirror"],
        "clear": 0.5 * day * max(signs["blue"], signs["shadows"]),
        "overcast": 0.5 * day * (1 - max(signs["blue"], signs["shadows"])),
    }
    weights = {name: math.exp(4 * value) for name, value in raw.items()}
    total = sum(weights.values())
    return {name: round(weight / total, 4) for name, weight in weights.items()}
