"""Relative depth of a network becomes metric on the road. (Loading one: tests/contract.)"""

import numpy as np
import pytest

from worldgen.controls.fake import flat_geometry
from worldgen.controls.network import with_network
from worldgen.controls.settings import DEFAULT_GEOMETRY
from worldgen.datatypes import Clip, Tag
from worldgen.errors import ExtractError
from worldgen.imaging.ground import inverse_ground_depth


def road_clip(frames: int = 3) -> Clip:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (frames, 72, 128, 3), dtype=np.uint8)
    return Clip(frames=pixels, timestamps_seconds=np.arange(frames) / 10, fps=10.0)


class Disparity:
    """Sees the true inverse depth, but with another scale and zero in every frame."""

    def __init__(self, inverse: np.ndarray) -> None:
        self.inverse = inverse

    def predict(self, clip: Clip, width: int, height: int) -> np.ndarray:
        assert (height, width) == self.inverse.shape
        return np.stack([(self.inverse - 0.01 * i) * (5 + i) for i in range(len(clip))]).astype(np.float32)


def test_relative_depth_becomes_metric_on_the_road() -> None:
    clip = road_clip(4)
    geometry = flat_geometry(clip)
    inverse = np.maximum(inverse_ground_depth(geometry.camera), 0.0)
    wall = np.zeros_like(inverse, np.bool_)
    wall[20:45, 10:30] = True
    inverse = np.where(wall, 1 / 8.0, inverse)
    geometry.tags[:, wall] = Tag.BUILDING
    geometry.depth_m[:, wall] = 300.0
    result = with_network(clip, geometry, Disparity(inverse), DEFAULT_GEOMETRY)
    assert result.origins.depth == "estimated"
    assert result.origins.scale == "assumed"
    assert np.median(result.depth_m[:, 25:40, 14:26]) == pytest.approx(8.0, rel=0.1)
    road = (geometry.tags[0] == Tag.ROAD) & (geometry.depth_m[0] < 20)
    assert np.median(np.abs(result.depth_m[1][road] / geometry.depth_m[1][road] - 1)) < 0.05
    assert np.isinf(result.depth_m[np.isinf(geometry.depth_m)]).all()
    assert "network" in result.notes[-1]


def test_a_network_that_sees_no_road_is_refused() -> None:
    clip = road_clip(2)
    geometry = flat_geometry(clip)
    upside_down = -np.maximum(inverse_ground_depth(geometry.camera), 0.0)
    with pytest.raises(ExtractError) as caught:
        with_network(clip, geometry, Disparity(upside_down), DEFAULT_GEOMETRY)
    assert caught.value.code == "extract.missing_geometry"
