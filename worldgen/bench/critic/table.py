"""Tables over trials: shares with Clopper-Pearson intervals, per kind and at the weakest strength."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from worldgen.bench.critic.trial import Trial
from worldgen.report.recall import interval_of

STOPPED = frozenset({"rejected"})
"""A defect counts as stopped only when it is rejected: review and inconclusive do not count."""


def share(trials: Sequence[Trial], holds: Callable[[Trial], bool]) -> dict[str, Any]:
    """Count, with a 95% Clopper-Pearson interval (Clopper and Pearson 1934)."""
    hits, count = sum(holds(t) for t in trials), len(trials)
    value = hits / count if count else 0.0
    low, high = interval_of(value, count)
    return {"value": value, "low": low, "high": high, "hits": hits, "count": count}


def rejected(trial: Trial) -> bool:
    """Whether the critic rejected it."""
    return trial.verdict in STOPPED


def summary(trials: Sequence[Trial]) -> dict[str, Any]:
    """Summarise trials: overall, what no threshold saw, per kind, at the weakest strength."""
    goods = [t for t in trials if t.is_good]
    bads = [t for t in trials if not t.is_good]
    unseen_goods, unseen_bads = [t for t in goods if t.held_out], [t for t in bads if t.held_out]
    kinds = sorted({t.kind for t in bads})
    generators = sorted({t.kind for t in goods})
    recognisable = [t for t in goods if t.asked and t.recognised]
    return {
        "defects_rejected": share(bads, rejected),
        "defects_not_accepted": share(bads, lambda t: t.verdict != "accepted"),
        "defects_rejected_unseen": share(unseen_bads, rejected),
        "defects_rejected_weakest": share([t for t in bads if t.strength == 1], rejected),
        "goods_rejected": share(goods, rejected),
        "goods_not_accepted": share(goods, lambda t: t.verdict != "accepted"),
        "goods_rejected_unseen": share(unseen_goods, rejected),
        "condition_recognised": share(recognisable, lambda t: t.recognised == t.asked),
        "per_kind": {
            kind: {
                **share([t for t in bads if t.kind == kind], rejected),
                "weakest": share([t for t in bads if t.kind == kind and t.strength == 1], rejected)["value"],
                "held_out": any(t.held_out for t in bads if t.kind == kind),
            }
            for kind in kinds
        },
        "per_generator": {
            name: {
                **share([t for t in goods if t.kind == name], rejected),
                "held_out": any(t.held_out for t in goods if t.kind == name),
                "why": dict(
                    Counter(c for t in goods if t.kind == name and rejected(t) for c in t.failed).most_common(
                        4
                    )
                ),
            }
            for name in generators
        },
    }


def markdown(found: dict[str, Any]) -> str:
    """Write the per-kind table."""
    lines = ["| defect | held out | rejected | of | at the weakest |", "| --- | --- | --- | --- | --- |"]
    for kind, row in sorted(found["per_kind"].items(), key=lambda item: item[1]["value"]):
        held = "yes" if row["held_out"] else ""
        lines.append(f"| {kind} | {held} | {row['value']:.0%} | {row['count']} | {row['weakest']:.0%} |")
    lines += ["", "| goods | held out | rejected | of | 95% interval |", "| --- | --- | --- | --- | --- |"]
    for name, row in found["per_generator"].items():
        held = "yes" if row["held_out"] else ""
        span = f"{row['low']:.1%} to {row['high']:.1%}"
        lines.append(f"| {name} | {held} | {row['value']:.1%} | {row['count']} | {span} |")
    return "\n".join(lines)
