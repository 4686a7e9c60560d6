"""Recall counts what the labels say can be seen, and nothing else."""

import pytest

from worldgen.datatypes import Box2d, FrameLabels, IgnoreRegion, Labels, ObjectLabel
from worldgen.report.recall import Detection, interval_of, iou_of, recall_of


def box(left: float, size: float = 10) -> Box2d:
    return Box2d(left=left, top=0, right=left + size, bottom=size)


def labels(*objects: ObjectLabel, ignore: tuple[IgnoreRegion, ...] = ()) -> Labels:
    return Labels(width=200, height=50, frames=(FrameLabels(frame=0, objects=objects, ignore=ignore),))


CAR = ObjectLabel(id=1, category="car", box2d=box(0))
PERSON = ObjectLabel(id=2, category="pedestrian", box2d=box(50))
GONE = ObjectLabel(id=3, category="car", box2d=box(100), use="ignore", reason="beyond_visibility")


def test_objects_that_cannot_be_seen_are_neither_found_nor_missed():
    truth = labels(CAR, PERSON, GONE)
    everything = [Detection(frame=0, box2d=box(x)) for x in (0, 50, 100)]
    recall = recall_of(truth, everything)
    assert (recall.found, recall.visible, recall.ignored, recall.value) == (2, 2, 1, 1.0)
    recall = recall_of(truth, everything[2:])
    assert (recall.found, recall.visible, recall.value) == (0, 2, 0.0)


def test_one_detection_finds_one_object_only():
    twins = labels(CAR, ObjectLabel(id=4, category="car", box2d=box(1)))
    assert recall_of(twins, [Detection(frame=0, box2d=box(0))]).found == 1
    assert recall_of(twins, [Detection(frame=0, box2d=box(0)), Detection(frame=0, box2d=box(1))]).found == 2


def test_category_frame_and_overlap_have_to_fit():
    truth = labels(PERSON)
    assert recall_of(truth, [Detection(frame=0, box2d=box(50), category="person")]).found == 1
    assert recall_of(truth, [Detection(frame=0, box2d=box(50), category="car")]).found == 0
    assert recall_of(truth, [Detection(frame=1, box2d=box(50))]).found == 0
    assert recall_of(truth, [Detection(frame=0, box2d=box(54))]).found == 0
    assert recall_of(truth, [Detection(frame=0, box2d=box(54))], min_iou=0.4).found == 1


def test_objects_under_a_drop_are_left_out():
    drop = IgnoreRegion(reason="lens_drop", box2d=box(-2, 11))
    recall = recall_of(labels(CAR, PERSON, ignore=(drop,)), [])
    assert (recall.visible, recall.ignored) == (1, 1)


def test_the_interval_is_that_of_tracks_not_of_frames():
    frames = tuple(FrameLabels(frame=i, objects=(CAR,)) for i in range(100))
    truth = Labels(width=200, height=50, frames=frames)
    recall = recall_of(truth, [Detection(frame=i, box2d=box(0)) for i in range(100)])
    assert recall.value == 1.0
    assert recall.low == pytest.approx(0.025, abs=1e-9)  # one track: 0.025 ** (1 / 1)
    assert recall.high == 1.0


def test_the_interval_agrees_with_published_values():
    # Clopper and Pearson (1934): 8 of 10 gives 0.444 .. 0.975.
    low, high = interval_of(0.8, 10)
    assert (round(low, 3), round(high, 3)) == (0.444, 0.975)
    assert interval_of(0.0, 0) == (0.0, 1.0)


def test_overlap():
    assert iou_of(box(0), box(0)) == 1.0
    assert iou_of(box(0), box(5)) == pytest.approx(1 / 3)
    assert iou_of(box(0), box(20)) == 0.0
