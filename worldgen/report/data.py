"""The page's data: a catalogue as plain values that a script in the page can draw."""

import os
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeAlias

from worldgen.datatypes import Audit, Finding, Labels, ObjectLabel, Place, Provenance, Variant
from worldgen.report.protocol import Results, Shown
from worldgen.report.words import details_of, label_of, made_by, scale_of, title_of

Json: TypeAlias = dict[str, Any]
Address: TypeAlias = Callable[[Path], str]

_UNEVEN_SECONDS: Final = 0.002
"""Frames that are farther than this from an even rate get their times listed."""


def link(path: Path, page: Path) -> str:
    """Address a file relative to the page, so that the folder can be moved."""
    return Path(os.path.relpath(path, page.parent)).as_posix()


def variant_data(
    variant: Variant, files: Shown, results: Results, address: Address, tracks: dict[str, Json]
) -> Json:
    """Describe one variant.

    Args:
        variant: As read from the catalogue.
        files: Where its files are.
        results: For its source and audits.
        address: Of each file, as the page links it.
        tracks: Box geometry by content, shared by all variants of a source; added to.
    """
    provenance = variant.provenance
    source_video = results.source_video(provenance.source_sha256)
    video = variant.candidate.video
    return {
        "id": variant.id,
        "spec": variant.spec.identity[:16],
        "created": provenance.created,
        "title": title_of(variant.spec),
        "label": label_of(variant.spec),
        "details": list(details_of(variant.spec)),
        "state": variant.verdict.state,
        "recognised": variant.verdict.recognised.replace("_", " "),
        "model": provenance.model,
        "sourceKey": provenance.source_sha256[:12],
        "sourceName": Path(provenance.source_uri).name or provenance.source_uri,
        "sourceTag": _source_tag(variant, results),
        "video": address(files.video) if files.video else "",
        "thumbnail": address(files.thumbnail) if files.thumbnail else "",
        "source": address(source_video) if source_video else "",
        "frames": video.frames,
        "fps": video.fps,
        "width": video.width,
        "height": video.height,
        "times": frame_times(files.video, video.frames, video.fps) if files.video else None,
        "sourceTimes": frame_times(source_video, video.frames, video.fps) if source_video else None,
        "blocked": variant.candidate.blocked,
        "findings": [finding_data(f) for f in _worst_first(variant.verdict.findings)],
        "unusable": _regions((n, (r.reason, _corners(r.box2d))) for n, r in variant.verdict.ignore),
        "labels": labels_data(variant.labels, tracks) if variant.labels else None,
        "madeBy": made_by(provenance),
        "scale": scale_of(provenance),
        "provenance": _provenance_rows(provenance, variant),
        "files": [[name, address(path)] for name, path in _files(files).items()],
        "audits": [audit_data(audit) for audit in results.audits(variant.id)],
    }


def finding_data(finding: Finding) -> Json:
    """Describe one finding with its places."""
    return {
        "check": finding.check,
        "passed": finding.passed,
        "value": _rounded(finding.value),
        "threshold": _rounded(finding.threshold),
        "unit": finding.unit,
        "severity": finding.severity,
        "reason": finding.reason,
        "places": [_place(place) for place in finding.places],
        "detectable": finding.detectable and finding.detectable.model_dump(),
    }


def audit_data(audit: Audit) -> Json:
    """Describe one decision of a person."""
    return {"by": audit.by, "at": audit.at, "decision": audit.decision, "reason": audit.reason}


def labels_data(labels: Labels, tracks: dict[str, Json]) -> Json:
    """Describe labels: boxes once per source, and per variant one letter for each box.

    Letters: c clear, d degraded, n not visible, u unknown, i ignored. A hundred variants of one source
    share the boxes, so that the page stays small.
    """
    boxes = [[f.frame, [[o.id, *_corners(o.box2d)] for o in f.objects]] for f in labels.frames]
    categories = {o.id: o.category for f in labels.frames for o in f.objects}
    geometry = {"boxes": boxes, "categories": categories}
    key = next((name for name, known in tracks.items() if known == geometry), None)
    if key is None:
        key = str(len(tracks))
        tracks[key] = geometry
    reasons = ((f.frame, (o.id, o.reason)) for f in labels.frames for o in f.objects if o.reason)
    regions = ((f.frame, (r.reason, _corners(r.box2d))) for f in labels.frames for r in f.ignore)
    claims = (
        (f.frame, (name, state))
        for f in labels.frames
        for name, state in f.claims.model_dump().items()
        if state != "kept"
    )
    return {
        "tracks": key,
        "states": ["".join(_letter(o) for o in f.objects) for f in labels.frames],
        "reasons": [[first, last, who, why] for first, last, (who, why) in _spans(reasons)],
        "regions": _regions(regions),
        "claims": [[first, last, name, state] for first, last, (name, state) in _spans(claims)],
    }


def frame_times(path: Path, frames: int, fps: float) -> list[float] | None:
    """List when each frame is shown in seconds; None when they are evenly spaced from zero.

    Read from the packets: nothing is decoded.
    """
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = float(stream.time_base or 0)
        times = sorted(float(p.pts) * base for p in container.demux(stream) if p.pts is not None)
    is_even = len(times) == frames and all(
        abs(t - i / fps) < _UNEVEN_SECONDS for i, t in enumerate(times) if fps > 0
    )
    return None if is_even else [round(t, 5) for t in times]


def _source_tag(variant: Variant, results: Results) -> str:
    source = results.source(variant.provenance.source_sha256)
    if source is None or source.kind != "controls":
        return "source"
    kinds = ", ".join(control.kind for control in variant.provenance.plan.controls[:1])
    return f"control map: {kinds}" if kinds else "control map"


def _worst_first(findings: Iterable[Finding]) -> list[Finding]:
    order = {False: 0, None: 1, True: 2}
    severity = {"reject": 0, "review": 1, "info": 2}
    return sorted(findings, key=lambda f: (order[f.passed], severity[f.severity]))


def _place(place: Place) -> Json:
    box = _corners(place.box2d) if place.box2d else None
    return {"first": place.first_frame, "last": place.last_frame, "box": box, "object": place.object_id}


def _corners(box: Any) -> tuple[float, float, float, float]:  # noqa: ANN401 -- a Box2d
    return round(box.left, 1), round(box.top, 1), round(box.right, 1), round(box.bottom, 1)


def _letter(label: ObjectLabel) -> str:
    if label.use == "ignore":
        return "i"
    return "c" if label.visibility is None else label.visibility.state[0]


def _regions(found: Iterable[tuple[int, tuple[str, tuple[float, ...]]]]) -> list[list[Any]]:
    return [[first, last, reason, *box] for first, last, (reason, box) in _spans(found)]


def _spans(found: Iterable[tuple[int, Any]]) -> list[tuple[int, int, Any]]:
    """Join equal values of neighbouring frames: (first frame, last frame, value)."""
    spans: list[tuple[int, int, Any]] = []
    by_value = sorted(found, key=lambda pair: (str(pair[1]), pair[0]))
    for value, pairs in groupby(by_value, key=lambda pair: pair[1]):
        for frame, _ in pairs:
            if spans and spans[-1][2] == value and spans[-1][1] >= frame - 1:
                spans[-1] = (spans[-1][0], frame, value)
            else:
                spans.append((frame, frame, value))
    return sorted(spans, key=lambda span: span[:2])


def _provenance_rows(provenance: Provenance, variant: Variant) -> list[list[str]]:
    plan = provenance.plan
    rows = [
        ("Variant", variant.id),
        ("Source", f"{provenance.source_uri} ({provenance.source_sha256[:16]})"),
        ("Source license", provenance.source_license),
        ("World model", f"{provenance.model}, revision {provenance.revision}"),
        ("Weights", plan.checkpoint),
        ("Seed", str(plan.seed)),
        ("Attempts", str(provenance.attempts)),
        ("Asked", ", ".join(details_of(provenance.spec)) or "nothing"),
        ("As rendered", _pairs(variant.candidate.rendered)),
        ("Source condition", f"{plan.condition.label.replace('_', ' ')}, {plan.condition.origin}"),
        ("Geometry", _pairs(provenance.geometry_origins)),
        ("Recipe", provenance.recipe[:16]),
        ("Prompt", plan.prompt),
        ("Parameters", _pairs(plan.parameters)),
        ("Critic", provenance.critic),
        ("Seconds", _pairs(provenance.seconds)),
        ("Machine", _pairs(provenance.machine)),
        ("Code", f"worldgen {provenance.code_version}"),
        ("Made", provenance.created),
        ("Video sha256", variant.candidate.video.sha256),
    ]
    return [[name, value] for name, value in rows if value]


def _pairs(values: Mapping[str, object]) -> str:
    def shown(value: object) -> str:
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name} {shown(value)}" for name, value in values.items())


def _files(files: Shown) -> dict[str, Path]:
    named = {"variant.mp4": files.video} if files.video else {}
    others = {name: files.folder / name for name in ("verdict.json", "provenance.json")}
    return {**named, **files.labels, **others}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
