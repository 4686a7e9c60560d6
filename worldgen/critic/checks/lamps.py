"""Lamps: traffic lights show the state of the source, and vehicles light no lamps without a cause.

A traffic light's lit lamp is the most colourful part of its head, by day and by night. Whether it is red or
green shows in the sign of red less green, which exposure, haze and darkness weaken and never turn over.
"""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.datatypes import Finding, Tag
from worldgen.datatypes.tags import VEHICLES


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


def rear_lamps_kept(evidence: Evidence) -> tuple[Finding, ...]:
    """By day and without haze no vehicle lights rear lamps that are dark in the source.

    At dusk and night, in haze and in heavy rain lamps are lit honestly: nothing is said there.
    """
    source, tags, spec, view = evidence.source, evidence.tags, evidence.spec, evidence.candidate
    if not evidence.comparable or source is None or tags is None or evidence.objects is None:
        return ()
    limits = evidence.thresholds.lamps
    if spec is not None and (
        evidence.asked.is_dark
        or spec.fog_mor_m
        or spec.dust_mor_m
        or spec.headlights == "on"
        or (spec.rain_mm_h or 0) >= limits.rear_rain_mm_h
    ):
        return ()
    things = evidence.objects[1]
    rises: dict[int, list[float]] = {}
    for i in np.unique(np.linspace(0, len(view) - 1, min(len(view), 9)).round().astype(int)):
        on = np.flatnonzero(np.isin(tags[i], list(VEHICLES)))
        index = things[i].ravel()[on]
        was, now = (_redness(v.rgb[i]) for v in (source, view))
        # Codecs move red by a pixel.
        was = np.maximum(np.asarray(cv2.dilate(was, np.ones((3, 3), np.uint8)), np.float32), 0)
        rise = (now - np.float32(limits.rear_gain) * was).ravel()[on]
        for thing in np.unique(index[index > 0]):
            spots = np.sort(rise[index == thing])
            if len(spots) >= limits.rear_pixels:
                rises.setdefault(int(thing), []).append(float(spots[-max(2, len(spots) // 50)]))
    shown = {k: float(np.median(v)) for k, v in rises.items() if len(v) >= limits.rear_frames}
    if not shown:
        return ()
    thing = max(shown, key=lambda k: shown[k])
    passed = shown[thing] <= limits.rear_levels
    return (
        Finding(
            check="lamps.rear",
            passed=passed,
            value=shown[thing],
            threshold=limits.rear_levels,
            unit="levels",
            places=() if passed else (evidence.object_place(0, len(view) - 1, thing),),
            reason=(
                "no vehicle shows red light that the source does not have"
                if passed
                else f"a vehicle shows red light, {shown[thing]:.0f} levels above the source"
            ),
        ),
    )


def _redness(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    soft = np.asarray(cv2.GaussianBlur(frame, (0, 0), 0.7), np.float32)
    return np.asarray(soft[..., 0] - np.maximum(soft[..., 1], soft[..., 2]))


def _red_less_green(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(frame[..., 0].astype(np.float32) - frame[..., 1])


def _strongest(values: npt.NDArray[np.float32]) -> float:
    """The value farthest from the head's own colour, as the difference from it."""
    off = values - np.median(values)
    return float(off[np.abs(off).argmax()])
