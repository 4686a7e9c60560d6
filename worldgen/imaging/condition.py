"""Condition: the weather and light that a source already has, from its pictures."""

from typing import Final

from worldgen.datatypes import Clip, Condition, ConditionClass, Geometry
from worldgen.imaging.appearance import Appearance, measure_appearance
from worldgen.imaging.change import Change, measure_change
from worldgen.imaging.recognition import Recognition, cloud_of, recognise, recognition_version

__all__ = [
    "Appearance",
    "Change",
    "Recognition",
    "estimate_condition",
    "measure_appearance",
    "measure_change",
    "recognise",
    "recognise_clip",
    "recognition_version",
]

SURE: Final[dict[ConditionClass, float]] = {"wet": 0.95, "rain": 0.9}
"""Score from which a single clip is taken to be anything but an ordinary day. Smooth dry asphalt looks wet
without a dry picture of the same place: alone, half of the wet and a third of the rainy clips of new scenes
are missed (configs/critic/recognition.json), so those two must be plain to see."""
SURE_ELSE: Final = 0.8


def estimate_condition(clip: Clip, geometry: Geometry | None = None) -> Condition:
    """Estimate a source's own weather and light from its pictures.

    A source is taken for a day, clear or overcast by its sky, unless the signs of another class are strong:
    a wrong "wet" or "snow" would refuse edits that could be made. How far fog reaches is not estimated:
    without a target of known distance it is no number.
    """
    appearance = measure_appearance(clip, geometry)
    seen = recognise(appearance)
    cloud = cloud_of(appearance)
    label: ConditionClass = seen.label
    confidence = seen.confidence
    if label in ("clear", "overcast") or confidence < SURE.get(label, SURE_ELSE):
        label = "overcast" if cloud > 0.5 else "clear"
        confidence = abs(cloud - 0.5) + 0.5
    return Condition(
        label=label,
        origin="estimated",
        confidence=round(confidence, 3),
        is_wet=label in ("rain", "wet"),
        is_snowy=label == "snow",
        is_night=label == "night",
        is_precipitating=label == "rain",
        has_hard_shadows=label in ("clear", "low_sun") or (label in ("wet", "snow") and cloud < 0.5),
        evidence=(("cloud", round(cloud, 3)), *seen.evidence),
    )


def recognise_clip(candidate: Clip, source: Clip | None, geometry: Geometry | None = None) -> Recognition:
    """Name the condition of a clip, against its source where the two are frame for frame."""
    seen = measure_appearance(candidate, geometry)
    if source is None:
        return recognise(seen)
    before = measure_appearance(source, geometry)
    if source.frames.shape != candidate.frames.shape:
        return recognise(seen, before)
    return recognise(seen, before, measure_change(candidate, source, geometry))
