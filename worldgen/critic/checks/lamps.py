"""Lamps: a traffic light shows the state that it shows in the source.

The lit lamp is the most colourful part of the head, by day and by night; whether it is red or green shows in
the sign of red less green, which exposure, haze and darkness weaken and never turn over.
"""

import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Finding, Tag


def lights_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """Every traffic light that is lit in the source must not show the other colour."""
    source, tags, view = evidence.source, evidence.tags, evidence.candidate
    if not evidence.comparable or source is None or tags is None or evidence.objects is None:
        return ()
    if evidence.spec is not None and not evidence.spec.keep.traffic_light_state:
        return ()
    limits = evidence.thresholds.lamps
    heads = evidence.objects[1]
    before: dict[int, list[float]] = {}
    after: dict[int, list[float]] = {}
    for i in np.flatnonzero((tags == Tag.TRAFFIC_LIGHT).any(axis=(1, 2))):
        was, now = (_red_less_green(v.rgb[i]) for v in (source, view))
        on = np.flatnonzero(tags[i] == Tag.TRAFFIC_LIGHT)
        index = heads[i].ravel()[on]
        for head in np.unique(index[index > 0]):
            pixels = on[index == head]
            lit = _strongest(was.ravel()[pixels])
            if abs(lit) > limits.lit_levels:
                before.setdefault(int(head), []).append(lit)
                after.setdefault(int(head), []).append(_strongest(now.ravel()[pixels]))
    shown = {
        head: float(np.median(np.sign(before[head]) * np.array(after[head])))
        for head in before
        if len(before[head]) >= limits.frames
    }
    # A lamp that the condition hides shows no colour; nothing can be said of it.
    shown = {head: value for head, value in shown.items() if abs(value) > limits.seen_levels}
    if not shown:
        return ()
    head = min(shown, key=lambda k: shown[k])
    passed = shown[head] >= 0
    was_red = before[head][0] > 0
    return (
        Finding(
            check="lamps.traffic_light",
            passed=passed,
            value=shown[head],
            threshold=0.0,
            unit="levels",
            places=() if passed else (evidence.object_place(0, len(view) - 1, head),),
            reason=(
                f"{len(shown)} traffic lights keep their colour"
                if passed
                else f"a traffic light is {'green' if was_red else 'red'} "
                f"that is {'red' if was_red else 'green'} in the source"
            ),
        ),
    )


def _red_less_green(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(frame[..., 0].astype(np.float32) - frame[..., 1])


def _strongest(values: npt.NDArray[np.float32]) -> float:
    """The value farthest from the head's own colour, as the difference from it."""
    off = values - np.median(values)
    return float(off[np.abs(off).argmax()])
