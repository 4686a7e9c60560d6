"""The contract of source readers, kept by every reader: what opening promises, reading delivers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.situations import encode, painted, picture_folder
from tests.situations_recordings import a_cosmos_clip, a_drive
from worldgen.datatypes import Source
from worldgen.errors import SourceError
from worldgen.sources.fake import fake_source
from worldgen.sources.open import (
    READERS,
    cameras_of,
    open_source,
    read_source_clip,
    read_source_geometry,
    read_source_scene,
)

SIX = painted(6)


@dataclass(frozen=True)
class Kind:
    """One kind of source and how to make one; `build_other` makes one of the same shape, with other content."""

    name: str
    kind: str
    build: Callable[[Path], Path]
    build_other: Callable[[Path], Path]
    how: dict[str, Any]
    has_rgb: bool = True
    has_geometry: bool = False


def _controls(folder: Path, frames: np.ndarray = SIX) -> Path:
    path = folder / "controls"
    path.mkdir()
    encode(path / "street_depth_720p.mp4", frames)
    encode(path / "street_seg.mp4", SIX)
    return path


def _files(name: str, **how: Any) -> dict[str, Callable[[Path], Path]]:
    return {
        "build": lambda folder: encode(folder / name, SIX, **how),
        "build_other": lambda folder: encode(folder / name, SIX[::-1], **how),
    }


def _pictures(suffix: str) -> dict[str, Callable[[Path], Path]]:
    return {
        "build": lambda folder: picture_folder(folder, SIX, suffix=suffix),
        "build_other": lambda folder: picture_folder(folder, SIX[::-1], suffix=suffix),
    }


def _dump(**how: Any) -> dict[str, Callable[[Path], Path]]:
    return {
        "build": lambda folder: a_drive(folder / "dump", **how),
        "build_other": lambda folder: a_drive(folder / "dump", speed=3.0, **how),
    }


def _fake(seed: int) -> Callable[[Path], Path]:
    return lambda folder: Path(fake_source(folder, seed=seed).uri)


def _cosmos(**how: Any) -> Callable[[Path], Path]:
    return lambda folder: a_cosmos_clip(folder / "clip", **how)


TEN = {"fps": 10.0}
KINDS = [
    Kind("mp4", "video", **_files("clip.mp4"), how={}),
    Kind("uneven", "video", **_files("u.mkv", times_ms=[0, 40, 300, 350, 420, 800]), how={}),
    Kind("turned", "video", **_files("t.mp4", rotation=90), how={}),
    Kind("fake", "video", _fake(0), _fake(1), how={}),
    Kind("png", "images", **_pictures(".png"), how=TEN),
    Kind("jpeg", "images", **_pictures(".jpg"), how=TEN),
    Kind("dump", "carla_dump", **_dump(), how={}, has_geometry=True),
    Kind("raw_dump", "carla_dump", **_dump(raw=True, flow=True), how={}, has_geometry=True),
    Kind("cosmos_clip", "carla_clip", _cosmos(), _cosmos(pitch_deg=4.0), how={}, has_geometry=True),
    Kind("controls", "controls", _controls, lambda f: _controls(f, SIX[::-1]), how={}, has_rgb=False),
    Kind("one_control", "controls", **_files("x.mp4"), how={"control": "depth"}, has_rgb=False),
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request) -> Kind:
    return request.param


@pytest.fixture
def path(kind, tmp_path) -> Path:
    return kind.build(tmp_path)


@pytest.fixture
def source(kind, path) -> Source:
    return open_source(path, **kind.how)


def test_opening_says_what_it_is(kind, source):
    assert source.kind == kind.kind
    assert (source.video is None) == (not kind.has_rgb)
    assert source.frames >= 2
    assert source.fps > 0
    if source.video is not None:
        assert (source.video.frames, source.video.width, source.video.height) == (
            source.frames,
            source.width,
            source.height,
        )


def test_reading_delivers_what_opening_promised(kind, source):
    if not kind.has_rgb:
        with pytest.raises(SourceError) as refused:
            read_source_clip(source)
        assert refused.value.code == "source.missing_sensor"
        return
    clip = read_source_clip(source)
    assert (len(clip), clip.size) == (source.frames, (source.width, source.height))
    assert clip.timestamps_seconds[0] == 0
    assert np.all(np.diff(clip.timestamps_seconds) > 0)
    assert not clip.frames.flags.writeable


def test_geometry_is_there_or_not_and_fits(kind, source):
    geometry = read_source_geometry(source)
    assert (geometry is not None) == kind.has_geometry
    if geometry is not None:
        assert geometry.depth_m.shape == (source.frames, source.height, source.width)
        assert not np.isnan(geometry.depth_m).any()
        assert (geometry.depth_m > 0).all()


def test_a_scene_is_asked_for_without_an_error(source):
    read_source_scene(source)


def test_the_same_content_has_the_same_name_and_other_content_another(kind, path, source, tmp_path):
    assert open_source(path, **kind.how).sha256 == source.sha256
    assert len(source.sha256) == 64
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert open_source(kind.build(elsewhere), **kind.how).sha256 == source.sha256
    other = tmp_path / "other"
    other.mkdir()
    assert open_source(kind.build_other(other), **kind.how).sha256 != source.sha256


def test_cameras_are_named_and_others_are_refused(kind, path, source):
    cameras = cameras_of(path) if kind.name != "one_control" else (source.camera_name,)
    assert source.camera_name == cameras[0]
    with pytest.raises(SourceError) as refused:
        open_source(path, **{**kind.how, "camera": "nobody"})
    assert refused.value.code == "source.unknown_camera"
    assert cameras[0] in refused.value.message


def test_opening_and_reading_write_nothing(kind, path, source, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    if kind.has_rgb:
        read_source_clip(open_source(path, **kind.how))
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_one_reader_alone_is_first_for_every_kind(kind, path, source):
    from worldgen.sources.protocol import Request

    request = Request(fps=kind.how.get("fps"), control=kind.how.get("control"))
    first = next(reader for reader in READERS if reader.recognises(path, request))
    assert first.open(path, request).kind == source.kind


PLAIN = [kind for kind in KINDS if kind.kind in ("video", "images")]


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.name)
def test_what_changed_after_opening_is_noticed(kind, path, source):
    if path.is_dir():
        min(path.iterdir()).unlink()
    else:
        encode(path, painted(source.frames + 1, source.width, source.height))
    with pytest.raises(SourceError) as refused:
        read_source_clip(source)
    assert refused.value.code == "source.count_mismatch"
