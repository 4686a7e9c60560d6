"""Figures are pictures of what they were given."""

import cv2
import numpy as np

from worldgen.report.figures import contact_sheet, recall_plot


def test_a_contact_sheet_shows_first_and_last_frame_of_every_clip(tmp_path):
    clip = np.zeros((9, 90, 160, 3), np.uint8)
    clip[0, ..., 0], clip[-1, ..., 2] = 255, 255
    sheet = contact_sheet([("one", clip), ("short", clip[:2])], tmp_path / "sheet.png", columns=3)
    picture = cv2.imread(str(sheet))
    assert picture.shape == (2 * (180 + 26), 3 * 320, 3)
    assert picture[100, 160].tolist() == [0, 0, 255], "red first frame, as BGR"
    assert picture[100, 800].tolist() == [255, 0, 0], "blue last frame, as BGR"
    assert picture[300, 800].tolist() == [255, 255, 255], "a clip with two frames leaves a gap"


def test_a_recall_plot_is_written(tmp_path):
    levels = [50.0, 100.0, 200.0, 500.0, 1000.0]
    recall = [0.2, 0.5, 0.8, 0.92, 0.95]
    low, high = [r - 0.1 for r in recall], [min(r + 0.1, 1) for r in recall]
    path = recall_plot(
        levels=levels, recall=recall, low=low, high=high, path=tmp_path / "a" / "recall.png",
        title="Recall under fog", x_label="meteorological optical range (m)", log_x=True,
    )  # fmt: skip
    picture = cv2.imread(str(path))
    assert picture.shape == (672, 1152, 3)
    line = np.abs(picture.astype(int) - [0xEB, 0x6F, 0x1F]).sum(-1) < 20
    columns = np.nonzero(line.any(0))[0]
    assert columns.max() - columns.min() > 600, "the line spans the axes"
    left, right = columns.min() + 8, columns.max() - 8
    assert np.nonzero(line[:, left])[0].mean() > np.nonzero(line[:, right])[0].mean(), (
        "recall rises to the right"
    )
