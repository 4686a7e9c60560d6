"""Flow, tracks, ego motion, ground plane, sky and edge-aware spreading, on pictures whose truth is known."""

import cv2
import numpy as np
import pytest

from worldgen.datatypes import Camera
from worldgen.imaging.egomotion import estimate_motion, inverse_depth_from_flow, rays_of
from worldgen.imaging.flow import DenseFlow, pull
from worldgen.imaging.ground import (
    ground_depth,
    ground_normal,
    horizon_row,
    inverse_ground_depth,
    pitch_for_horizon,
)
from worldgen.imaging.sky import sky_mask
from worldgen.imaging.spread import spread, upsample_along
from worldgen.imaging.tracks import corners, follow

CAMERA = Camera(width=320, height=180, fx=280, fy=280, cx=159.5, cy=89.5, height_m=1.5, pitch_rad=0.04)


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.resize(
        rng.integers(20, 235, (height // 6, width // 6), dtype=np.uint8),
        (width, height),
        interpolation=cv2.INTER_CUBIC,
    )


def test_the_ground_plane_and_its_horizon_agree() -> None:
    depth = ground_depth(CAMERA, far_m=1e4)
    row = 150
    rays = rays_of(CAMERA, np.array([200.0], np.float32), np.array([row], np.float32))
    assert depth[row, 200] * float(rays[0] @ ground_normal(CAMERA)) == pytest.approx(
        CAMERA.height_m, rel=1e-4
    )
    edge = horizon_row(CAMERA)
    inverse = inverse_ground_depth(CAMERA)
    assert inverse[int(np.floor(edge)), 0] <= 0 < inverse[int(np.ceil(edge)) + 1, 0]
    level = CAMERA.model_copy(update={"pitch_rad": pitch_for_horizon(CAMERA, 70.0)})
    assert horizon_row(level) == pytest.approx(70.0)


def test_a_rolled_camera_tilts_its_horizon() -> None:
    rolled = CAMERA.model_copy(update={"roll_rad": 0.1})
    assert horizon_row(rolled, 300) < horizon_row(rolled, 20)


def test_flow_finds_a_shift_and_pull_undoes_it() -> None:
    first = texture(120, 200)
    second = np.roll(first, (2, 5), axis=(0, 1))
    flow = DenseFlow("fast")(first, second)
    inner = flow[20:-20, 20:-20]
    assert np.median(inner[..., 0]) == pytest.approx(5.0, abs=0.3)
    assert np.median(inner[..., 1]) == pytest.approx(2.0, abs=0.3)
    back = pull(second.astype(np.float32), flow)
    assert np.abs(back - first)[20:-20, 20:-20].mean() < 4.0
    assert not DenseFlow()(first[:8, :8].copy(), first[:8, :8].copy()).any()


def test_points_are_followed_to_a_fraction_of_a_pixel() -> None:
    first = texture(180, 320)
    shift = np.float32([[1, 0, 3.4], [0, 1, -1.7]])
    second = cv2.warpAffine(first, shift, (320, 180), borderMode=cv2.BORDER_REFLECT)
    matches = follow(first, second, corners(first, count=200))
    assert len(matches) > 80
    assert np.median(np.abs(matches.flow - (3.4, -1.7))) < 0.1
    assert len(follow(first, second, np.zeros((0, 2), np.float32))) == 0


def moving_points(
    rng: np.random.Generator, count: int = 600
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Static points seen before and after a known motion: pixels, flow, depth, (rotation, travel)."""
    pixels = np.stack([rng.uniform(5, 315, count), rng.uniform(5, 175, count)], axis=1).astype(np.float32)
    depth = rng.uniform(6, 60, count)
    points = rays_of(CAMERA, pixels[:, 0], pixels[:, 1]) * depth[:, None]
    rotation = cv2.Rodrigues(np.array([0.004, -0.012, 0.003]))[0]
    travel = 0.8 * np.array([0.05, -0.02, 1.0]) / np.linalg.norm([0.05, -0.02, 1.0])
    after = (points - travel) @ rotation.T
    second = after[:, :2] / after[:, 2:] * CAMERA.fx + (CAMERA.cx, CAMERA.cy)
    return pixels, (second - pixels).astype(np.float32), depth, np.concatenate([rotation.ravel(), travel])


def test_motion_is_found_among_moving_things_and_depth_follows() -> None:
    rng = np.random.default_rng(3)
    pixels, flow, depth, _truth = moving_points(rng)
    flow = flow + rng.normal(0, 0.1, flow.shape).astype(np.float32)
    wild = rng.random(len(flow)) < 0.25
    flow[wild] += rng.uniform(-8, 8, (int(wild.sum()), 2)).astype(np.float32)
    motion, parameters = estimate_motion(pixels, flow, CAMERA, prior=np.zeros(2), prior_px=80.0)
    x, y = motion.focus(CAMERA)
    assert x == pytest.approx(CAMERA.cx + 0.05 * CAMERA.fx, abs=3.0)
    assert y == pytest.approx(CAMERA.cy - 0.02 * CAMERA.fy, abs=3.0)
    assert np.degrees(parameters[:3]) == pytest.approx(np.degrees([0.004, -0.012, 0.003]), abs=0.1)
    assert 0.6 < motion.inliers < 0.95
    field = np.zeros((180, 320, 2), np.float32)
    column, row = pixels[:, 0].astype(int), pixels[:, 1].astype(int)
    field[row, column] = flow
    inverse, sigma, misfit = inverse_depth_from_flow(field, CAMERA, motion)
    seen = ~wild & (sigma[row, column] < 0.02)
    ratio = 0.8 / inverse[row, column][seen] / depth[seen]
    assert np.median(np.abs(ratio - 1)) < 0.12
    assert np.median(misfit[row, column][~wild]) < 0.5 < np.median(misfit[row, column][wild])


def test_sky_is_found_behind_wires_and_not_on_white_walls() -> None:
    picture = np.empty((180, 320, 3), np.uint8)
    picture[:] = (110, 112, 110)
    rows = np.linspace(0, 1, 100)[:, None, None]
    picture[:100] = np.array([150, 180, 235]) + rows * np.array([60, 50, 10])
    rng = np.random.default_rng(0)
    wall = rng.integers(150, 250, (70, 60, 1), dtype=np.uint8)
    picture[40:110, 200:260] = wall
    cv2.line(picture, (0, 20), (319, 70), (40, 40, 40), 1)
    mask = sky_mask(picture, horizon=100)
    assert mask[:30, :190].mean() > 0.95
    assert mask[75:95, 20:190].mean() > 0.95
    assert mask[45:100, 205:255].mean() < 0.05
    assert not mask[100:].any()
    assert mask[35, 20] or mask[36, 20]


def test_a_dark_indoor_picture_has_no_sky() -> None:
    picture = texture(180, 320)[..., None] // np.uint8(4) * np.ones(3, np.uint8)
    assert not sky_mask(picture, horizon=90).any()


def test_sparse_values_fill_surfaces_and_stop_at_edges() -> None:
    guide = np.zeros((1, 40, 60, 3), np.uint8)
    guide[:, :, 30:] = 200
    values, trust = np.zeros((1, 40, 60), np.float32), np.zeros((1, 40, 60), np.float32)
    values[0, 20, 10], trust[0, 20, 10] = 1.0, 1.0
    values[0, 5, 50], trust[0, 5, 50] = 3.0, 1.0
    filled = spread(values, trust, guide)
    assert filled[0, :, :29] == pytest.approx(1.0, abs=0.05)
    assert filled[0, :, 31:] == pytest.approx(3.0, abs=0.05)


def test_constants_survive_spreading_and_upsampling() -> None:
    rng = np.random.default_rng(0)
    guide = rng.integers(0, 255, (2, 30, 50, 3), dtype=np.uint8)
    trust = rng.random((2, 30, 50)).astype(np.float32)
    assert spread(np.full((2, 30, 50), 7.0, np.float32), trust, guide) == pytest.approx(7.0, rel=1e-3)
    small, large = rng.random((30, 50)).astype(np.float32), rng.random((90, 150)).astype(np.float32)
    assert upsample_along(np.full((30, 50), 2.0, np.float32), 255 * small, 255 * large) == pytest.approx(
        2.0, abs=1e-3
    )


def test_upsampling_puts_the_edge_where_the_picture_has_it() -> None:
    luma = np.full((120, 160), 40.0, np.float32)
    luma[:, 83:] = 200.0
    small = cv2.resize(luma, (40, 30), interpolation=cv2.INTER_AREA)
    values = np.where(small > 120, 1.0, 0.0).astype(np.float32)
    large = upsample_along(values, small, luma)
    assert (large[:, 76:83] < 0.3).all()
    assert (large[:, 83:90] > 0.7).all()
