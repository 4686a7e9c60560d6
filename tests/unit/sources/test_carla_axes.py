"""Unreal's, NVIDIA's and our axes agree about where things are."""

import numpy as np
import pytest

from tests.situations_recordings import a_camera
from worldgen.sources.carla.axes import (
    OURS_FROM_UNREAL,
    box_from_flu,
    box_from_unreal,
    flu_matrix,
    from_flu,
    from_unreal,
    mounting,
    unreal_matrix,
    yaw_matrix,
    yaw_of,
)
from worldgen.sources.carla.writer import standing


def test_unreal_points_change_axes():
    # forward, right, up -> right, down, forward
    assert (OURS_FROM_UNREAL[:3, :3] @ (1, 2, 3)).tolist() == [2, -3, 1]


@pytest.mark.parametrize(("pitch", "yaw", "roll"), [(0, 0, 0), (10, 30, -5), (-80, 170, 60)])
def test_an_unreal_pose_stays_a_rotation_and_moves_points_alike(pitch: float, yaw: float, roll: float):
    pose = unreal_matrix(4, -3, 2, pitch=pitch, yaw=yaw, roll=roll)
    ours = from_unreal(pose)
    np.testing.assert_allclose(ours[:3, :3] @ ours[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(ours[:3, :3]) == pytest.approx(1)
    point = np.array([7.0, 1.0, -2.0, 1.0])
    np.testing.assert_allclose(
        ours @ (OURS_FROM_UNREAL @ point), OURS_FROM_UNREAL @ (pose @ point), atol=1e-12
    )


def test_unreal_yaw_turns_right_and_pitch_looks_up():
    # A camera at yaw 90 looks along Unreal's y, our x; pitch 90 looks up, against our y.
    assert from_unreal(unreal_matrix(0, 0, 0, yaw=90))[:3, 2] == pytest.approx([1, 0, 0], abs=1e-12)
    assert from_unreal(unreal_matrix(0, 0, 0, pitch=90))[:3, 2] == pytest.approx([0, -1, 0], abs=1e-12)


def test_flu_yaw_turns_left_and_pitch_looks_down():
    assert from_flu(flu_matrix((0, 0, 0), (0, 0, 90)))[:3, 2] == pytest.approx([-1, 0, 0], abs=1e-12)
    assert from_flu(flu_matrix((0, 0, 0), (0, 90, 0)))[:3, 2] == pytest.approx([0, 1, 0], abs=1e-12)


def test_the_same_box_by_unreal_and_by_flu():
    unreal = box_from_unreal(unreal_matrix(20, 3, 1, yaw=25))
    flu = box_from_flu(flu_matrix((20, -3, 1), (0, 0, -25)))
    np.testing.assert_allclose(unreal, flu, atol=1e-12)
    # Heading forward and a little right: KITTI's rotation_y is -90 degrees straight ahead, more turning right.
    assert yaw_of(unreal) == pytest.approx(np.radians(-90 + 25))


def test_yaw_of_a_box_comes_back():
    for yaw in np.linspace(-3, 3, 13):
        assert yaw_of(yaw_matrix((1, 2, 3), yaw)) == pytest.approx(yaw)


def test_a_standing_camera_says_how_it_stands():
    camera = a_camera(height_m=1.7, pitch_rad=0.12, roll_rad=-0.03)
    assert mounting(standing(camera)) == pytest.approx((1.7, 0.12, -0.03))
