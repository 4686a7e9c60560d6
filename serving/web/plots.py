"""Plots of a set, as plain numbers that a template draws in SVG."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from worldgen.report.data import Json
from worldgen.report.page import STATES

_BINS: Final = 24
_MOST_CHECKS: Final = 12


def histograms(cards: Sequence[Json]) -> list[Json]:
    """Bin each check's values, with its threshold; the checks that failed most often come first.

    Returns:
        Per check: name, unit, least and most of values and threshold, bars (place and size in percent, and
        what became of the values in them), and where the threshold lies in percent, if there is one for all.
    """
    values: dict[str, list[tuple[float, bool | None]]] = {}
    thresholds: dict[str, set[float]] = {}
    units: dict[str, str] = {}
    for card in cards:
        for f in card["findings"]:
            if f["value"] is None or f["threshold"] is None:
                continue
            values.setdefault(f["check"], []).append((float(f["value"]), f["passed"]))
            thresholds.setdefault(f["check"], set()).add(float(f["threshold"]))
            units[f["check"]] = f["unit"]
    order = sorted(values, key=lambda c: (-sum(p is False for _, p in values[c]), -len(values[c]), c))
    return [_histogram(c, units[c], values[c], thresholds[c]) for c in order[:_MOST_CHECKS]]


def _histogram(
    check: str, unit: str, values: list[tuple[float, bool | None]], thresholds: set[float]
) -> Json:
    low = min(*(v for v, _ in values), *thresholds)
    high = max(*(v for v, _ in values), *thresholds)
    ends = (f"{low:.3g}", f"{high:.3g}") if high > low else ("", "")
    span = (high - low) or max(abs(high), 1.0)
    low, high = low - 0.04 * span, high + 0.04 * span
    bins = Counter((min(_BINS - 1, int(_BINS * (v - low) / (high - low))), passed) for v, passed in values)
    most = max(Counter(k for k, _ in bins.elements()).values())
    bars = []
    for k in range(_BINS):
        base = 0.0
        for passed, fill in ((True, "accepted"), (None, "inconclusive"), (False, "rejected")):
            count = bins[k, passed]
            if count:
                height = 100.0 * count / most
                bars.append(
                    {
                        "x": 100.0 * k / _BINS,
                        "width": 100.0 / _BINS * 0.86,
                        "y": 100.0 - base - height,
                        "height": height,
                        "fill": fill,
                    }
                )
                base += height
    limit = next(iter(thresholds)) if len(thresholds) == 1 else None
    return {
        "check": check,
        "unit": unit,
        "low": ends[0],
        "high": ends[1],
        "bars": bars,
        "threshold": limit,
        "threshold_x": None if limit is None else 100.0 * (limit - low) / (high - low),
        "count": len(values),
        "failed": sum(p is False for _, p in values),
    }


def model_bars(cards: Sequence[Json]) -> list[Json]:
    """Count verdicts per world model, with the offsets that a stacked bar needs, in percent."""
    bars = []
    for model in sorted({card["model"] for card in cards}):
        counts = Counter(card["state"] for card in cards if card["model"] == model)
        parts, offset = [], 0.0
        for state in STATES:
            share = 100.0 * counts[state] / counts.total()
            if share:
                parts.append({"state": state, "count": counts[state], "x": offset, "width": share})
            offset += share
        bars.append({"label": model, "total": counts.total(), "accepted": counts["accepted"], "parts": parts})
    return bars
