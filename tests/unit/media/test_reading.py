"""Every format that the README names is read frame for frame, upright, in true colours, with its times."""

from fractions import Fraction

import numpy as np
import pytest

from tests.situations import (
    COLOURS,
    COUNT,
    colours_of,
    encode,
    fragmented_clip,
    number_of,
    painted,
    trimmed_clip,
)
from worldgen.errors import SourceError
from worldgen.media.video import probe, read_clip

QUIET = {"x265-params": "log-level=none", "crf": "8"}
FORMATS = [
    ("clip.mp4", "libx264", "yuv420p", None, 8),
    ("clip.mov", "libx264", "yuv420p", None, 8),
    ("clip.mkv", "libx264", "yuv420p", None, 8),
    ("clip.avi", "libx264", "yuv420p", None, 8),
    ("clip.mp4", "libx264", "yuv420p10le", None, 10),
    ("clip.mkv", "libx264", "yuv444p", None, 8),
    ("clip.mp4", "libx265", "yuv420p", QUIET, 8),
    ("clip.mkv", "libx265", "yuv420p10le", QUIET, 10),
    ("clip.webm", "libvpx-vp9", "yuv420p", {"crf": "8", "b": "0"}, 8),
    ("clip.mp4", "libvpx-vp9", "yuv420p", {"crf": "8", "b": "0"}, 8),
    ("clip.webm", "libsvtav1", "yuv420p", {"crf": "8", "preset": "10"}, 8),
    ("clip.mp4", "libsvtav1", "yuv420p10le", {"crf": "8", "preset": "10"}, 10),
    ("clip.avi", "mpeg4", "yuv420p", {"qscale": "2"}, 8),
    ("clip.mov", "prores_ks", "yuv422p10le", {}, 10),
]
CODEC_NAMES = {
    "libx264": "h264",
    "libx265": "hevc",
    "libvpx-vp9": "vp9",
    "libsvtav1": "av1",
    "prores_ks": "prores",
}


def numbers(clip) -> list[int]:
    return [number_of(frame) for frame in clip.frames]


def worst_colour(frame: np.ndarray) -> int:
    return int(np.abs(colours_of(frame).astype(int) - COLOURS).max())


@pytest.mark.parametrize(("name", "codec", "pixels", "options", "depth"), FORMATS)
def test_a_format_comes_back_frame_for_frame_in_its_colours(tmp_path, name, codec, pixels, options, depth):
    # MPEG-4 in AVI carries no colour tags: small pictures without tags are BT.601.
    matrix = 6 if codec == "mpeg4" else 1
    path = encode(tmp_path / name, painted(), codec, pixel_format=pixels, options=options, matrix=matrix)
    info, clip = probe(path), read_clip(path)
    assert info.codec == CODEC_NAMES.get(codec, codec)
    assert (info.frames, info.width, info.height, info.bit_depth) == (COUNT, 96, 64, depth)
    assert info.fps == clip.fps == 10
    assert numbers(clip) == list(range(COUNT))
    np.testing.assert_allclose(clip.timestamps_seconds, np.arange(COUNT) / 10, atol=1e-9)
    assert max(worst_colour(frame) for frame in clip.frames) <= 12


@pytest.mark.parametrize("trusted", [True, False])
def test_our_own_files_and_those_of_strangers_give_the_same_frames(tmp_path, trusted):
    path = encode(tmp_path / "clip.mp4", painted())
    clip = read_clip(path, trusted=trusted)
    assert np.array_equal(clip.frames, read_clip(path, trusted=not trusted).frames)
    assert not clip.frames.flags.writeable


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_matrix_and_range_are_honoured(tmp_path, matrix, full_range, pixels):
    path = encode(
        tmp_path / "clip.mp4",
        painted(2),
        pixel_format=pixels,
        matrix=matrix,
        full_range=full_range,
        options={"qp": "1"},
    )
    info = probe(path)
    assert info.colour_range == ("full" if full_range else "limited")
    assert info.colour_matrix == {1: "bt709", 6: "bt601", 9: "bt2020"}[matrix]
    # The wrong matrix would be 25 levels off on these colours, the wrong range 20 on black and white.
    assert worst_colour(read_clip(path).frames[0]) <= 6


@pytest.mark.parametrize(("size", "matrix", "name"), [((96, 64), 6, "bt601"), ((1280, 720), 1, "bt709")])
def test_without_tags_the_size_decides_the_matrix(tmp_path, size, matrix, name):
    path = encode(tmp_path / "clip.mp4", painted(2, *size), matrix=matrix, tagged=False, options={"qp": "1"})
    assert probe(path).colour_matrix == name
    assert worst_colour(read_clip(path).frames[0]) <= 6


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_a_turned_file_is_read_upright(tmp_path, degrees):
    # A file that must be turned by `degrees` counter-clockwise holds the picture turned the other way.
    stored = np.rot90(painted(3), -degrees // 90, axes=(1, 2))
    path = encode(tmp_path / "clip.mp4", stored, rotation=degrees)
    info, clip = probe(path), read_clip(path)
    assert (info.width, info.height) == clip.size == (96, 64)
    assert info.rotation_degrees == degrees % 360
    assert numbers(clip) == [0, 1, 2]
    assert worst_colour(clip.frames[0]) <= 12


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_a_mirrored_file_is_read_upright(tmp_path, degrees):
    # FFmpeg turns the stored picture, then mirrors it left to right; storing goes the other way round.
    stored = np.rot90(painted(3)[:, :, ::-1], -degrees // 90, axes=(1, 2))
    path = encode(tmp_path / "clip.mp4", stored, rotation=degrees, mirrored=True)
    clip = read_clip(path)
    assert probe(path).is_mirrored
    assert numbers(clip) == [0, 1, 2]
    assert worst_colour(clip.frames[0]) <= 12


@pytest.mark.parametrize("size", [(95, 63), (97, 64), (96, 65)])
def test_odd_sizes_keep_every_pixel(tmp_path, size):
    path = encode(tmp_path / "clip.mkv", painted(3, *size), pixel_format="yuv444p")
    assert read_clip(path).size == size
    vp9 = encode(tmp_path / "clip.webm", painted(3, *size), "libvpx-vp9", options={"crf": "8", "b": "0"})
    clip = read_clip(vp9)
    assert clip.size == size
    assert numbers(clip) == [0, 1, 2]


def test_4k_is_read(tmp_path):
    path = encode(tmp_path / "clip.mp4", painted(2, 3840, 2160), options={"preset": "ultrafast"})
    clip = read_clip(path)
    assert clip.size == (3840, 2160)
    assert numbers(clip) == [0, 1]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_uneven_times_are_kept(tmp_path, name):
    times = [0, 33, 100, 140, 300, 333, 400, 620]
    path = encode(tmp_path / name, painted(len(times)), times_ms=times)
    info, clip = probe(path), read_clip(path)
    assert info.is_variable_rate
    np.testing.assert_allclose(clip.timestamps_seconds, np.array(times) / 1000, atol=1e-6)
    assert numbers(clip) == list(range(len(times)))


def test_the_rate_of_film_and_television_is_kept_exactly(tmp_path):
    for name in ("clip.mp4", "clip.mkv"):
        path = encode(tmp_path / name, painted(), fps=Fraction(30000, 1001))
        info, clip = probe(path), read_clip(path)
        assert not info.is_variable_rate
        assert clip.fps == info.fps == 30000 / 1001
        np.testing.assert_allclose(clip.timestamps_seconds, np.arange(COUNT) * 1001 / 30000, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("clip.webm", "libvpx-vp9", {"auto-alt-ref": "1", "lag-in-frames": "25", "crf": "20", "b": "0"}),
        ("clip.mkv", "libsvtav1", {"preset": "10", "crf": "20"}),
        (
            "clip.mp4",
            "libx264",
            {"x264-params": "open-gop=1:keyint=10:bframes=8:b-pyramid=normal", "crf": "8"},
        ),
        ("clip.avi", "libx264", {"bf": "3", "crf": "8"}),
    ],
)
def test_pictures_that_are_only_referred_to_are_not_counted(tmp_path, name, codec, options):
    """Codecs hide pictures in the stream, or send them out of order: neither changes the count."""
    path = encode(tmp_path / name, painted(60), codec, options=options)
    clip = read_clip(path)
    assert probe(path).frames == len(clip) == 60
    assert numbers(clip) == list(range(60))


def test_a_fragmented_file_is_read_whole(tmp_path):
    path = fragmented_clip(tmp_path)
    assert probe(path).frames == COUNT
    assert numbers(read_clip(path)) == list(range(COUNT))


def test_frames_before_the_cut_of_an_edit_list_are_left_out(tmp_path):
    path = trimmed_clip(tmp_path, first=3)
    info, clip = probe(path), read_clip(path)
    assert info.frames == COUNT - 3
    assert numbers(clip) == list(range(3, COUNT))
    assert clip.timestamps_seconds[0] == 0


def test_an_edit_list_that_does_not_fit_its_track_is_refused(tmp_path):
    path = trimmed_clip(tmp_path, first=3)
    content = bytearray(path.read_bytes())
    content[content.index(b"tkhd") + 4 + 22] += 1
    path.write_bytes(content)
    with pytest.raises(SourceError) as refused:
        probe(path)
    assert refused.value.code == "source.damaged"


def test_sound_is_noticed_and_left_alone(tmp_path):
    path = encode(tmp_path / "clip.mp4", painted(), sound=True)
    assert probe(path).has_audio
    assert numbers(read_clip(path)) == list(range(COUNT))


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path):
    for name in ("http:clip.mp4", "-i.mp4", "a%03d.mp4", "concat:b.mp4", "clip with space.mp4"):
        path = encode(tmp_path / "plain.mp4", painted(3)).rename(tmp_path / name)
        assert len(read_clip(path)) == 3


def test_real_clips_are_read_whole(real_data):
    expected = {"rural_day_480p_10fps.mp4": (61, 832, 480), "city_day_720p_30fps.mp4": (121, 1280, 720)}
    found = {p.name: p for p in (real_data / "clips").glob("*.mp4")}
    for name, (frames, width, height) in expected.items():
        if name not in found:
            pytest.skip(f"{name} is not among the real clips")
        info, clip = probe(found[name]), read_clip(found[name])
        assert (info.frames, len(clip), clip.size) == (frames, frames, (width, height))
        assert np.ptp(np.diff(clip.timestamps_seconds)) < 1e-6
