"""Control maps are pure functions in the models' conventions."""

import cv2
import numpy as np
import pytest

from worldgen.controls.blur import BLUR_FACTORS, blurred
from worldgen.controls.depth import depth_control, inverse_depth_picture
from worldgen.controls.edge import EDGE_THRESHOLDS, edge_control, edges_of
from worldgen.controls.make import make_control
from worldgen.controls.seg import colour_instances, instance_palette, seg_control, tag_palette
from worldgen.controls.settings import PRESETS, ControlSettings, EdgeSettings, SegSettings
from worldgen.datatypes import Camera, Clip, Geometry, Origins, Tag
from worldgen.datatypes.tags import CITYSCAPES
from worldgen.errors import ExtractError


def noisy_clip(frames: int = 3, size: tuple[int, int] = (96, 64)) -> Clip:
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 255, (frames, 8, 12, 3), dtype=np.uint8)
    pixels = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in coarse])
    return Clip(frames=pixels, timestamps_seconds=np.arange(frames) / 10, fps=10.0)


def geometry_of(
    depth_m: np.ndarray, tags: np.ndarray | None = None, instances: np.ndarray | None = None
) -> Geometry:
    _, height, width = depth_m.shape
    camera = Camera(width=width, height=height, fx=80, fy=80, cx=width / 2, cy=height / 2)
    has = {"tags": "simulator"} if tags is not None else {}
    if instances is not None:
        has["instances"] = "simulator"
    origins = Origins(depth="simulator", scale="simulator", **has)
    return Geometry(
        depth_m=depth_m.astype(np.float32), origins=origins, camera=camera, tags=tags, instances=instances
    )


@pytest.mark.parametrize(
    ("preset", "low", "high"),
    [
        ("very_low", 20, 50),
        ("low", 50, 100),
        ("medium", 100, 200),
        ("high", 200, 300),
        ("very_high", 300, 400),
    ],
)
def test_edge_presets_are_the_vendors_thresholds(preset: str, low: int, high: int) -> None:
    assert EDGE_THRESHOLDS[preset] == (low, high)
    frame = noisy_clip().frames[0]
    expected = cv2.Canny(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), low, high)
    np.testing.assert_array_equal(edges_of(frame, preset), expected)


def test_a_stronger_edge_preset_keeps_fewer_edges() -> None:
    frame = noisy_clip().frames[0]
    counts = [int((edges_of(frame, preset) > 0).sum()) for preset in PRESETS]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_edges_are_white_on_black_and_leave_out_the_sky() -> None:
    clip = noisy_clip()
    sky = np.zeros(clip.frames.shape[:3], np.bool_)
    sky[:, :30] = True
    control = edge_control(clip, preset="very_low", sky=sky)
    assert set(np.unique(control.frames)) == {0, 255}
    assert control.frames.shape == clip.frames.shape
    assert not control.frames[:, :30].any()
    assert control.frames[:, 30:].any()
    assert dict(control.parameters)["sky"] == "masked"


def test_edge_control_knows_sky_from_tags_and_origin_from_the_simulator() -> None:
    clip = noisy_clip()
    tags = np.full(clip.frames.shape[:3], Tag.SKY, np.uint8)
    geometry = geometry_of(np.ones(clip.frames.shape[:3]), tags)
    control = make_control("edge", clip, geometry, ControlSettings(edge=EdgeSettings(preset="very_low")))
    assert not control.frames.any()
    assert control.origin == "simulator"
    assert make_control("edge", clip, None).origin == "estimated"


def test_blur_presets_go_down_and_up_and_keep_colours() -> None:
    assert BLUR_FACTORS == {"very_low": 4, "low": 4, "medium": 10, "high": 16, "very_high": 16}
    frame = np.full((72, 128, 3), (200, 30, 90), np.uint8)
    np.testing.assert_allclose(blurred(frame, "high"), frame, atol=1)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    spread = [float(blurred(noise, preset).std()) for preset in ("very_low", "medium", "very_high")]
    assert noise.std() > spread[0] > spread[1] > spread[2]


def test_depth_control_is_inverse_near_bright_and_stretched_over_the_clip() -> None:
    depth = np.full((2, 4, 4), np.inf, np.float32)
    depth[0, 2], depth[1, 2], depth[1, 3] = 10.0, 5.0, 2.0
    picture = inverse_depth_picture(depth)
    assert picture[0, 0, 0] == 0  # sky
    assert picture[1, 3, 0] == 255  # the nearest of the whole clip
    assert picture[0, 2, 0] == round(255 * (1 / 10) / (1 / 2))
    assert picture[1, 2, 0] == round(255 * (1 / 5) / (1 / 2))


def test_depth_control_clips_at_a_tenth_of_a_metre() -> None:
    depth = np.array([[[0.01, 0.1, 1.0, 10.0]]], np.float32)
    picture = inverse_depth_picture(depth)[0, 0]
    assert picture[0] == picture[1] == 255
    assert picture[2] == round(255 * (1 - 0.1) / (10 - 0.1))
    assert picture[3] == 0


def test_a_flat_depth_makes_no_division_by_zero() -> None:
    assert not inverse_depth_picture(np.full((1, 2, 2), 7.0, np.float32)).any()


def test_segmentation_uses_cityscapes_colours_by_tag() -> None:
    tags = np.array([[[Tag.ROAD, Tag.SKY], [Tag.CAR, 255]]], np.uint8)
    control = seg_control(geometry_of(np.ones((1, 2, 2)), tags))
    assert control.frames[0, 0, 0].tolist() == [128, 64, 128]
    assert control.frames[0, 0, 1].tolist() == [70, 130, 180]
    assert control.frames[0, 1, 0].tolist() == [0, 0, 142]
    assert control.frames[0, 1, 1].tolist() == [0, 0, 0]
    assert len(CITYSCAPES) == 30
    assert not tag_palette()[30:].any()


def test_instance_colours_are_those_of_carlas_client() -> None:
    expected = np.random.default_rng(20260826).integers(48, 256, size=(1 << 16, 3))
    palette = instance_palette()
    assert palette[0].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(palette[1:], expected[1:])
    painted = colour_instances(np.array([[[0, 7, 65536 + 7]]], np.int32))
    np.testing.assert_array_equal(painted[0, 0, 1], painted[0, 0, 2])
    assert painted[0, 0, 1].min() >= 48


def test_what_cannot_be_made_is_a_typed_error() -> None:
    bare = geometry_of(np.ones((1, 2, 2)))
    for kind, clip, geometry in (
        ("edge", None, bare),
        ("blur", None, bare),
        ("depth", noisy_clip(), None),
        ("seg", noisy_clip(), bare),
        ("wsm", noisy_clip(), bare),
    ):
        with pytest.raises(ExtractError) as caught:
            make_control(kind, clip, geometry)
        assert caught.value.code == "extract.missing_geometry"
    tags = np.zeros((1, 2, 2), np.uint8)
    with pytest.raises(ExtractError, match="instance"):
        make_control(
            "seg",
            None,
            geometry_of(np.ones((1, 2, 2)), tags),
            ControlSettings(seg=SegSettings(palette="instances")),
        )


def test_depth_control_carries_the_origin_of_its_depth() -> None:
    assert depth_control(geometry_of(np.ones((1, 2, 2)))).origin == "simulator"
