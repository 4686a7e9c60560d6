"""Tables over trials: shares with Clopper-Pearson intervals, per kind and per strength.

The intervals take trials as independent. Those of one scene share its source, so they are a little narrow.
"""

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


def accepted(trial: Trial) -> bool:
    """Whether the critic let it pass without a look."""
    return trial.verdict == "accepted"


def rejected(trial: Trial) -> bool:
    """Whether the critic rejected it."""
    return trial.verdict in STOPPED


def summary(trials: Sequence[Trial]) -> dict[str, Any]:
    """Summarise trials: overall, what no threshold saw, per kind and strength, per generator."""
    goods = [t for t in trials if t.is_good]
    bads = [t for t in trials if not t.is_good]
    unseen_goods, unseen_bads = [t for t in goods if t.held_out], [t for t in bads if t.held_out]
    recognisable = [t for t in goods if t.asked and t.recognised]
    return {
        "defects_rejected": share(bads, rejected),
        "defects_not_accepted": share(bads, lambda t: not accepted(t)),
        "defects_rejected_seen": share([t for t in bads if not t.held_out], rejected),
        "defects_rejected_unseen": share(unseen_bads, rejected),
        "defects_rejected_weakest": share([t for t in bads if t.strength == 1], rejected),
        "goods_rejected": share(goods, rejected),
        "goods_not_accepted": share(goods, lambda t: not accepted(t)),
        "goods_rejected_unseen": share(unseen_goods, rejected),
        "condition_recognised": share(recognisable, lambda t: t.recognised == t.asked),
        "per_kind": {
            kind: _of_kind([t for t in bads if t.kind == kind]) for kind in sorted({t.kind for t in bads})
        },
        "per_generator": {
            name: _of_generator([t for t in goods if t.kind == name])
            for name in sorted({t.kind for t in goods})
        },
    }


def _of_kind(trials: Sequence[Trial]) -> dict[str, Any]:
    return {
        **share(trials, rejected),
        "not_accepted": share(trials, lambda t: not accepted(t)),
        "strengths": {
            strength: share([t for t in trials if t.strength == strength], rejected)
            for strength in sorted({t.strength for t in trials})
        },
        "held_out": any(t.held_out for t in trials),
    }


def _of_generator(trials: Sequence[Trial]) -> dict[str, Any]:
    why = Counter(check for t in trials if rejected(t) for check in t.failed)
    return {
        **share(trials, rejected),
        "not_accepted": share(trials, lambda t: not accepted(t)),
        "held_out": any(t.held_out for t in trials),
        "why": dict(why.most_common(4)),
    }


def markdown(found: dict[str, Any]) -> str:
    """Write the tables of kinds (worst first) and of generators, each share with its 95% interval."""
    lines = [
        "| defect | held out | rejected | weakest | middle | strongest | not accepted |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, row in sorted(found["per_kind"].items(), key=lambda item: item[1]["value"]):
        cells = [_cell(row), *(_cell(row["strengths"].get(s)) for s in (1, 2, 3)), _cell(row["not_accepted"])]
        lines.append(f"| {kind} | {_held(row)} | {' | '.join(cells)} |")
    lines += ["", "| goods | held out | rejected | not accepted |", "| --- | --- | --- | --- |"]
    for name, row in found["per_generator"].items():
        lines.append(f"| {name} | {_held(row)} | {_cell(row)} | {_cell(row['not_accepted'])} |")
    return "\n".join(lines)


def _held(row: dict[str, Any]) -> str:
    return "yes" if row["held_out"] else ""


def _cell(row: dict[str, Any] | None) -> str:
    if row is None or not row["count"]:
        return ""
    return f"{row['value']:.0%} of {row['count']} ({row['low']:.0%} to {row['high']:.0%})"
