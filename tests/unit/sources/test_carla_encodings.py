"""CARLA's sensor pictures: what they mean, and what is refused."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgen.datatypes import Tag
from worldgen.errors import SourceError
from worldgen.sources.carla.encodings import (
    decode_depth,
    decode_flow,
    decode_instance,
    decode_semantic,
    encode_depth,
    encode_flow,
    encode_instance,
    encode_semantic,
    paint_cityscapes,
)
from worldgen.sources.carla.tagtables import tag_table


def test_depth_follows_carlas_formula():
    # R + 256 G + 65536 B of 2^24 - 1, times 1000 m; pictures are BGR.
    bgr = np.array([[[0, 1, 0], [1, 0, 0], [128, 64, 3]]], np.uint8)
    expected = 1000 * np.array([256, 65536, 128 * 65536 + 64 * 256 + 3]) / (2**24 - 1)
    np.testing.assert_allclose(decode_depth(bgr)[0], expected, rtol=1e-6)


@given(st.lists(st.floats(0.001, 999.9), min_size=4, max_size=4))
def test_depth_survives_to_a_step(metres: list[float]):
    depth = np.array(metres, np.float32).reshape(2, 2)
    np.testing.assert_allclose(decode_depth(encode_depth(depth)), depth, atol=1000 / 2**24 + 1e-4)


def test_the_far_plane_is_infinite_and_alpha_is_ignored():
    depth = np.array([[5.0, np.inf], [1000.0, 2000.0]], np.float32)
    bgr = encode_depth(depth)
    bgra = np.dstack((bgr, np.full((2, 2), 77, np.uint8)))
    for picture in (bgr, bgra):
        assert np.isinf(decode_depth(picture)).tolist() == [[False, True], [True, True]]


@pytest.mark.parametrize("shape", [(40, 60, 3), (40, 60, 4), (40, 60)])
def test_grey_converter_dumps_are_not_metric(shape: tuple[int, ...]):
    ramp = np.broadcast_to(np.linspace(0, 255, 60).astype(np.uint8), (40, 60))
    grey = ramp if len(shape) == 2 else np.repeat(ramp[..., None], shape[2], axis=2)
    with pytest.raises(SourceError) as caught:
        decode_depth(grey)
    assert caught.value.code == "source.not_metric"
    assert "ColorConverter.Raw" in caught.value.hint


def test_a_frame_of_nothing_but_sky_is_still_metric():
    assert np.isinf(decode_depth(np.full((8, 8, 3), 255, np.uint8))).all()


def test_tags_of_the_three_lists():
    # "7" was road, became traffic light; "10" was vehicles, became terrain.
    assert tag_table("0.9.9")[7] == Tag.ROAD
    assert tag_table("0.9.13")[10] == Tag.CAR
    assert tag_table("0.9.13")[22] == Tag.TERRAIN
    assert tag_table("0.9.14")[7] == Tag.TRAFFIC_LIGHT
    assert tag_table("0.10.0")[14] == Tag.CAR


@pytest.mark.parametrize("version", ["", "latest", "0.7.1"])
def test_an_unknown_version_is_refused(version: str):
    with pytest.raises(SourceError) as caught:
        decode_semantic(encode_semantic(np.ones((2, 2), np.uint8)), version=version)
    assert caught.value.code == "source.unknown_version"


def test_a_tag_that_the_version_has_not_is_refused():
    with pytest.raises(SourceError) as caught:
        decode_semantic(encode_semantic(np.full((2, 2), 20, np.uint8)), version="0.9.9")
    assert caught.value.code == "source.bad_sensor"
    assert "20" in caught.value.message


def test_cityscapes_colours_are_recognised():
    tags = np.arange(30, dtype=np.uint8).reshape(5, 6)
    bgr = np.ascontiguousarray(paint_cityscapes(tags)[..., ::-1])
    np.testing.assert_array_equal(decode_semantic(bgr, version="0.9.15"), tags)


def test_scaled_colours_are_refused():
    tags = np.array([[1, 11], [14, 3]], np.uint8)
    blurred = cv2.resize(paint_cityscapes(tags), (9, 9), interpolation=cv2.INTER_LINEAR)
    with pytest.raises(SourceError) as caught:
        decode_semantic(np.ascontiguousarray(blurred[..., ::-1]), version="0.9.15")
    assert caught.value.code == "source.bad_sensor"


def test_instances_hold_sixteen_bits():
    ids = np.array([[0, 1], [256, 65535]], np.int32)
    tags = np.full((2, 2), Tag.CAR, np.uint8)
    back, seen = decode_instance(encode_instance(ids, tags))
    np.testing.assert_array_equal(back, ids)
    np.testing.assert_array_equal(seen, tags)
    with pytest.raises(ValueError, match="65535"):
        encode_instance(ids + 1, tags)


def test_flow_survives_to_a_step_of_kittis_png():
    flow = np.random.default_rng(0).uniform(-300, 300, (6, 5, 2)).astype(np.float32)
    png = cv2.imdecode(cv2.imencode(".png", encode_flow(flow))[1], cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(decode_flow(png), flow, atol=0.5 / 64 + 1e-5)


def test_raw_flow_is_in_shares_of_the_picture():
    raw = np.zeros((10, 20, 2), np.float32)
    raw[..., 0], raw[..., 1] = 0.5, -0.1
    assert decode_flow(raw)[0, 0].tolist() == pytest.approx([10.0, -1.0])


def test_the_colour_wheel_is_not_flow():
    with pytest.raises(SourceError) as caught:
        decode_flow(np.zeros((4, 4, 4), np.uint8))
    assert caught.value.code == "source.bad_sensor"
