"""Subjects from labels: what a recording's own boxes say is there, for a caption without a captioner."""

from collections import defaultdict
from typing import Final

from worldgen.datatypes import Labels, ObjectLabel
from worldgen.prompts.structured import Subject

_MOST: Final = 8
_NAMES: Final = {
    "car": "car",
    "truck": "truck",
    "bus": "bus",
    "train": "train",
    "motorcycle": "motorcycle",
    "bicycle": "bicycle",
    "pedestrian": "pedestrian",
    "rider": "rider",
    "traffic_light": "traffic light",
    "traffic_sign": "traffic sign",
}


def subjects_of(labels: Labels) -> tuple[Subject, ...]:
    """Describe the largest labelled things: kind, place and size at their best frame, and nothing else.

    Args:
        labels: Of the source; boxes in pixels.

    Returns:
        At most eight subjects, the largest first; equal ones are counted together.
    """
    tracks: dict[int, list[ObjectLabel]] = defaultdict(list)
    for frame in labels.frames:
        for thing in frame.objects:
            if thing.category in _NAMES and thing.use == "train":
                tracks[thing.id].append(thing)
    best = [max(track, key=_area) for track in tracks.values()]
    best = [thing for thing in best if thing.box2d.height >= 0.03 * labels.height]
    groups: dict[tuple[str, str, str], int] = defaultdict(int)
    for thing in sorted(best, key=lambda t: (-_area(t), t.id)):
        groups[(_NAMES[thing.category], _place(thing, labels), _size(thing, labels))] += 1
    return tuple(
        Subject(
            description=f"A {name}" if count == 1 else f"{count} {_plural(name)}",
            location=place,
            relative_size=size,
            number_of_subjects=count,
        )
        for (name, place, size), count in list(groups.items())[:_MOST]
    )


def _area(thing: ObjectLabel) -> float:
    return thing.box2d.width * thing.box2d.height


def _place(thing: ObjectLabel, labels: Labels) -> str:
    middle = (thing.box2d.left + thing.box2d.right) / 2 / labels.width
    side = "Left" if middle < 0.36 else "Right" if middle > 0.64 else "Center"
    foot = thing.box2d.bottom / labels.height
    depth = "foreground" if foot > 0.8 else "midground" if foot > 0.6 else "background"
    return f"{side} {depth}"


def _size(thing: ObjectLabel, labels: Labels) -> str:
    share = thing.box2d.height / labels.height
    return (
        "Large within frame"
        if share > 0.4
        else "Medium within frame"
        if share > 0.15
        else "Small within frame"
    )


def _plural(name: str) -> str:
    return {"bus": "buses"}.get(name, f"{name}s")
