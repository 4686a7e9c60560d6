"""The bonnet at full size: coachwork has no steps, whatever the size at which its outline was found."""

import numpy as np

from worldgen.controls.from_clip import _whole_ego
from worldgen.controls.surfaces import enlarged


def _off_the_line(mask):
    """Rows by which the outline leaves the straight line that it stands for, away from the borders."""
    top = mask.argmax(axis=0)[40:-40]
    columns = np.arange(len(top))
    return np.abs(top - np.polyval(np.polyfit(columns, top, 1), columns)).max()


def test_an_outline_found_on_a_small_picture_has_no_steps_on_the_whole_one():
    columns = np.arange(160)
    small = np.arange(90)[:, None] >= (50 + columns // 8)[None, :]
    plain, smooth = enlarged(small, 800, 450), _whole_ego(small, 800, 450)
    assert _off_the_line(plain) > 2, "this picture has no steps to smooth"
    assert _off_the_line(smooth) < 1
    assert np.mean(plain != smooth) < 0.01, "the outline stays where it is"


def test_a_level_outline_stays_level():
    small = np.repeat((np.arange(90) >= 60)[:, None], 160, axis=1)
    assert np.array_equal(_whole_ego(small, 800, 450), enlarged(small, 800, 450))
