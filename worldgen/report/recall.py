"""Recall of somebody's detector on a variant, counted over objects whose label says they can be seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from worldgen.datatypes import Box2d, FrameLabels, Labels, ObjectLabel

CATEGORY_ALIASES: Final = {
    "person": "pedestrian",
    "people": "pedestrian",
    "motorbike": "motorcycle",
    "bike": "bicycle",
    "traffic light": "traffic_light",
    "traffic sign": "traffic_sign",
    "stop sign": "traffic_sign",
    "van": "car",
    "lorry": "truck",
}
"""Names that common detectors use -> worldgen's."""

_COVERED: Final = 0.5
"""An object of which more than this share lies in an ignore region is not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One box that a detector found."""

    frame: int
    """Zero-based."""
    box2d: Box2d
    category: str = ""
    """Empty: the detector does not say; it then matches any category."""
    score: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """How many of the visible objects were found, with a 95% interval."""

    value: float
    """Found over visible, 0..1; 0 when nothing is visible (see `visible`)."""
    low: float
    high: float
    found: int
    visible: int
    """Objects, counted per frame, whose labels say `train`."""
    ignored: int
    """Objects, counted per frame, that were left out: not visible, or inside an ignore region."""
    tracks: int
    """Different objects among the visible ones; the interval's sample size."""


def recall_of(labels: Labels, detections: Sequence[Detection], *, min_iou: float = 0.5) -> Recall:
    """Match detections to labels and count.

    In each frame, detections take labels in the order of their scores, each the free label of its category
    that it overlaps most. Labels with `use` "ignore" are neither found nor missed.

    The interval is that of Clopper and Pearson (1934) with the number of tracks as sample size: frames of
    one object are not independent, and counting them as such would promise too much.

    Args:
        labels: Of the variant.
        detections: Of all frames, in any order.
        min_iou: Smallest intersection over union that counts as found, 0..1.
    """
    by_frame: dict[int, list[Detection]] = {}
    for detection in detections:
        by_frame.setdefault(detection.frame, []).append(detection)
    found = visible = ignored = 0
    tracks: set[int] = set()
    for frame in labels.frames:
        countable = [o for o in frame.objects if _is_countable(o, frame)]
        visible += len(countable)
        ignored += len(frame.objects) - len(countable)
        tracks.update(o.id for o in countable)
        found += _count_found(countable, by_frame.get(frame.frame, ()), min_iou)
    value = found / visible if visible else 0.0
    low, high = interval_of(value, len(tracks))
    return Recall(
        value=value, low=low, high=high, found=found, visible=visible, ignored=ignored, tracks=len(tracks)
    )


def interval_of(share: float, count: int) -> tuple[float, float]:
    """Return the 95% Clopper-Pearson interval of a share of `count` independent trials.

    The share may be fractional: it is then the mean over trials that are shares themselves.
    """
    from scipy.stats import beta

    if count == 0:
        return 0.0, 1.0
    hits = share * count
    low = float(beta.ppf(0.025, hits, count - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0
    return low, high


def iou_of(a: Box2d, b: Box2d) -> float:
    """Return intersection over union of two boxes, 0..1."""
    shared = _intersection(a, b)
    union = a.width * a.height + b.width * b.height - shared
    return shared / union if union > 0 else 0.0


def _count_found(labels: Iterable[ObjectLabel], detections: Iterable[Detection], min_iou: float) -> int:
    free = list(labels)
    total = len(free)
    for detection in sorted(detections, key=lambda d: -d.score):
        candidates = [o for o in free if _is_same_category(detection.category, o.category)]
        best = max(candidates, key=lambda o: iou_of(detection.box2d, o.box2d), default=None)
        if best is not None and iou_of(detection.box2d, best.box2d) >= min_iou:
            free.remove(best)
    return total - len(free)


def _is_same_category(found: str, labelled: str) -> bool:
    name = found.strip().lower()
    return not name or CATEGORY_ALIASES.get(name, name.replace(" ", "_")) == labelled


def _is_countable(label: ObjectLabel, frame: FrameLabels) -> bool:
    if label.use != "train":
        return False
    area = label.box2d.width * label.box2d.height
    covered = max((_intersection(label.box2d, region.box2d) for region in frame.ignore), default=0.0)
    return area > 0 and covered <= _COVERED * area


def _intersection(a: Box2d, b: Box2d) -> float:
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    return max(width, 0.0) * max(height, 0.0)
