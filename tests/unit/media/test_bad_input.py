"""Bad input: each situation gets its typed error, quickly, and nothing is written."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.situations import BAD_FILES, COUNT, BadFile, corrupted, encode, good_clip, painted
from worldgen.errors import SourceError
from worldgen.media import bounded, failpoint
from worldgen.media.video import Limits, probe, read_clip
from worldgen.sources.inspect import inspect_path
from worldgen.sources.open import open_source, read_source_clip

COPIES = 300
CORRUPTIBLE = [
    ("clip.mp4", "libx264", None),
    ("clip.mkv", "libx264", None),
    ("clip.avi", "libx264", None),
    ("clip.mp4", "libx265", {"x265-params": "log-level=none"}),
    ("clip.webm", "libvpx-vp9", None),
    ("clip.mp4", "libsvtav1", None),
]


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


@pytest.fixture(params=BAD_FILES, ids=lambda bad: bad.name)
def bad(request) -> BadFile:
    return request.param


def test_a_bad_file_gets_its_code_and_nothing_is_written(tmp_path, bad):
    path = bad.build(tmp_path)
    before, started = listing(tmp_path), time.monotonic()
    with pytest.raises(SourceError) as refused:
        read_source_clip(open_source(path))
    assert refused.value.code == bad.code
    assert refused.value.exit_code == 2
    assert "Traceback" not in refused.value.message
    assert listing(tmp_path) == before
    # Refusing a bomb must cost what a look at the header costs, not what decoding it would.
    assert time.monotonic() - started < 60


def test_inspecting_a_bad_file_reports_the_same_code(tmp_path, bad):
    found = inspect_path(bad.build(tmp_path))
    assert bad.code in [problem.code for problem in found.problems if problem.severity == "error"]


def test_a_script_never_opens_its_sibling(tmp_path):
    for bad in BAD_FILES:
        if bad.name not in ("concat_script", "concat_bare", "playlist"):
            continue
        folder = tmp_path / bad.name
        folder.mkdir()
        path = bad.build(folder)
        os.utime(folder / "sibling.mp4", ns=(0, 0))
        with pytest.raises(SourceError):
            read_clip(path)
        assert (folder / "sibling.mp4").stat().st_atime_ns == 0
        (folder / "sibling.mp4").read_bytes()
        if (folder / "sibling.mp4").stat().st_atime_ns == 0:
            pytest.skip("this file system does not tell who read a file")


@pytest.mark.parametrize(
    ("name", "codec", "options"), CORRUPTIBLE, ids=lambda v: v if isinstance(v, str) else ""
)
def test_corrupted_copies_are_refused_or_whole(tmp_path, name, codec, options):
    """No crash, no hang, no wrong frame count accepted: 300 copies of one clip per format."""
    frames = painted()
    frames[:, 8:24, 8:24] = np.random.default_rng(1).integers(0, 256, (COUNT, 16, 16, 3))
    good = encode(tmp_path / name, frames, codec, options=options)
    content = good.read_bytes()
    limits = Limits(decode_seconds=10.0)
    accepted, codes = 0, set()
    for seed in range(COPIES):
        good.write_bytes(corrupted(content, seed))
        try:
            clip = read_clip(good, limits=limits)
        except SourceError as refused:
            codes.add(refused.code)
        else:
            accepted += 1
            assert len(clip) == COUNT, f"seed {seed}: {len(clip)} of {COUNT} frames were accepted"
            assert clip.size == (96, 64), f"seed {seed}"
            assert np.all(np.diff(clip.timestamps_seconds) > 0), f"seed {seed}"
    assert "source.timeout" not in codes
    assert "source.unexpected" not in codes
    assert accepted < COPIES // 2


BEGINNINGS = [
    b"",
    b"\0\0\0\x14ftypisom\0\0\2\0isom",
    b"\0\0\0\x08moov",
    b"\x1a\x45\xdf\xa3",
    b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff",
    b"RIFF\0\0\0\0AVI LIST",
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(beginning=st.sampled_from(BEGINNINGS), rest=st.binary(max_size=400))
def test_no_bytes_that_are_not_a_clip_are_taken_for_one(tmp_path, beginning, rest):
    path = tmp_path / "clip.mp4"
    path.write_bytes(beginning + rest)
    with pytest.raises(SourceError) as refused:
        probe(path, Limits(decode_seconds=5.0))
    assert refused.value.reason not in ("unexpected", "timeout")


def test_a_decoder_that_takes_too_long_is_stopped(tmp_path):
    path = encode(tmp_path / "clip.mp4", painted(200, 640, 360), options={"preset": "ultrafast"})
    with pytest.raises(SourceError) as refused:
        read_clip(path, limits=Limits(decode_seconds=0.05))
    assert refused.value.code == "source.timeout"
    assert len(read_clip(path)) == 200


def test_a_decoder_that_died_while_it_waited_is_replaced(tmp_path):
    path = good_clip(tmp_path)
    read_clip(path)
    assert _kill_idle_decoders()
    assert len(read_clip(path)) == COUNT


def test_a_decoder_that_dies_at_work_refuses_the_file(tmp_path, monkeypatch):
    path = good_clip(tmp_path)
    _kill_idle_decoders()
    # Those started from here on die with all frames written and the answer not yet given.
    monkeypatch.setenv(failpoint.VARIABLE, "decode.before_answer")
    with pytest.raises(SourceError) as refused:
        read_clip(path)
    assert refused.value.code == "source.damaged"
    monkeypatch.delenv(failpoint.VARIABLE)
    _kill_idle_decoders()
    assert len(read_clip(path)) == COUNT


def _kill_idle_decoders() -> int:
    waiting = bounded.idle_processes()
    for process in waiting:
        os.kill(process, signal.SIGKILL)
    time.sleep(0.1)
    return len(waiting)


def test_several_threads_read_at_once(tmp_path):
    paths = [encode(tmp_path / f"{n}.mp4", painted(n)) for n in range(4, 10)]
    with ThreadPoolExecutor(6) as pool:
        assert [len(clip) for clip in pool.map(read_clip, paths * 3)] == list(range(4, 10)) * 3
    assert len(bounded.idle_processes()) <= 2


def test_a_flood_of_memory_is_refused(tmp_path):
    path = encode(tmp_path / "clip.mp4", painted(4, 1920, 1080), options={"preset": "ultrafast"})
    with pytest.raises(SourceError):
        read_clip(path, limits=Limits(decode_memory_bytes=1 << 20))
    assert len(read_clip(path)) == 4


def test_decoded_frames_count_against_the_limit_of_bytes(tmp_path):
    path = encode(tmp_path / "clip.mp4", painted(30, 320, 240))
    with pytest.raises(SourceError) as refused:
        read_clip(path, limits=Limits(max_bytes=1 << 20))
    assert refused.value.code == "source.too_large"


def test_limits_are_checked_before_decoding(tmp_path):
    path = good_clip(tmp_path)
    for limits in (
        Limits(max_pixels=96 * 63),
        Limits(max_frames=11),
        Limits(max_seconds=1.0),
        Limits(max_bytes=100),
    ):
        with pytest.raises(SourceError) as refused:
            probe(path, limits)
        assert refused.value.code == "source.too_large"
