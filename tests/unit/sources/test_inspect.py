"""Inspect says what a path is, and never raises."""

import numpy as np

from tests.situations import encode, good_clip, painted, picture_folder
from tests.situations_recordings import a_cosmos_clip, a_drive
from worldgen.sources.inspect import inspect_path


def errors(found) -> list[str]:
    return [p.code for p in found.problems if p.severity == "error"]


def notes(found) -> str:
    return " ".join(p.message for p in found.problems if p.severity == "info")


def test_a_good_clip_has_no_problems(tmp_path):
    found = inspect_path(good_clip(tmp_path))
    assert errors(found) == []
    assert (found.kind, found.frames, found.fps, found.width, found.height) == ("video", 12, 10, 96, 64)
    assert found.video.codec == "h264"
    assert found.is_decoded
    assert "no calibration" in notes(found)


def test_what_a_user_may_not_expect_is_told(tmp_path):
    path = encode(tmp_path / "clip.mp4", painted(4), times_ms=[0, 40, 300, 350], rotation=90, sound=True)
    told = notes(inspect_path(path))
    for word in ("uneven", "turned", "sound"):
        assert word in told


def test_files_beside_a_clip_are_found(tmp_path):
    path = good_clip(tmp_path)
    for name in ("good.coco.json", "good_calibration.json", "good_lidar.npz", "other.coco.json"):
        (tmp_path / name).write_text("{}")
    found = inspect_path(path)
    assert [name.rsplit("/", 1)[-1] for name in found.labels] == ["good.coco.json"]
    assert [name.rsplit("/", 1)[-1] for name in found.calibrations] == ["good_calibration.json"]
    assert [name.rsplit("/", 1)[-1] for name in found.depths] == ["good_lidar.npz"]


def test_pictures_without_a_rate_are_still_looked_at(tmp_path):
    found = inspect_path(picture_folder(tmp_path))
    assert errors(found) == ["source.missing_fps"]
    assert (found.kind, found.frames, found.fps) == ("images", 12, None)
    assert errors(inspect_path(tmp_path / "pictures", fps=10)) == []


def test_damage_that_only_decoding_finds_is_found(tmp_path):
    path = encode(tmp_path / "clip.mp4", np.random.default_rng(0).integers(0, 256, (6, 64, 96, 3), np.uint8))
    content = bytearray(path.read_bytes())
    end = content.index(b"moov") - 4
    content[end - 8000 : end] = bytes(255 - b for b in content[end - 8000 : end])
    path.write_bytes(content)
    found = inspect_path(path)
    assert errors(found) == ["source.damaged"]
    assert (found.frames, found.is_decoded) == (6, False)


def test_recordings_tell_their_sensors(tmp_path):
    dump = inspect_path(a_drive(tmp_path / "dump", cameras=2))
    assert (dump.kind, dump.cameras, errors(dump)) == ("carla_dump", ("camera0", "camera1"), [])
    assert {"depth", "semantic", "instance"} <= set(dump.sensors)
    clip = inspect_path(a_cosmos_clip(tmp_path / "clip"))
    assert (clip.kind, errors(clip)) == ("carla_clip", [])
    assert clip.carla_version == "0.10.0"


def test_a_damaged_recording_is_reported(tmp_path):
    folder = a_drive(tmp_path / "dump")
    (folder / "manifest.json").write_text("{")
    assert errors(inspect_path(folder)) == ["source.bad_manifest"]
