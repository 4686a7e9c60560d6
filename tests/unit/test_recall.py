"""Recall counts what can be seen, and only that."""

from worldgen.datatypes import Box2d, FrameLabels, Labels, ObjectLabel
from worldgen.report.recall import Detection, iou, recall_of, wilson


def _box(left: float, top: float, size: float = 10.0) -> Box2d:
    return Box2d(left=left, top=top, right=left + size, bottom=top + size)


def _labels(*uses: str) -> Labels:
    objects = tuple(
        ObjectLabel(
            id=i,
            category="car",
            box2d=_box(20.0 * i, 0.0),
            use=use,
            reason="beyond_visibility" if use == "ignore" else None,
        )
        for i, use in enumerate(uses)
    )
    return Labels(width=200, height=100, frames=(FrameLabels(frame=0, objects=objects),))


def test_an_object_that_cannot_be_seen_is_neither_hit_nor_miss() -> None:
    found = recall_of(_labels("train", "ignore", "ignore"), [Detection(frame=0, category="car", box2d=_box(0, 0))])
    assert (found.found, found.visible, found.ignored) == (1, 1, 2)
    assert found.value == 1.0


def test_one_box_counts_once() -> None:
    labels = Labels(
        width=200,
        height=100,
        frames=(
            FrameLabels(
                frame=0,
                objects=(
                    ObjectLabel(id=1, category="car", box2d=_box(0, 0)),
                    ObjectLabel(id=2, category="car", box2d=_box(1, 0)),
                ),
            ),
        ),
    )
    found = recall_of(labels, [Detection(frame=0, category="car", box2d=_box(0, 0))])
    assert (found.found, found.visible) == (1, 2)


def test_another_frame_does_not_count() -> None:
    found = recall_of(_labels("train"), [Detection(frame=1, category="car", box2d=_box(0, 0))])
    assert found.found == 0


def test_overlap_is_intersection_over_union() -> None:
    assert iou(_box(0, 0), _box(5, 0)) == 50 / 150
    assert iou(_box(0, 0), _box(50, 0)) == 0.0


def test_wilson_interval_of_known_shares() -> None:
    # Brown, Cai and DasGupta 2001: 0 of 10 gives an upper bound of 0.2775.
    low, high = wilson(0, 10)
    assert low == 0.0
    assert abs(high - 0.2775) < 5e-4
    assert wilson(0, 0) == (0.0, 1.0)
