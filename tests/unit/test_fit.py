"""A source of any shape goes into the model's frame as one affine, whole and not stretched, and comes back."""

import cv2
import numpy as np
import pytest

from worldgen.datatypes import Box2d, Fit, FrameLabels, Labels, ObjectLabel, Source
from worldgen.imaging.fitting import fit_labels
from worldgen.models.build import profile_of
from worldgen.models.cosmos3.fitting import fitted, restored
from worldgen.planning import fit_to

SIZES = [(1280, 720), (1920, 1080), (1242, 375), (640, 480), (96, 54), (54, 96), (333, 1000), (500, 500)]


def fit_of(size: tuple[int, int], tier: int = 256) -> Fit:
    source = Source(
        kind="video",
        uri="a.mp4",
        sha256="0" * 64,
        video=None,
        frames=5,
        width=size[0],
        height=size[1],
        fps=10.0,
    )
    return fit_to(source, profile_of("cosmos3-nano", {"tier": tier}))


@pytest.mark.parametrize("tier", [256, 480, 720])
@pytest.mark.parametrize("size", SIZES)
def test_the_whole_picture_is_in_the_frame_and_not_stretched(size: tuple[int, int], tier: int) -> None:
    fit = fit_of(size, tier)
    left, top, right, bottom = fit.content
    assert 0 <= left < right <= fit.model_size[0]
    assert 0 <= top < bottom <= fit.model_size[1]
    assert (left, top) == (fit.offset_x, fit.offset_y), "on whole pixels, so that the cut is exact"
    assert right - left == fit.model_size[0] or bottom - top == fit.model_size[1], "as large as it can be"
    assert abs(left - (fit.model_size[0] - right)) <= 1
    assert abs(top - (fit.model_size[1] - bottom)) <= 1
    scale = min(fit.model_size[0] / size[0], fit.model_size[1] / size[1])
    assert abs(fit.scale_x - scale) * size[0] <= 0.5
    assert abs(fit.scale_y - scale) * size[1] <= 0.5


@pytest.mark.parametrize("size", SIZES)
def test_a_square_stays_a_square_and_labels_go_with_it(size: tuple[int, int]) -> None:
    fit = fit_of(size)
    side = min(size) // 3
    box = Box2d(left=size[0] - side - 4, top=3, right=size[0] - 4, bottom=3 + side)
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    frame[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = 255
    shown = fitted(frame[None], fit, "seg")[0]
    assert (shown.shape[1], shown.shape[0]) == fit.model_size
    left, top, right, bottom = fit.content
    inside = np.zeros(shown.shape[:2], np.bool_)
    inside[top:bottom, left:right] = True
    rows, columns = np.nonzero(inside & (shown[:, :, 0] > 127))
    wide, tall = np.ptp(columns) + 1, np.ptp(rows) + 1
    assert abs(wide - tall) <= 1
    label = ObjectLabel(id=1, category="car", box2d=box)
    labels = Labels(width=size[0], height=size[1], frames=(FrameLabels(frame=0, objects=(label,)),))
    moved = fit_labels(labels, fit).frames[0].objects[0].box2d
    seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert np.abs(np.subtract((moved.left, moved.top, moved.right, moved.bottom), seen)).max() <= 1
    assert moved.left >= left
    assert moved.right <= right


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_comes_back_at_its_size_and_in_its_place(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 16 + 2, size[0] // 16 + 2, 3), np.uint8)
    frame = np.asarray(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    fit = fit_of(size, tier=720)
    back = restored(fitted(frame[None], fit, "rgb")[0], fit)
    assert back.shape == frame.shape
    assert np.abs(back.astype(float) - frame).mean() < 3
    edge = [back[0], back[-1], back[:, 0], back[:, -1]]
    own = [frame[0], frame[-1], frame[:, 0], frame[:, -1]]
    assert max(np.abs(a.astype(float) - b).mean() for a, b in zip(edge, own, strict=True)) < 6, (
        "no border lost"
    )


def test_a_size_that_the_model_knows_is_left_as_it_is() -> None:
    fit = fit_of((320, 192))
    assert (fit.scale_x, fit.scale_y, fit.offset_x, fit.offset_y) == (1, 1, 0, 0)
    frame = np.random.default_rng(0).integers(0, 256, (1, 192, 320, 3), dtype=np.uint8)
    assert np.array_equal(fitted(frame, fit, "rgb", pads=False), frame)


def test_masks_of_weights_are_fitted_like_their_maps() -> None:
    fit = fit_of((100, 50))
    mask = np.zeros((5, 50, 100), np.float32)
    mask[:, :25] = 1.5
    weights = fitted(mask, fit, "edge")
    assert weights.dtype == np.float32
    assert weights.shape == (5, 192, 320)
    assert (weights.min(), weights.max()) == (0.0, 1.5)
