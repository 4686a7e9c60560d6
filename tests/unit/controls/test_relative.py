"""Relative inverse depth is laid on the road; control videos give a relative geometry."""

from pathlib import Path

import numpy as np
import pytest

from worldgen.controls.densify import densified, has_holes
from worldgen.controls.passed import geometry_of_control, passed_control
from worldgen.controls.relative import fit_to_road, horizon_of_relative, road_prior
from worldgen.controls.settings import DEFAULT_GEOMETRY
from worldgen.datatypes import Camera, Clip, Geometry, Origins, Source
from worldgen.errors import SourceError
from worldgen.imaging.ground import horizon_row, inverse_ground_depth
from worldgen.media.video import write_lossless

CAMERA = Camera(width=160, height=90, fx=140, fy=140, cx=79.5, cy=44.5, height_m=1.4, pitch_rad=0.05)


def scene(camera: Camera = CAMERA) -> tuple[np.ndarray, np.ndarray]:
    """A road to the horizon, a wall 12 m away on the left, sky above: depth and its inverse."""
    inverse = np.maximum(inverse_ground_depth(camera), 0.0)
    columns = np.arange(camera.width)[None, :] < 40
    rows = np.arange(camera.height)[:, None]
    wall = columns & (rows > 10) & (inverse < 1 / 12)
    inverse = np.where(wall, 1 / 12, inverse)
    with np.errstate(divide="ignore"):
        depth = np.where(inverse > 1e-4, 1.0 / inverse, np.inf)
    return depth.astype(np.float32), inverse.astype(np.float32)


def test_scale_and_shift_are_found_though_things_stand_on_the_road() -> None:
    _, inverse = scene()
    relative = ((inverse - 0.02) / 3.0)[None].astype(np.float32)
    road = road_prior(90, 160)[None]
    relative[0, 60:70, 60:80] += 0.05
    fit = fit_to_road(relative, road, CAMERA)
    assert fit is not None
    assert fit.scale == pytest.approx(3.0, rel=0.02)
    assert fit.shift == pytest.approx(0.02, abs=0.002)
    assert fit.residual < 0.01


def test_an_upside_down_depth_does_not_fit() -> None:
    _, inverse = scene()
    assert fit_to_road(-inverse[None], road_prior(90, 160)[None], CAMERA) is None
    assert fit_to_road(inverse[None], np.zeros((1, 90, 160), np.bool_), CAMERA) is None


def test_the_horizon_is_where_inverse_depth_ends() -> None:
    _, inverse = scene()
    found = horizon_of_relative(inverse[None], road_prior(90, 160)[None])
    assert found == pytest.approx(horizon_row(CAMERA), abs=0.5)


def control_source(path: Path, frames: int) -> Source:
    return Source(
        kind="controls",
        uri=str(path),
        sha256="0" * 64,
        video=None,
        frames=frames,
        width=160,
        height=90,
        fps=10.0,
        sensors={"depth": str(path)},
    )


def test_a_depth_control_gives_relative_geometry_and_says_so(tmp_path: Path) -> None:
    depth, inverse = scene()
    grey = np.rint(255 * inverse / inverse.max()).astype(np.uint8)
    frames = np.repeat(np.repeat(grey[None, :, :, None], 3, axis=0), 3, axis=-1)
    path = tmp_path / "depth.mkv"
    write_lossless(path, frames, fps=10.0)
    source = control_source(path, 3)
    geometry = geometry_of_control(path, source, DEFAULT_GEOMETRY)
    assert geometry.origins.depth == "sidecar"
    assert geometry.origins.scale == "assumed"
    assert not geometry.is_metric
    assert geometry.scale_interval[0] < 1 < geometry.scale_interval[1]
    assert "relative" in geometry.notes[0]
    # The shape is right up to one factor: the assumed lens and height are not the true ones.
    near = np.isfinite(geometry.depth_m[0]) & np.isfinite(depth) & (depth < 40)
    ratio = geometry.depth_m[0][near] / depth[near]
    assert np.median(np.abs(ratio / np.median(ratio) - 1)) < 0.05
    assert np.isinf(geometry.depth_m[0][0, 100])
    ref = passed_control("depth", path, source)
    assert ref.video.frames == 3
    with pytest.raises(SourceError) as caught:
        passed_control("depth", path, control_source(path, 4))
    assert caught.value.code == "source.count_mismatch"


def plain_clip(frames: int = 2) -> Clip:
    picture = np.zeros((90, 160, 3), np.uint8)
    depth, inverse = scene()
    picture[...] = (60 + 400 * np.minimum(inverse, 0.3))[..., None].astype(np.uint8)
    picture[np.isinf(depth)] = (200, 220, 255)
    picture[:, :40][inverse[:, :40] == np.float32(1 / 12)] = (150, 80, 60)
    return Clip(
        frames=np.repeat(picture[None], frames, axis=0), timestamps_seconds=np.arange(frames) / 10, fps=10.0
    )


@pytest.mark.parametrize("share", [0.01, 0.7])
def test_measured_points_become_dense_and_keep_their_metres(share: float) -> None:
    depth, _ = scene()
    rng = np.random.default_rng(1)
    holes = np.where(rng.random((2, 90, 160)) < share, depth[None], np.nan).astype(np.float32)
    holes[:, :8] = np.nan
    sidecar = Origins(depth="sidecar", scale="sidecar", camera="sidecar")
    measured = Geometry(depth_m=holes, origins=sidecar, camera=CAMERA)
    # An estimate with the right shape, the wrong scale, and a slow warp.
    rough = (depth * (1.4 + 0.2 * np.sin(np.arange(160) / 25.0))).astype(np.float32)
    estimated = Geometry(
        depth_m=np.stack([rough, rough]), origins=Origins(depth="assumed", scale="assumed"), camera=CAMERA
    )
    assert has_holes(measured)
    assert not has_holes(estimated)
    full = densified(measured, estimated, plain_clip())
    assert not np.isnan(full.depth_m).any()
    assert full.origins.depth == "sidecar"
    assert full.is_metric
    near = np.isfinite(depth) & (depth < 30) & np.isfinite(full.depth_m[0])
    error = np.abs(full.depth_m[0][near] / depth[near] - 1)
    assert np.median(error) < (0.04 if share < 0.5 else 0.001)
    assert f"{100 * float((~np.isnan(holes)).mean()):.1f}%" in full.notes[-1]
    rough_error = np.abs(rough[near] / depth[near] - 1)
    assert np.median(error) < 0.2 * np.median(rough_error)
