"""Depth measured beside a clip."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.situations_recordings import a_camera, a_car, cast
from worldgen.errors import LabelError, SourceError
from worldgen.sources.carla.writer import standing
from worldgen.sources.sidecar import read_depth_sidecar

CAMERA = a_camera(64, 36)
# A LiDAR 0.3 m above the camera: x forward, y left, z up, as KITTI's.
CAMERA_FROM_LIDAR = np.array([[0, -1, 0, 0], [0, 0, -1, -0.3], [1, 0, 0, 0], [0, 0, 0, 1]], float)


@pytest.fixture(scope="module")
def depth() -> np.ndarray:
    return cast(CAMERA, standing(CAMERA), [a_car()]).depth_m


def points_of(depth: np.ndarray) -> np.ndarray:
    """Measure every pixel's point, in the LiDAR's axes."""
    v, u = np.nonzero(np.isfinite(depth) & (depth < 60))
    z = depth[v, u].astype(float)
    seen = np.stack(((u - CAMERA.cx) / CAMERA.fx * z, (v - CAMERA.cy) / CAMERA.fy * z, z), axis=1)
    return (seen - CAMERA_FROM_LIDAR[:3, 3]) @ CAMERA_FROM_LIDAR[:3, :3]


def refused(path: Path, frames: int = 2) -> LabelError | SourceError:
    with pytest.raises((LabelError, SourceError)) as caught:
        read_depth_sidecar(path, CAMERA, frames)
    return caught.value


def test_kitti_depth_pictures(tmp_path: Path, depth: np.ndarray):
    stored = np.where(np.isfinite(depth) & (depth < 255), depth * 256, 0).astype(np.uint16)
    for index in range(2):
        cv2.imwrite(str(tmp_path / f"{index:010d}.png"), stored)
    read = read_depth_sidecar(tmp_path, CAMERA, 2)
    known = stored > 0
    np.testing.assert_allclose(read[1][known], depth[known], atol=1 / 256 + 1e-4)
    assert np.isnan(read[1][~known]).all()


def test_dense_arrays(tmp_path: Path, depth: np.ndarray):
    np.savez(tmp_path / "depth.npz", depth=np.stack((depth, depth)))
    np.save(tmp_path / "depth.npy", np.stack((depth, depth)))
    for name in ("depth.npz", "depth.npy"):
        read = read_depth_sidecar(tmp_path / name, CAMERA, 2)
        np.testing.assert_array_equal(np.isnan(read[0]), np.isinf(depth))


@pytest.mark.parametrize("kind", ["npz", "bin", "npy"])
def test_lidar_lands_on_the_pixels_it_was_measured_at(tmp_path: Path, depth: np.ndarray, kind: str):
    points = points_of(depth)
    if kind == "npz":
        frame = np.repeat([0, 1], len(points))
        path = tmp_path / "lidar.npz"
        np.savez(path, points=np.tile(points, (2, 1)), frame=frame, camera_from_lidar=CAMERA_FROM_LIDAR)
    else:
        path = tmp_path
        for index in range(2):
            rows = np.hstack((points, np.zeros((len(points), 1)))).astype(np.float32)
            if kind == "bin":
                rows.tofile(path / f"{index:06d}.bin")
            else:
                np.save(path / f"{index:06d}.npy", rows)
        (path / "extrinsics.json").write_text(json.dumps({"camera_from_lidar": CAMERA_FROM_LIDAR.tolist()}))
    read = read_depth_sidecar(path, CAMERA, 2)
    near = np.isfinite(depth) & (depth < 60)
    np.testing.assert_allclose(read[1][near], depth[near], rtol=1e-3)
    assert np.isnan(read[1][~near]).all()


def test_the_nearest_of_two_points_counts(tmp_path: Path):
    points = np.array([[10.0, 0, -0.3], [5.0, 0, -0.3]])
    np.savez(tmp_path / "l.npz", points=points, frame=[0, 0], camera_from_lidar=CAMERA_FROM_LIDAR)
    read = read_depth_sidecar(tmp_path / "l.npz", CAMERA, 1)
    assert np.nanmin(read) == np.nanmax(read) == 5.0


def test_kittis_calibration_says_where_the_lidar_is(tmp_path: Path, depth: np.ndarray):
    points = points_of(depth)
    np.hstack((points, np.zeros((len(points), 1)))).astype("<f4").tofile(tmp_path / "000000.bin")
    rows = " ".join(str(v) for v in CAMERA_FROM_LIDAR[:3].ravel())
    (tmp_path / "calib.txt").write_text(f"R0_rect: 1 0 0 0 1 0 0 0 1\nTr_velo_to_cam: {rows}\n")
    read = read_depth_sidecar(tmp_path, CAMERA, 1)
    near = np.isfinite(depth) & (depth < 60)
    np.testing.assert_allclose(read[0][near], depth[near], rtol=1e-3)


def test_lidar_without_extrinsics_is_refused(tmp_path: Path):
    np.zeros((3, 4), np.float32).tofile(tmp_path / "000000.bin")
    assert refused(tmp_path, 1).code == "labels.bad_calibration"


def test_eight_bit_depth_is_not_metric(tmp_path: Path):
    for index in range(2):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((36, 64), 90, np.uint8))
    assert refused(tmp_path).code == "source.not_metric"


@pytest.mark.parametrize("shape", [(3, 36, 64), (2, 18, 32)])
def test_depth_of_another_clip_is_refused(tmp_path: Path, shape: tuple[int, ...]):
    np.savez(tmp_path / "d.npz", depth=np.ones(shape, np.float32))
    assert refused(tmp_path / "d.npz").code == "labels.other_source"


def test_pickles_are_never_opened(tmp_path: Path):
    np.savez(tmp_path / "d.npz", depth=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert refused(tmp_path / "d.npz").exit_code == 2


def test_no_such_file(tmp_path: Path):
    assert refused(tmp_path / "none").code == "labels.not_found"
