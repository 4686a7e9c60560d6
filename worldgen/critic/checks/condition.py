"""Condition visible: the asked weather or light is there, measured against the source."""

from collections.abc import Callable, Mapping
from typing import Final

from worldgen.critic.appearance import Appearance, differ
from worldgen.critic.evidence import Evidence
from worldgen.datatypes import ConditionClass, Finding

# How far the candidate went in the direction of each class; 1 is unmistakable. Provisional.
_SCORES: Final[Mapping[ConditionClass, Callable[[Appearance], float]]] = {
    "night": lambda a: -a.stops / 3,
    "dusk": lambda a: -a.stops / 1.0,
    "fog": lambda a: 2 * (1 - a.far_contrast) if a.stops > -1.5 else 0.0,
    "rain": lambda a: max(a.particles / 0.5, 2 * abs(a.ground), 2 * (1 - a.contrast)),
    "snow": lambda a: max(a.particles / 0.5, 2 * a.ground),
    "wet": lambda a: 4 * abs(a.ground),
    "low_sun": lambda a: max(2 * a.warmth, a.veil / 20, a.stops),
    "overcast": lambda a: max(2 * (1 - a.saturation), -2 * a.warmth, 2 * (1 - a.contrast)),
    "clear": lambda a: 1.0,
}


def condition_visible(evidence: Evidence) -> tuple[Finding, ...]:
    """The class that was asked for can be told from the source."""
    asked = evidence.spec.asks_for if evidence.spec is not None else None
    if asked is None or not evidence.comparable or evidence.source is None:
        return ()
    limit = evidence.thresholds.condition.confidence
    value = float(_SCORES[asked](differ(evidence.source, evidence.candidate)))
    passed = value >= limit
    verb = "is seen" if passed else "cannot be seen"
    return (
        Finding(
            check="condition.visible",
            passed=passed,
            value=value,
            threshold=limit,
            unit="confidence",
            reason=f"{asked.replace('_', ' ')} was asked for and {verb}",
        ),
    )
