"""Opening: pictures, control videos, and what lies beside a clip."""

import json

import numpy as np
import pytest

from tests.situations import (
    COLOURS,
    COUNT,
    colours_of,
    encode,
    good_clip,
    number_of,
    painted,
    picture_folder,
    write_picture,
)
from worldgen.datatypes import Camera, Condition
from worldgen.errors import LabelError, SourceError, SpecError
from worldgen.media.limits import Limits
from worldgen.sources.controls_only import kind_of, read_control
from worldgen.sources.open import open_source, read_source_clip, read_source_geometry


def a_camera(width=96, height=64):
    return Camera(width=width, height=height, fx=80, fy=80, cx=width / 2 - 0.5, cy=height / 2 - 0.5)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
def test_pictures_are_frames_in_natural_order(tmp_path, suffix):
    folder = picture_folder(tmp_path, suffix=suffix)
    (folder / ".hidden.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("frame12 comes after frame2")
    clip = read_source_clip(open_source(folder, fps=12.5))
    assert [number_of(frame) for frame in clip.frames] == list(range(COUNT))
    assert (clip.fps, clip.timestamps_seconds[-1]) == (12.5, pytest.approx(11 / 12.5))
    worst = max(np.abs(colours_of(f).astype(int) - COLOURS).max() for f in clip.frames)
    assert worst <= (0 if suffix != ".jpg" else 6)


def test_pictures_of_two_sizes_are_refused(tmp_path):
    folder = picture_folder(tmp_path)
    write_picture(folder / "frame7.png", painted(1, 64, 64)[0])
    with pytest.raises(SourceError) as refused:
        open_source(folder, fps=10)
    assert refused.value.code == "source.mixed_sizes"
    assert "frame7.png" in refused.value.message


@pytest.mark.parametrize("damage", [b"", b"no picture at all", None])
def test_a_damaged_picture_is_named(tmp_path, damage):
    folder = picture_folder(tmp_path)
    content = (folder / "frame5.png").read_bytes()
    (folder / "frame5.png").write_bytes(content[: len(content) // 2] if damage is None else damage)
    with pytest.raises(SourceError) as refused:
        read_source_clip(open_source(folder, fps=10))
    assert refused.value.code in ("source.damaged", "source.empty")
    assert "frame5.png" in refused.value.message


def test_a_picture_bomb_is_refused_by_its_header(tmp_path):
    folder = picture_folder(tmp_path)
    for picture in folder.iterdir():
        content = bytearray(picture.read_bytes())
        content[16:24] = (60000).to_bytes(4, "big") * 2
        picture.write_bytes(content)
    with pytest.raises(SourceError) as refused:
        open_source(folder, fps=10)
    assert refused.value.code == "source.too_large"


def test_too_many_pictures_are_refused(tmp_path):
    with pytest.raises(SourceError) as refused:
        open_source(picture_folder(tmp_path), fps=10, limits=Limits(max_frames=11))
    assert refused.value.code == "source.too_large"


def test_a_rate_that_contradicts_the_file_is_refused(tmp_path):
    path = good_clip(tmp_path)
    assert open_source(path, fps=10).fps == 10
    with pytest.raises(SourceError) as refused:
        open_source(path, fps=25)
    assert refused.value.code == "source.count_mismatch"


@pytest.mark.parametrize(
    ("stem", "kind"),
    [
        ("depth", "depth"),
        ("street_depth_720p", "depth"),
        ("depth_camera_front_wide_120fov", "depth"),
        ("junction_wsm_720p_10fps", "wsm"),
        ("seg-front", "seg"),
        ("EDGE", "edge"),
        ("vis", "blur"),
        ("hdmap", "wsm"),
        ("in_depth_edge_study", None),
        ("rgb_camera_front", None),
        ("seguro", None),
    ],
)
def test_control_kinds_are_read_from_names(stem, kind):
    assert kind_of(stem) == kind


def test_control_videos_are_a_source_of_their_own(tmp_path):
    for kind in ("depth", "seg"):
        encode(tmp_path / f"{kind}.mp4", painted())
    source = open_source(tmp_path)
    assert (source.kind, source.video, set(source.sensors)) == ("controls", None, {"depth", "seg"})
    assert [number_of(frame) for frame in read_control(source, "seg").frames] == list(range(COUNT))
    with pytest.raises(SourceError) as refused:
        read_control(source, "wsm")
    assert refused.value.code == "source.missing_sensor"
    assert set(open_source(tmp_path, control="seg").sensors) == {"seg"}


def test_a_calibration_is_scaled_to_the_clip_and_another_shape_is_refused(tmp_path):
    path = good_clip(tmp_path)
    source = open_source(path, calibration=a_camera(192, 128))
    camera = open_source(path, calibration=a_camera()).calibration
    assert camera == a_camera()
    saved = tmp_path / "calibration.json"
    saved.write_text(a_camera(192, 128).model_dump_json())
    scaled = open_source(path, calibration=saved).calibration
    assert (scaled.width, scaled.height, scaled.fx) == (96, 64, 40)
    assert source.calibration is not None
    saved.write_text(a_camera(96, 96).model_dump_json())
    with pytest.raises(LabelError) as refused:
        open_source(path, calibration=saved)
    assert refused.value.code == "labels.bad_calibration"


def test_labels_of_another_clip_are_refused(tmp_path):
    path = good_clip(tmp_path)
    labels = tmp_path / "labels.json"
    image = {"id": 1, "file_name": "0.png", "width": 640, "height": 480}
    labels.write_text(json.dumps({"images": [image], "annotations": [], "categories": []}))
    with pytest.raises(LabelError) as refused:
        open_source(path, labels=labels)
    assert refused.value.code == "labels.other_source"


def test_a_condition_is_taken_by_its_name(tmp_path):
    path = good_clip(tmp_path)
    night = open_source(path, condition="night").condition
    assert (night.label, night.origin, night.is_night) == ("night", "given", True)
    given = Condition(label="fog", origin="given", fog_mor_m=200.0)
    assert open_source(path, condition=given).condition == given
    with pytest.raises(SpecError) as refused:
        open_source(path, condition="sunny")
    assert "overcast" in refused.value.message


def test_measured_depth_beside_a_clip_becomes_geometry(tmp_path):
    path = good_clip(tmp_path)
    depth = np.full((COUNT, 64, 96), 12.5, np.float32)
    depth[:, :10] = np.nan
    np.savez(tmp_path / "depth.npz", depth=depth)
    source = open_source(path, depth=tmp_path / "depth.npz", calibration=a_camera())
    geometry = read_source_geometry(source)
    assert (geometry.origins.depth, geometry.origins.scale, geometry.is_metric) == (
        "sidecar",
        "sidecar",
        True,
    )
    np.testing.assert_array_equal(geometry.depth_m, depth)


def test_measured_depth_needs_a_calibration(tmp_path):
    path = good_clip(tmp_path)
    np.savez(tmp_path / "depth.npz", depth=np.ones((COUNT, 64, 96), np.float32))
    with pytest.raises(SourceError) as refused:
        open_source(path, depth=tmp_path / "depth.npz")
    assert refused.value.code == "source.missing_calibration"


def test_measured_depth_of_another_clip_is_refused(tmp_path):
    path = good_clip(tmp_path)
    np.savez(tmp_path / "depth.npz", depth=np.ones((COUNT - 1, 64, 96), np.float32))
    source = open_source(path, depth=tmp_path / "depth.npz", calibration=a_camera())
    with pytest.raises(LabelError) as refused:
        read_source_geometry(source)
    assert refused.value.code == "labels.other_source"


def test_real_control_videos_are_sources(real_data):
    folder = real_data / "controls"
    for name, kind, frames in (
        ("street_depth_720p.mp4", "depth", 121),
        ("junction_wsm_720p_10fps.mp4", "wsm", 100),
    ):
        if not (folder / name).is_file():
            pytest.skip(f"{name} is not among the real control videos")
        source = open_source(folder / name, control=kind)
        assert (source.kind, source.frames, source.width, source.height) == ("controls", frames, 1280, 720)
        assert len(read_control(source, kind)) == frames
