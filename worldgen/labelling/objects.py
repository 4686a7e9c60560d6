"""Objects: whether one labelled object can still be trained on, and what about it may have changed."""

import math
from typing import Final

from worldgen.datatypes import Box2d, IgnoreRegion, ObjectLabel, Observation, Verdict, Visibility
from worldgen.datatypes.labels import IgnoreReason, VisibilityState
from worldgen.labelling.signs import Signs

VEHICLES: Final = frozenset({"car", "truck", "bus", "van", "train", "motorcycle", "trailer", "vehicle"})
_LANES: Final = frozenset({"lane", "lane_line", "road_marking", "crosswalk", "stop_line", "wait_line"})
UNTOLD: Final = ("objects.hidden", "objects.unproven")
"""Checks that name objects, by their places, of which nothing can be said."""
_COVERED: Final = 0.5
"""Share of a box inside an ignore region from which the object itself cannot be trained on."""
_IN_FRONT: Final = frozenset({"lens_drop", "spray", "glare", "saturated"})
"""What lies between the camera and an object; a mirror image or a shadow lies behind it."""
_LAMP_CLIPPED: Final = 0.25
"""The same for a traffic light's state: its lamps are a part of its box."""


def predicted_state(transmission: float) -> VisibilityState:
    """Cut the share of light that survives the path.

    0.05 is the contrast at the meteorological optical range (WMO-No. 8): beyond it a black object is not
    seen by definition. 0.3 is where a typical object (contrast 0.17) reaches that same 0.05.
    """
    if transmission < 0.05:
        return "not_visible"
    return "degraded" if transmission < 0.3 else "clear"


def judge_object(
    item: ObjectLabel,
    signs: Signs,
    observed: Observation | None,
    regions: tuple[IgnoreRegion, ...],
    verdict: Verdict,
) -> ObjectLabel:
    """Merge what was predicted and measured of one object in one frame; nothing is removed."""
    update: dict[str, object] = {}
    range_m = observed.range_m if observed and observed.range_m is not None else item.range_m
    if observed and item.range_m is None:
        update.update(range_m=observed.range_m, range_interval_m=observed.range_interval_m)
    visibility = observed.visibility if observed else _predicted(item, range_m, signs)
    if visibility is not None:
        update["visibility"] = visibility
    if item.pixels_high is None and not signs.is_mild:
        update["pixels_high"] = item.box2d.height
    reason = why_ignored(item, visibility, regions, signs) or _untold(item, verdict)
    if item.use == "ignore":
        update["reason"] = item.reason or "given"
    elif reason:
        update.update(use="ignore", reason=reason)
    changed = _changed(item, signs, verdict)
    if (
        item.category == "traffic_light"
        and _coverage(item.box2d, regions, ("saturated", "glare")) >= _LAMP_CLIPPED
    ):
        changed |= {"state"}
        if "state" in item.attributes:
            known = {"source_state": item.attributes["state"], "state": "unknown"}
            update["attributes"] = {**item.attributes, **known}
    if changed:
        update["changed_attributes"] = tuple(sorted({*item.changed_attributes, *changed}))
    return item.model_copy(update=update) if update else item


def _predicted(item: ObjectLabel, range_m: float | None, signs: Signs) -> Visibility | None:
    """Predict what nobody observed, as far as the condition alone tells."""
    if item.category in _LANES and (signs.snow_cover >= 0.6 or signs.sand_cover >= 0.6):
        return Visibility(predicted="not_visible")
    if signs.mor_m <= 2000 and range_m is not None:
        share = math.exp(-2.996 * max(range_m, 0.0) / signs.mor_m)
        only_air = not (signs.night or signs.rain_mm_h >= 8.1 or signs.snow_mm_h >= 1.0)
        state = predicted_state(share)
        return Visibility(
            predicted=state if only_air or state == "not_visible" else "unknown", transmission=share
        )
    return Visibility() if signs.hides else None


def why_ignored(
    item: ObjectLabel, visibility: Visibility | None, regions: tuple[IgnoreRegion, ...], signs: Signs
) -> IgnoreReason | None:
    """Say why one object in one frame cannot be trained on; None where it can."""
    before = (r for r in regions if r.reason in _IN_FRONT)
    covering = max(before, key=lambda r: _overlap(item.box2d, r), default=None)
    if covering is not None and _overlap(item.box2d, covering) >= _COVERED:
        return covering.reason
    if visibility is None:
        return None
    if visibility.state == "not_visible":
        return _hidden_by(item, visibility, signs)
    if visibility.state == "unknown":
        disagree = "unknown" not in (visibility.predicted, visibility.measured)
        if disagree:
            return "predicted_and_measured_disagree"
        return "unknown_visibility" if signs.hides else None
    return None


def _untold(item: ObjectLabel, verdict: Verdict) -> IgnoreReason | None:
    """Leave out what the critic could not have noticed missing: findings named in `UNTOLD`."""
    named = (
        p.object_id for f in verdict.findings if f.check in UNTOLD and f.passed is None for p in f.places
    )
    return "unknown_visibility" if item.id in named else None


def _hidden_by(item: ObjectLabel, visibility: Visibility, signs: Signs) -> IgnoreReason:
    """Name what most likely hides an object that cannot be seen."""
    lost_in_air = visibility.transmission is not None and visibility.transmission < 0.3
    tests: tuple[tuple[IgnoreReason, bool], ...] = (
        ("snow_cover", item.category in _LANES and signs.snow_cover >= 0.3),
        ("beyond_visibility", lost_in_air),
        ("too_dark", signs.night or signs.exposure_stops <= -2),
        ("glare", signs.low_sun),
        ("saturated", signs.exposure_stops >= 1),
        ("beyond_visibility", signs.hides),
        ("too_small", True),
    )
    return next(reason for reason, holds in tests if holds)


def _changed(item: ObjectLabel, signs: Signs, verdict: Verdict) -> set[str]:
    """Name the attributes that may no longer be as labelled."""
    changed: set[str] = set()
    if signs.night and item.category in VEHICLES:
        changed.add("lamp_state")
    if signs.painted:
        if item.category in VEHICLES:
            changed |= {"colour", "plate", "lamp_state"} - _upheld(verdict)
        elif item.category == "traffic_light":
            changed |= {"state"} - _upheld(verdict)
        elif item.category == "traffic_sign":
            changed |= {"text"} - _upheld(verdict)
        elif item.category in _LANES:
            changed |= {"lane_type", "colour"} - _upheld(verdict)
        else:
            changed |= {"colour"} - _upheld(verdict)
    if item.category in _LANES and signs.snow_cover >= 0.1:
        changed.add("surface")
    return changed


def _upheld(verdict: Verdict) -> set[str]:
    """Attributes that a check measured and found unchanged: findings named ``keep.<attribute>``."""
    passed = {
        f.check.removeprefix("keep.") for f in verdict.findings if f.check.startswith("keep.") and f.passed
    }
    wide = {"text": {"text", "plate"}, "traffic_light_state": {"state"}, "lane_markings": {"lane_type"}}
    return set().union(*(wide.get(name, {name}) for name in passed))


def _coverage(box: Box2d, regions: tuple[IgnoreRegion, ...], reasons: tuple[IgnoreReason, ...]) -> float:
    return max((_overlap(box, r) for r in regions if r.reason in reasons), default=0.0)


def _overlap(box: Box2d, region: IgnoreRegion) -> float:
    """Share of a box inside a region's box: an upper bound where the region has a mask."""
    width = min(box.right, region.box2d.right) - max(box.left, region.box2d.left)
    height = min(box.bottom, region.box2d.bottom) - max(box.top, region.box2d.top)
    area = box.width * box.height
    return max(0.0, width) * max(0.0, height) / area if area > 0 else 0.0
