"""Rays and pixels are inverse to each other, for every lens."""

import cv2
import numpy as np
import pytest

from worldgen.datatypes import Camera
from worldgen.imaging.projection import horizontal_field_of_view, project, rays, unproject

PINHOLE = Camera(width=256, height=144, fx=200, fy=200, cx=127.5, cy=71.5)
BROWN = Camera(
    width=320, height=180, fx=225, fy=228, cx=162, cy=88, distortion=(-0.3, 0.1, 0.001, -0.002, -0.01)
)
FISHEYE = Camera(
    model="fisheye",
    width=320,
    height=240,
    fx=88,
    fy=88,
    cx=160,
    cy=120,
    distortion=(0.02, -0.01, 0.003, -0.0005),
)
FTHETA = Camera(
    model="ftheta", width=480, height=302, fx=232, fy=232, cx=240, cy=151, distortion=(0, 232, 2.5, -5, 0.8)
)
CAMERAS = pytest.mark.parametrize(
    "camera", [PINHOLE, BROWN, FISHEYE, FTHETA], ids=["pinhole", "brown", "fisheye", "ftheta"]
)


@CAMERAS
def test_every_pixel_comes_back(camera: Camera):
    directions = rays(camera)
    seen = np.isfinite(directions).all(axis=-1)
    assert seen.mean() > 0.95
    assert np.abs(np.linalg.norm(directions[seen], axis=-1) - 1).max() < 1e-6
    uv, in_front = project(directions.astype(np.float64) * 7.3, camera)
    pixels = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1)
    assert in_front[seen].all()
    assert np.abs(uv - pixels)[seen].max() < 0.01


@CAMERAS
def test_scaling_a_camera_scales_its_pixels(camera: Camera):
    points = np.random.default_rng(0).uniform((-3, -2, 5), (3, 2, 20), (50, 3))
    half = camera.scaled(camera.width // 2, camera.height // 2)
    whole_uv, half_uv = project(points, camera)[0], project(points, half)[0]
    np.testing.assert_allclose(half_uv + 0.5, (whole_uv + 0.5) / 2, atol=1e-9)


def test_brown_agrees_with_opencv():
    points = np.random.default_rng(1).uniform((-3, -2, 4), (3, 2, 20), (60, 3))
    matrix = np.array([[BROWN.fx, 0, BROWN.cx], [0, BROWN.fy, BROWN.cy], [0, 0, 1]])
    theirs, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(BROWN.distortion))
    np.testing.assert_allclose(project(points, BROWN)[0], theirs[:, 0], atol=1e-9)


def test_fisheye_agrees_with_opencv():
    points = np.random.default_rng(1).uniform((-9, -6, 1), (9, 6, 20), (60, 3))
    matrix = np.array([[FISHEYE.fx, 0, FISHEYE.cx], [0, FISHEYE.fy, FISHEYE.cy], [0, 0, 1]])
    theirs, _ = cv2.fisheye.projectPoints(
        points[:, None], np.zeros(3), np.zeros(3), matrix, np.array(FISHEYE.distortion)
    )
    np.testing.assert_allclose(project(points, FISHEYE)[0], theirs[:, 0], atol=1e-9)


def test_what_is_behind_is_not_in_front():
    _, in_front = project(np.array([[0, 0, 5.0], [0, 0, -5.0], [1, 1, 0.0]]), PINHOLE)
    assert in_front.tolist() == [True, False, False]


def test_a_fold_of_the_distortion_is_not_in_front():
    # Far outside the picture this lens folds back into it: such points must not count as seen.
    uv, in_front = project(np.array([[8.0, 0, 1.0]]), BROWN.model_copy(update={"distortion": (-0.3,)}))
    assert not in_front[0], uv


def test_field_of_view():
    camera = Camera(width=1280, height=720, fx=640, fy=640, cx=639.5, cy=359.5)
    assert np.degrees(horizontal_field_of_view(camera)) == pytest.approx(90)


def test_pixels_need_not_be_whole():
    uv = np.array([[10.25, 20.75]])
    np.testing.assert_allclose(project(unproject(uv, BROWN) * 3, BROWN)[0], uv, atol=1e-9)
