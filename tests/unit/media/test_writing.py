"""What is written comes back: same size, same count, same times; or there is no file at all."""

import resource
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from tests.situations import COLOURS, COUNT, colours_of, number_of, painted
from worldgen.errors import OutputError
from worldgen.media.video import VideoWriter, probe, read_clip, ref_of, sha256_of, write_lossless, write_video


def noise(count: int = 4, width: int = 96, height: int = 64) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, height, width, 3), np.uint8)


@contextmanager
def no_more_than(size: int):
    """Let no file of this process grow past a size: what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_and_stop(path: Path) -> None:
    with VideoWriter(path, fps=10) as writer:
        writer.write(painted(1)[0])
        raise RuntimeError("stop")


def test_a_variant_is_h264_420_bt709_and_starts_fast(tmp_path):
    ref = write_video(tmp_path / "out.mp4", painted(), fps=10)
    info = probe(Path(ref.uri), trusted=True)
    assert (info.codec, info.pixel_format, info.colour_matrix, info.colour_range) == (
        "h264",
        "yuv420p",
        "bt709",
        "limited",
    )
    content = Path(ref.uri).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert content.index(b"colr") > 0
    assert (ref.frames, ref.width, ref.height, ref.fps) == (COUNT, 96, 64, 10)
    assert ref.sha256 == sha256_of(Path(ref.uri))
    assert ref.size_bytes == len(content)
    assert ref == ref_of(Path(ref.uri), trusted=True)


def test_frames_come_back_in_order_and_in_their_colours(tmp_path):
    ref = write_video(tmp_path / "out.mp4", painted(), fps=10, crf=8)
    clip = read_clip(Path(ref.uri))
    assert [number_of(frame) for frame in clip.frames] == list(range(COUNT))
    assert max(np.abs(colours_of(f).astype(int) - COLOURS).max() for f in clip.frames) <= 8


@pytest.mark.parametrize("size", [(95, 64), (96, 63), (95, 63), (1, 1), (2, 2)])
def test_odd_sizes_come_back_at_their_size(tmp_path, size):
    frames = painted(3, 96, 64)[:, : size[1], : size[0]]
    ref = write_video(tmp_path / "out.mp4", frames, fps=10)
    assert (ref.width, ref.height) == size
    clip = read_clip(Path(ref.uri))
    assert clip.size == size
    assert np.abs(clip.frames.astype(int) - frames).mean() < 8


@pytest.mark.parametrize("name", ["out.mp4", "out.mov"])
def test_uneven_times_are_kept_to_the_tick(tmp_path, name):
    times = np.array([0.0, 0.031, 0.1, 0.2333, 0.25, 1.7])
    ref = write_video(tmp_path / name, painted(6), fps=10, timestamps_seconds=times + 5.0)
    np.testing.assert_allclose(read_clip(Path(ref.uri)).timestamps_seconds, times, atol=1 / 90000)


@pytest.mark.parametrize("fps", [10, 16, 24, 25, 30000 / 1001, 24000 / 1001, 59.94, 12.5, 7.3])
def test_rates_are_kept(tmp_path, fps):
    ref = write_video(tmp_path / "out.mp4", painted(5), fps=fps)
    clip = read_clip(Path(ref.uri))
    assert clip.fps == pytest.approx(fps, rel=1e-5)
    np.testing.assert_allclose(clip.timestamps_seconds, np.arange(5) / fps, rtol=1e-5, atol=1e-9)


def test_the_same_frames_give_the_same_bytes(tmp_path):
    first = write_video(tmp_path / "a.mp4", painted(), fps=10)
    second = write_video(tmp_path / "b.mp4", painted(), fps=10)
    assert first.sha256 == second.sha256
    assert write_lossless(tmp_path / "a.mkv", noise(), fps=10).sha256 == (
        write_lossless(tmp_path / "b.mkv", noise(), fps=10).sha256
    )


@pytest.mark.parametrize("size", [(96, 64), (95, 63)])
@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_exact_rgb_loses_nothing(tmp_path, name, size):
    frames = noise(4, *size)
    ref = write_lossless(tmp_path / name, frames, fps=10, exact_rgb=True)
    assert np.array_equal(read_clip(Path(ref.uri), trusted=True).frames, frames)


def test_control_maps_keep_greys_exactly_and_colours_nearly(tmp_path):
    greys = (
        np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), 3, axis=3).repeat(8, 1).repeat(8, 2)
    )
    ref = write_lossless(tmp_path / "depth.mp4", greys, fps=10)
    info = probe(Path(ref.uri), trusted=True)
    assert (info.codec, info.pixel_format[-4:], info.colour_range) == ("h264", "444p", "full")
    assert np.array_equal(read_clip(Path(ref.uri), trusted=True).frames, greys)
    colours = noise()
    ref = write_lossless(tmp_path / "seg.mp4", colours, fps=10)
    assert np.abs(read_clip(Path(ref.uri), trusted=True).frames.astype(int) - colours).max() <= 2


def test_lossless_means_qp_zero(tmp_path):
    path = Path(write_lossless(tmp_path / "edge.mp4", painted(), fps=10).uri)
    # x264 writes its settings into the stream.
    assert b"rc=cqp" in path.read_bytes()
    assert b"qp=0" in path.read_bytes()


def test_an_error_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError, match="stop"):
        write_and_stop(tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_file_that_was_there(tmp_path):
    before = write_video(tmp_path / "out.mp4", painted(), fps=10)
    with pytest.raises(RuntimeError, match="stop"):
        write_and_stop(tmp_path / "out.mp4")
    assert sha256_of(tmp_path / "out.mp4") == before.sha256
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("room", [0, 100, 20_000])
def test_a_full_disk_leaves_no_file(tmp_path, room):
    with no_more_than(room), pytest.raises(OutputError) as refused:
        write_video(tmp_path / "out.mp4", noise(60), fps=10)
    assert refused.value.code == "output.disk_full"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OutputError) as refused:
        write_video(tmp_path / "nowhere" / "out.mp4", painted(2), fps=10)
    assert refused.value.code == "output.not_writable"


def test_frames_must_be_alike_and_there_must_be_one(tmp_path):
    with pytest.raises(ValueError, match="96x64"):
        write_video(tmp_path / "out.mp4", [painted(1)[0], painted(1, 64, 64)[0]], fps=10)
    with pytest.raises(ValueError, match="at least one"):
        write_video(tmp_path / "out.mp4", [], fps=10)
    with pytest.raises(ValueError, match="increase"):
        write_video(tmp_path / "out.mp4", painted(3), fps=10, timestamps_seconds=[0.0, 0.3, 0.2])
    assert list(tmp_path.iterdir()) == []


def test_frames_may_be_streamed_and_read_only(tmp_path):
    frames = painted()
    frames.flags.writeable = False
    with VideoWriter(tmp_path / "out.mp4", fps=10) as writer:
        for frame in frames:
            writer.write(frame[:, ::-1][:, ::-1])
        with pytest.raises(RuntimeError, match="not finished"):
            _ = writer.ref
    assert writer.ref.frames == COUNT


def test_players_find_a_key_frame_every_two_seconds(tmp_path):
    path = Path(write_video(tmp_path / "out.mp4", painted(50), fps=10).uri)
    with av.open(str(path)) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe]
    assert max(np.diff([*keys, 5.0])) <= 2.0 + 1e-9
