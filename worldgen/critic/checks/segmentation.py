"""Segmentation: what a pixel shows is still what the geometry's tags say, by outlines and by a network."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from worldgen.critic.classes import CLASSES, TagStack
from worldgen.critic.evidence import Evidence
from worldgen.critic.spans import box_of, over_frames
from worldgen.datatypes import Finding, Place
from worldgen.datatypes.tags import FLAT

Severity: TypeAlias = Literal["reject", "review", "info"]

_LEAST_LOSS_SHARE = 0.5


def borders_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """The outlines of every class that is large enough, where tags are true; the worst class decides.

    Counts only border pixels on an edge of the source that should survive, and counts them as kept where the
    candidate has an edge of that direction at that place. Needs no network. Another sun, or a clouded one,
    shades walls anew and may take their outlines against the ground; there it does not decide.
    """
    if not evidence.comparable or evidence.borders is None:
        return ()
    limits, survey = evidence.thresholds.segmentation, evidence.survey
    frames = min(limits.border_frames, len(survey.border_due))
    due, kept = (
        over_frames(s.sum(axis=(2, 3))[:, None, :], frames)[:, 0, 1:]
        for s in (survey.border_due, survey.border_kept)
    )
    enough = due >= limits.border_due * frames
    if not enough.any():
        return ()
    lost = np.where(enough, (due - kept) / np.maximum(due, 1e-6), -1)
    at, index = (int(v) for v in np.unravel_index(int(lost.argmax()), lost.shape))
    value, name = float(lost[at, index]), CLASSES[index].name
    limit = limits.border_lost * evidence.guessed
    passed: bool | None = value <= limit
    reason = f"{max(value, 0):.0%} of the visible outlines of {name} are not where the tags say"
    severity: Severity = "review"  # until a calibration on fresh scenes has shown that it may reject
    if not passed and evidence.asked.is_relit:
        passed, severity = None, "info"
        reason += "; another light may take them away"
    return (
        Finding(
            check="segmentation.borders",
            passed=passed,
            value=value,
            threshold=limit,
            unit="share lost",
            severity=severity,
            reason=reason,
            places=() if passed else (_where_lost(evidence, at, frames, index + 1),),
        ),
    )


def _where_lost(evidence: Evidence, at: int, frames: int, number: int) -> Place:
    """The tiles that lose most of what a class loses."""
    survey = evidence.survey
    span = slice(at, at + frames)
    loss = np.maximum((survey.border_due[span, number] - survey.border_kept[span, number]).sum(axis=0), 0)
    return evidence.place(at, at + frames - 1, box_of(loss >= _LEAST_LOSS_SHARE * loss.max()))


def classes_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """A segmentation network reads the candidate against the true tags as well as it reads the source.

    Mean intersection over union (Everingham et al. 2010; Cordts et al. 2016) over the classes that the clip
    shows and the network knows. Its limit was set without weights, so a failure asks for a look; and by low
    light networks that learnt by day read less (Sakaridis et al. 2021), so there it only informs.
    """
    network, truth = evidence.segmenter, evidence.classes
    if not evidence.comparable or evidence.source is None or network is None or truth is None:
        return ()
    limits = evidence.thresholds.segmentation
    frames = np.unique(
        np.linspace(0, len(truth) - 1, min(limits.network_frames, len(truth))).round().astype(int)
    )
    asked = _asked(evidence, frames)
    before = _overlaps(asked, evidence.source.classes_seen(network, frames))
    after = _overlaps(asked, evidence.candidate.classes_seen(network, frames))
    shares = np.bincount(asked.ravel(), minlength=len(CLASSES) + 1) / max(int((asked > 0).sum()), 1)
    judged = [n for n in sorted(network.classes) if shares[n] >= limits.class_share]
    own = float(np.mean(before[judged])) if judged else 0.0
    if own < limits.source_overlap:
        reason = f"the network reads {own:.0%} of the source as its tags say; that is too little to judge by"
        return (_finding(None, own, limits.source_overlap, "mean overlap", "info", reason),)
    value = float(np.mean(after[judged])) / own
    worst = max(judged, key=lambda n: float(before[n] - after[n]))
    reason = (
        f"the network reads the candidate {value:.0%} as well as the source; "
        f"{CLASSES[worst - 1].name} goes from {before[worst]:.0%} to {after[worst]:.0%}"
    )
    passed = value >= limits.overlap_kept
    severity: Severity = "info" if evidence.asked.has_low_light else "review"
    found = _finding(passed, value, limits.overlap_kept, "of the source's overlap", severity, reason)
    if passed:
        return (found,)
    return (found.model_copy(update={"places": (evidence.place(int(frames[0]), int(frames[-1])),)}),)


def _asked(evidence: Evidence, frames: npt.NDArray[np.int_]) -> TagStack:
    """Class that is asked of each pixel of some frames; 0 where haze or a white ground may hide it."""
    assert evidence.classes is not None  # noqa: S101 -- the caller asked first
    assert evidence.tags is not None  # noqa: S101 -- classes are made of tags
    hidden = np.zeros(evidence.classes[frames].shape, np.bool_)
    if evidence.haze_light is not None:
        hidden |= evidence.haze_light[frames] < evidence.thresholds.segmentation.least_light
    if evidence.asked.is_ground_covered:
        hidden |= np.isin(evidence.tags[frames], list(FLAT))
    return np.where(hidden, np.uint8(0), evidence.classes[frames])


def _overlaps(asked: TagStack, seen: TagStack) -> npt.NDArray[np.float64]:
    """Intersection over union of each class, over the pixels that are asked."""
    counts = len(CLASSES) + 1
    here = asked > 0
    both = asked[here].astype(np.intp) * counts + seen[here]
    table = np.bincount(both, minlength=counts * counts).reshape(counts, counts)
    hits = np.diag(table).astype(np.float64)
    union = table.sum(axis=0) + table.sum(axis=1) - hits
    return np.asarray(hits / np.maximum(union, 1), np.float64)


def _finding(
    passed: bool | None, value: float, threshold: float, unit: str, severity: Severity, reason: str
) -> Finding:
    return Finding(
        check="segmentation.classes",
        passed=passed,
        value=value,
        threshold=threshold,
        unit=unit,
        severity=severity,
        reason=reason,
    )
