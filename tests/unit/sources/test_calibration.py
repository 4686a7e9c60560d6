"""Calibrations of several makers, and calibrations that cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

from worldgen.datatypes import Camera
from worldgen.errors import LabelError
from worldgen.imaging.projection import project
from worldgen.sources.calibration import ftheta_camera, read_calibration, write_calibration

KITTI = """P0: 7.215377e+02 0 6.095593e+02 0 0 7.215377e+02 1.728540e+02 0 0 0 1 0
P2: 7.215377e+02 0 6.095593e+02 4.485728e+01 0 7.215377e+02 1.728540e+02 2.163791e-01 0 0 1 2.745884e-03
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0
"""


def saved(folder: Path, value: object, name: str = "camera.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def refused(path: Path, **size: int) -> LabelError:
    with pytest.raises(LabelError) as caught:
        read_calibration(path, **size)
    assert caught.value.exit_code == 2
    return caught.value


def test_ours_comes_back(tmp_path: Path):
    camera = Camera(
        width=640, height=360, fx=500, fy=501, cx=320, cy=180, distortion=(-0.1, 0.01), pitch_rad=0.1
    )
    write_calibration(camera, tmp_path / "camera.json")
    assert read_calibration(tmp_path / "camera.json") == camera


def test_kitti(tmp_path: Path):
    camera = read_calibration(saved(tmp_path, KITTI, "calib.txt"), width=1242, height=375)
    assert (camera.width, camera.height) == (1242, 375)
    assert (camera.fx, camera.cx, camera.cy) == pytest.approx((721.5377, 609.5593, 172.854))


def test_nuscenes_with_its_mounting(tmp_path: Path):
    # Camera axes from FLU: looking ahead, tilted 0.1 rad down.
    half = 0.1 / 2
    level = np.array([0.5, -0.5, 0.5, -0.5])
    tilt = np.array([np.cos(half), -np.sin(half), 0, 0])  # about the camera's x axis

    def times(a: np.ndarray, b: np.ndarray) -> list[float]:
        w = a[0] * b[0] - a[1:] @ b[1:]
        return [float(w), *(float(v) for v in a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]))]

    value = {
        "camera_intrinsic": [[1266.4, 0, 816.3], [0, 1266.4, 491.5], [0, 0, 1]],
        "translation": [1.7, 0.0, 1.51],
        "rotation": times(level, tilt),
    }
    camera = read_calibration(saved(tmp_path, value), width=1600, height=900)
    assert camera.height_m == 1.51
    assert camera.pitch_rad == pytest.approx(0.1)
    assert camera.roll_rad == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("kind", "model"), [("plumb_bob", "pinhole"), ("equidistant", "fisheye")])
def test_ros_camera_info(tmp_path: Path, kind: str, model: str):
    text = f"""image_width: 640
image_height: 480
camera_matrix: {{rows: 3, cols: 3, data: [400, 0, 320, 0, 400, 240, 0, 0, 1]}}
distortion_model: {kind}
distortion_coefficients: {{rows: 1, cols: 4, data: [-0.02, 0.001, 0.0, 0.0]}}
"""
    camera = read_calibration(saved(tmp_path, text, "camera.yaml"))
    assert (camera.model, camera.width, camera.distortion[0]) == (model, 640, -0.02)


def test_ftheta_both_ways_round(tmp_path: Path):
    forward = (0.0, 900.0, 5.0, -20.0)
    size = {"width": 1920, "height": 1208, "cx": 960.0, "cy": 604.0}
    angles = np.linspace(0, 1.1, 200)
    radii = np.polynomial.polynomial.polyval(angles, forward)
    backward = np.linalg.lstsq(np.stack([radii**k for k in range(1, 6)], 1), angles, rcond=None)[0]
    one = ftheta_camera(polynomial=forward, **size)
    value = {**size, "polynomial": [0.0, *backward.tolist()], "polynomial_type": "pixel_to_angle"}
    other = read_calibration(saved(tmp_path, value))
    points = np.stack((np.sin(angles), 0 * angles, np.cos(angles)), axis=1)[:160] * 10
    np.testing.assert_allclose(project(points, other)[0], project(points, one)[0], atol=0.2)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"width": 64, "height": 36}, "fx, fy, cx, cy"),
        ({"width": 64, "height": 36, "fx": -5, "fy": 5, "cx": 32, "cy": 18}, "focal"),
        ({"width": 64, "height": 36, "fx": 50, "fy": 50, "cx": 900, "cy": 18}, "far outside"),
        (
            {"width": 64, "height": 36, "fx": 20, "fy": 20, "cx": 32, "cy": 18, "distortion": [-1.0]},
            "folds back",
        ),
        ({"width": 64, "height": 36, "fx": "wide", "fy": 50, "cx": 32, "cy": 18}, "fx"),
        ({"camera_intrinsic": [[1, 0], [0, 1]]}, "3 x 3"),
        ({"camera_matrix": [1, 2], "image_width": 4, "image_height": 4}, "9 numbers"),
        ({"cx": 1, "cy": 1, "width": 9, "height": 9, "polynomial": [0, -3]}, "rise"),
        ("not { json", "JSON"),
        ("[1, 2]", "object"),
    ],
)
def test_what_cannot_be_a_camera_is_refused(tmp_path: Path, value: object, says: str):
    error = refused(saved(tmp_path, value))
    assert error.code == "labels.bad_calibration"
    assert says in error.message


def test_a_calibration_without_a_size_needs_the_clips(tmp_path: Path):
    assert "width" in refused(saved(tmp_path, KITTI, "calib.txt")).message


def test_no_such_file(tmp_path: Path):
    assert refused(tmp_path / "none.json").code == "labels.not_found"
