"""Labels and cameras go through the recorded affine, and back."""

import numpy as np
import pytest

from worldgen.datatypes import Box2d, Camera, Fit, FrameLabels, IgnoreRegion, Labels, ObjectLabel
from worldgen.imaging.fitting import fit_camera, fit_labels, unfit_camera, unfit_labels
from worldgen.imaging.projection import project
from worldgen.imaging.rle import decode_mask, encode_mask

CAMERA = Camera(width=1280, height=720, fx=1000, fy=1000, cx=639.5, cy=359.5)
# Scaled to a height of 480, then cropped left and right to 832.
CROPPED = Fit(
    source_frames=5,
    model_frames=9,
    source_size=(1280, 720),
    model_size=(832, 480),
    scale_x=2 / 3,
    scale_y=2 / 3,
    offset_x=-(1280 * 2 / 3 - 832) / 2,
    source_fps=10,
    model_fps=10,
)


def a_label(box: Box2d, **fields: object) -> Labels:
    mask = np.zeros((720, 1280), bool)
    mask[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = True
    label = ObjectLabel(
        id=1, category="car", box2d=box, mask_rle=encode_mask(mask), pixels_high=box.height, **fields
    )
    region = IgnoreRegion(reason="glare", box2d=box)
    frames = tuple(FrameLabels(frame=i, objects=(label,), ignore=(region,)) for i in range(5))
    return Labels(width=1280, height=720, frames=frames, camera=CAMERA)


def test_a_projected_corner_stays_in_its_box():
    point = np.array([[2.0, -1.0, 12.0]])
    edge = project(point, CAMERA)[0][0] + 0.5
    labels = a_label(Box2d(left=edge[0], top=edge[1], right=edge[0] + 60, bottom=edge[1] + 60))
    moved = fit_labels(labels, CROPPED)
    box = moved.frames[0].objects[0].box2d
    assert project(point, moved.camera)[0][0] + 0.5 == pytest.approx([box.left, box.top])
    assert (moved.width, moved.height) == (832, 480)


def test_labels_and_cameras_come_back():
    labels = a_label(Box2d(left=300, top=240, right=420, bottom=330))
    back = unfit_labels(fit_labels(labels, CROPPED), CROPPED)
    for before, after in zip(labels.frames, back.frames, strict=True):
        assert after.objects[0].box2d.model_dump() == pytest.approx(before.objects[0].box2d.model_dump())
        assert after.objects[0].pixels_high == pytest.approx(before.objects[0].pixels_high)
        assert after.ignore[0].box2d.model_dump() == pytest.approx(before.ignore[0].box2d.model_dump())
        masks = [decode_mask(f.objects[0].mask_rle, width=1280, height=720) for f in (before, after)]
        assert (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum() > 0.98
    camera = unfit_camera(fit_camera(CAMERA, CROPPED), CROPPED)
    assert camera.model_dump(exclude={"model", "distortion"}) == pytest.approx(
        CAMERA.model_dump(exclude={"model", "distortion"})
    )


def test_what_is_cropped_away_is_truncated_not_deleted():
    moved = fit_labels(a_label(Box2d(left=0, top=300, right=40, bottom=400), truncation=0.0), CROPPED)
    label = moved.frames[0].objects[0]
    assert label.box2d.left < 0
    # The crop takes 16 of 1280 source pixels on the left, 40 wide: 0.4 of the box.
    assert label.truncation == pytest.approx(16 / 40, abs=0.01)


def test_frames_that_only_pad_have_no_labels():
    labels = fit_labels(a_label(Box2d(left=300, top=240, right=420, bottom=330)), CROPPED)
    padded = labels.model_copy(update={"frames": (*labels.frames, FrameLabels(frame=7))})
    assert [f.frame for f in unfit_labels(padded, CROPPED).frames] == [0, 1, 2, 3, 4]
