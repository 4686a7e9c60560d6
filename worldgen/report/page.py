"""The report page: one HTML file beside the results, working from disk, asking nothing of any network."""

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from worldgen.datatypes import Audit, Failure, VerdictState
from worldgen.errors import disk_errors
from worldgen.report.audits import agreement_of
from worldgen.report.data import Json, link, variant_data
from worldgen.report.protocol import Results
from worldgen.report.words import details_of, label_of, title_of

STATES: Final[tuple[VerdictState, ...]] = ("accepted", "review", "inconclusive", "rejected")
TEMPLATE: Final = Path(__file__).parent / "template"
"""Markup, style and scripts; the service's page serves the same files."""
_SCRIPTS: Final = (
    *("theme.js", "core.js", "data.js", "grid.js", "pair.js", "overlay.js", "panel.js"),
    *("audits.js", "kept.js", "player.js", "route.js"),
)
LABEL_ORDER: Final = ("clear", "overcast", "fog", "rain", "snow", "low sun", "dusk", "night", "wet", "other")
"""Condition classes in the order in which people look for them."""


def write_report(results: Results, path: Path, *, title: str = "") -> Path:
    """Write the page of all results; videos stay beside it and are linked relatively.

    Args:
        results: A catalogue.
        path: The HTML file, normally in the results' folder; replaced in one step.
        title: Heading; by default what the results are variants of.

    Raises:
        OutputError: The place cannot be written.
        PublishError: A result cannot be read.
    """
    tracks: dict[str, Json] = {}

    def address(file: Path) -> str:
        return link(file, path)

    variants = [
        variant_data(results.load(entry.id), entry, results, address, tracks) for entry in results.entries()
    ]
    mark_superseded(variants)
    variants.sort(key=lambda v: (_rank(v["label"]), v["title"], v["sourceName"], v["superseded"], v["id"]))
    newest = [v for v in variants if not v["superseded"]]
    sources = sorted({(v["sourceKey"], v["sourceName"]) for v in variants})
    failures = failures_data(results, newest)
    html = _template().render(
        title=title or (f"Variants of {sources[0][1]}" if len(sources) == 1 else "Variants"),
        variants=variants,
        answers=[f for f in failures if f["expected"]],
        faults=[f for f in failures if not f["expected"]],
        states=STATES,
        newest=newest,
        counts=Counter(v["state"] for v in newest),
        bars=condition_bars(newest),
        failing=failing_checks(newest),
        labels=[name for name in LABEL_ORDER if any(v["label"] == name for v in variants)],
        models=sorted({v["model"] for v in variants}),
        sources=sources,
        agreement=agreement_data((v["state"], results.audits(v["id"])) for v in variants),
        posted=False,
        style=(TEMPLATE / "report.css").read_text(),
        script="\n".join((TEMPLATE / name).read_text() for name in _SCRIPTS),
        data=embedded({"variants": variants, "tracks": tracks}),
    )
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            partial.write_text(html, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def mark_superseded(variants: Sequence[Json]) -> None:
    """Mark what a newer critic, revision or recipe has made again: same source, spec and world model.

    Nothing is ever overwritten, so after an upgrade a folder holds both; the page shows the newest.
    """
    newest: dict[tuple[str, str, str], Json] = {}
    for variant in sorted(variants, key=lambda v: (v["created"], v["id"])):
        key = (variant["sourceKey"], variant["spec"], variant["model"])
        if key in newest:
            newest[key]["superseded"] = True
        variant["superseded"] = False
        newest[key] = variant


def condition_bars(variants: Sequence[Json]) -> list[Json]:
    """Count verdicts per condition class, with the offsets that a stacked bar needs, in percent."""
    bars = []
    for label in LABEL_ORDER:
        counts = Counter(v["state"] for v in variants if v["label"] == label)
        total = counts.total()
        if not total:
            continue
        parts, offset = [], 0.0
        for state in STATES:
            share = 100.0 * counts[state] / total
            if share:
                parts.append({"state": state, "count": counts[state], "x": offset, "width": share})
            offset += share
        bars.append({"label": label, "total": total, "accepted": counts["accepted"], "parts": parts})
    return bars


def failing_checks(variants: Sequence[Json]) -> list[tuple[str, int]]:
    """Count the variants in which each check failed, most often first."""
    failed = Counter(
        check for v in variants for check in {f["check"] for f in v["findings"] if f["passed"] is False}
    )
    return failed.most_common(8)


def agreement_data(pairs: Iterable[tuple[VerdictState, tuple[Audit, ...]]]) -> Json | None:
    """Say how often critic and people decide the same; None when nobody has decided anything."""
    found = agreement_of(pairs)
    if not found.variants:
        return None
    return {
        "variants": found.variants,
        "agree": found.agree,
        "decided": found.decided,
        "share": found.share,
        "strict": found.critic_too_strict,
        "lenient": found.critic_too_lenient,
        "undecided": found.undecided,
    }


def failures_data(results: Results, newest: Sequence[Json]) -> list[Json]:
    """Describe what was not made; once per source and spec, and not where it was made since."""
    made = {(v["sourceKey"], v["spec"]) for v in newest}
    found: dict[tuple[str, str], Json] = {}
    for failure in results.failures():
        key = (str(failure.details.get("source_sha256", ""))[:12], failure.spec.identity[:16])
        if key not in made:
            found[key] = _failure_data(failure)
    return sorted(found.values(), key=lambda f: (_rank(f["label"]), f["title"]))


def _failure_data(failure: Failure) -> Json:
    return {
        "title": title_of(failure.spec),
        "label": label_of(failure.spec),
        "details": list(details_of(failure.spec)),
        "source": Path(str(failure.details.get("source_uri", ""))).name,
        "code": failure.code,
        "message": failure.message,
        "hint": failure.hint,
        "expected": failure.is_expected,
        "kind": {"spec.unsupported": "unsupported", "spec.no_change": "no change"}.get(
            failure.code, "failed"
        ),
    }


def _rank(label: str) -> int:
    return LABEL_ORDER.index(label) if label in LABEL_ORDER else len(LABEL_ORDER)


def embedded(value: Json) -> str:
    """Write JSON that can stand inside a script element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    # Inside a script element only these could end it or open a comment.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _template() -> Any:  # noqa: ANN401 -- jinja2 is imported here only
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
