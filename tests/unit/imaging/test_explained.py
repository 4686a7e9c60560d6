"""What lasts without a cause, and the road seen from above."""

import numpy as np

from worldgen.datatypes import Camera
from worldgen.imaging.explained import LUMA_PART, compare_pair, contrast_planes, over_tiles
from worldgen.imaging.roadmap import ALONG_M, ground_cells, window

STILL = np.zeros((96, 128, 2), np.float32)


def picture(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 190, (24, 32, 3)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, 4, axis=0), 4, axis=1)


def strength(source: tuple[np.ndarray, np.ndarray], candidate: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Power of luma per pixel that lasts without a cause, in tiles of 8 pixels."""
    before, after = (tuple(contrast_planes(f) for f in pair) for pair in (source, candidate))
    pair = compare_pair((before[0], before[1]), (after[0], after[1]), STILL, 8)
    return over_tiles(pair, 8)[..., LUMA_PART] / 64


def test_less_contrast_is_explained():
    frame = picture()
    faded = (0.4 * frame + 90).astype(np.uint8)
    assert np.abs(strength((frame, frame), (faded, faded))).max() < 2.0


def test_noise_does_not_last():
    frame = picture()
    rng = np.random.default_rng(1)
    noisy = [np.clip(frame + rng.normal(0, 12, frame.shape), 0, 255).astype(np.uint8) for _ in range(2)]
    assert np.median(strength((frame, frame), (noisy[0], noisy[1]))) < 1.0


def test_a_new_thing_lasts_where_it_is():
    frame = picture()
    added = frame.copy()
    added[40:48, 64:72] = 255
    found = strength((frame, frame), (added, added))
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    assert abs(row - 5) <= 1
    assert abs(column - 8) <= 1
    assert found.max() > 20 * np.median(np.abs(found))


def test_cells_stand_still_in_the_world_while_the_camera_drives():
    camera = Camera(width=128, height=96, fx=100.0, fy=100.0, cx=63.5, cy=40.0, height_m=1.5)
    rows = np.maximum(np.arange(96) - camera.cy, 0.5)
    depth = np.broadcast_to((camera.fy * camera.height_m / rows)[:, None], (96, 128)).astype(np.float32)
    pose = np.stack([np.eye(4) for _ in range(4)])
    pose[:, 2, 3] = np.arange(4) * ALONG_M * 2
    stack = np.stack([depth] * 4)
    ground = np.stack([np.broadcast_to((np.arange(96) > 50)[:, None], (96, 128))] * 4)
    cells = ground_cells(ground, stack, pose, camera, (0, 1, 2, 3))
    assert cells is not None
    # A bar across the way at 8 to 8.5 m, painted into every frame where it then is.
    planes = []
    for i in range(4):
        ahead = depth + pose[i, 2, 3]
        planes.append(((ahead >= 8.0) & (ahead < 8.5)).astype(np.float32)[..., None])
    weight, mean = cells.gather(planes)
    seen = weight > 8
    profile = np.where(
        seen.any(axis=1), (mean[..., 0] * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1), 0
    )
    # It may lie across the border of two rows of cells, and nowhere else.
    assert (profile > 0.05).sum() <= 3
    assert 0.8 < profile.sum() < 1.3


def test_too_little_ground_is_no_road():
    camera = Camera(width=128, height=96, fx=100.0, fy=100.0, cx=63.5, cy=40.0, height_m=1.5)
    ground = np.zeros((2, 96, 128), np.bool_)
    depth, pose = np.full((2, 96, 128), 5.0, np.float32), np.stack([np.eye(4)] * 2)
    assert ground_cells(ground, depth, pose, camera, (0, 1)) is None


def test_a_window_counts_metres():
    ones = np.ones((40, 40), np.float32)
    assert window(ones, 3.0, 0.75)[20, 20] == 7 * 5
