"""Regions: parts of a frame that a condition makes unusable, as far as labels alone tell where."""

from typing import Final

from worldgen.datatypes import Box2d, IgnoreRegion, ObjectLabel
from worldgen.labelling.objects import VEHICLES
from worldgen.labelling.signs import Signs

_PEOPLE: Final = frozenset({"pedestrian", "person", "rider", "bicycle", "cyclist"})
_REFLECTING: Final = 0.3
"""Wetness from which a road mirrors what stands on it."""
_SPRAYING: Final = 0.2


def regions_of(objects: tuple[ObjectLabel, ...], signs: Signs, width: int, height: int) -> list[IgnoreRegion]:
    """Predict mirror images under what stands on a wet road, and spray around vehicles.

    A flat mirror shows an object upside down below its contact with the road, at most as high as itself;
    a rough wet road shows less of it, a flooded one all. Spray hangs beside and behind the wheels; half of a
    vehicle's height is a choice, not a measurement.

    A low sun needs no region for shadows: physics casts no new ones, it keeps or lifts those of the source,
    and shadows are never labelled as objects.
    """
    found: list[IgnoreRegion] = []
    for item in objects:
        box = item.box2d
        stands = item.category in VEHICLES or item.category in _PEOPLE
        if not stands or box.width <= 0 or box.height <= 0:
            continue
        if signs.wetness >= _REFLECTING and signs.snow_cover < 0.6:
            reach = box.height * min(1.0, 0.4 + 0.6 * signs.wetness)
            found += _inside("reflection", box.left, box.bottom, box.right, box.bottom + reach, width, height)
        if signs.spray >= _SPRAYING and item.category in VEHICLES:
            side = 0.25 * box.width * signs.spray
            top = box.bottom - 0.5 * box.height * signs.spray
            low = box.bottom + 0.1 * box.height
            found += _inside("spray", box.left - side, top, box.left, low, width, height)
            found += _inside("spray", box.right, top, box.right + side, low, width, height)
    return found


def _inside(
    reason: str, left: float, top: float, right: float, bottom: float, width: int, height: int
) -> list[IgnoreRegion]:
    """Cut a region to the frame; leave out what is under two pixels."""
    left, right = max(0.0, left), min(float(width), right)
    top, bottom = max(0.0, top), min(float(height), bottom)
    if right - left < 2 or bottom - top < 2:
        return []
    box = Box2d(left=round(left, 2), top=round(top, 2), right=round(right, 2), bottom=round(bottom, 2))
    return [IgnoreRegion.model_validate({"reason": reason, "box2d": box})]
