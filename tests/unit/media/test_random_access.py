"""Random access gives the frames that reading everything gives, with either reader."""

from fractions import Fraction

import numpy as np
import pytest

from tests.situations import encode, painted
from worldgen.errors import SourceError
from worldgen.media.random_access import is_same_in_decord
from worldgen.media.video import read_clip, read_frames, write_lossless, write_video

ASKED = [0, 17, 3, 3, 39, 20, 21]
FILES = {
    "h264.mp4": ("libx264", {}, True),
    "h264.mkv": ("libx264", {}, True),
    "bt601.mp4": ("libx264", {"matrix": 6}, True),
    "full.mp4": ("libx264", {"full_range": True}, True),
    "film.mp4": ("libx264", {"fps": Fraction(24000, 1001)}, True),
    "uneven.mp4": ("libx264", {"times_ms": [i * 50 + i % 3 * 7 for i in range(40)]}, True),
    "turned.mp4": ("libx264", {"rotation": 90}, True),
    "hevc.mp4": ("libx265", {"options": {"x265-params": "log-level=none"}}, True),
    "vp9.webm": ("libvpx-vp9", {}, True),
    "tenbit.mp4": ("libx264", {"pixel_format": "yuv420p10le"}, False),
    "av1.mp4": ("libsvtav1", {"options": {"preset": "10"}}, False),
    "old.avi": ("mpeg4", {}, False),
    "reordered.avi": ("libx264", {}, False),
}


def clip_file(tmp_path, name):
    codec, how, _ = FILES[name]
    frames = painted(40)
    frames[:, 40:60, 30:60] = np.random.default_rng(5).integers(0, 256, (40, 20, 30, 3))
    return encode(tmp_path / name, frames, codec, **how)


@pytest.mark.parametrize("name", FILES)
def test_frames_by_index_are_those_of_the_whole_clip(tmp_path, name):
    path = clip_file(tmp_path, name)
    assert np.array_equal(read_frames(path, ASKED), read_clip(path).frames[ASKED])


@pytest.mark.parametrize("name", FILES)
def test_decord_gives_the_same_frames(tmp_path, name):
    """Byte for byte where decord is used; where it would not, PyAV reads."""
    pytest.importorskip("decord", reason="decord is optional and not installed")
    path = clip_file(tmp_path, name)
    assert is_same_in_decord(path) == FILES[name][2]
    assert np.array_equal(read_frames(path, ASKED, reader="decord"), read_frames(path, ASKED))


def test_decord_is_not_trusted_with_guessed_colours(tmp_path):
    path = encode(tmp_path / "untagged.mp4", painted(2, 1280, 720), tagged=False)
    assert not is_same_in_decord(path)


@pytest.mark.parametrize("reader", ["pyav", "decord"])
def test_what_we_write_is_read_the_same_by_both(tmp_path, reader):
    if reader == "decord":
        pytest.importorskip("decord", reason="decord is optional and not installed")
    frames = painted(20)
    for ref in (
        write_video(tmp_path / "a.mp4", frames, fps=10),
        write_lossless(tmp_path / "b.mp4", frames, fps=10),
    ):
        path = tmp_path / ref.uri
        assert np.array_equal(
            read_frames(path, [19, 0, 7], reader=reader), read_clip(path).frames[[19, 0, 7]]
        )


def test_a_frame_that_is_not_there_is_named(tmp_path):
    path = encode(tmp_path / "clip.mp4", painted(5))
    for index in (5, -1):
        with pytest.raises(SourceError) as refused:
            read_frames(path, [0, index])
        assert refused.value.code == "source.missing_frame"
        assert str(index) in refused.value.message


def test_real_clips_are_the_same_in_both_readers(real_data):
    pytest.importorskip("decord", reason="decord is optional and not installed")
    for path in sorted((real_data / "clips").glob("*.mp4")):
        assert np.array_equal(read_frames(path, [0, 30, 59], reader="decord"), read_frames(path, [0, 30, 59]))
