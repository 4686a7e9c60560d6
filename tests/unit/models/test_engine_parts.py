"""Chunks, guidance, the shared cache and seams: the parts of the engine that need no network."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgen.errors import ContractError
from worldgen.models.engine.cache import SharedCache, bytes_of
from worldgen.models.engine.chunks import latent_frames, plan_chunks, reflected
from worldgen.models.engine.guidance import Guidance
from worldgen.models.engine.seams import measure_seams


@given(
    total=st.integers(1, 400),
    per_chunk=st.one_of(st.none(), st.integers(5, 150)),
    conditional=st.integers(0, 4),
    short_last=st.booleans(),
)
def test_chunks_make_every_frame_once(
    total: int, per_chunk: int | None, conditional: int, short_last: bool
) -> None:
    chunks = plan_chunks(total, per_chunk, conditional, short_last=short_last)
    made = [f for c in chunks for f in range(c.start + c.conditional, c.end)]
    assert made == list(range(total))
    assert sum(c.new_frames for c in chunks) == total
    for chunk in chunks:
        assert chunk.frames == 1 or chunk.frames % 4 == 1
        assert len(chunk.sources()) == chunk.frames
        assert set(chunk.sources()) <= set(range(chunk.start, chunk.end))
    if not short_last:
        assert len({c.frames for c in chunks}) == 1


def test_a_short_last_chunk_is_only_as_long_as_it_must_be() -> None:
    assert [c.frames for c in plan_chunks(15, 9, 1, short_last=True)] == [9, 9]
    assert [c.frames for c in plan_chunks(12, 9, 1, short_last=True)] == [9, 5]
    assert [c.frames for c in plan_chunks(12, 9, 1)] == [9, 9]


@pytest.mark.parametrize(
    ("total", "per_chunk", "conditional"), [(0, 9, 1), (30, 9, 9), (30, 5, 7), (30, 9, -1)]
)
def test_chunks_that_would_not_advance_are_refused(total: int, per_chunk: int, conditional: int) -> None:
    with pytest.raises(ContractError) as refused:
        plan_chunks(total, per_chunk, conditional)
    assert refused.value.reason == "frames"


def test_short_windows_are_reflected_with_the_last_frame_first() -> None:
    assert reflected([0, 1, 2], 5) == [0, 1, 2, 2, 1]
    assert reflected([0, 1, 2], 9) == [0, 1, 2, 2, 1, 0, 1, 2, 2][:5] + reflected([0, 1, 2, 2, 1], 9)[5:]
    assert reflected([7], 4) == [7, 7, 7, 7]
    assert reflected([0, 1, 2], 2) == [0, 1]


@pytest.mark.parametrize(("frames", "latents"), [(0, 0), (1, 1), (2, 1), (4, 1), (5, 2), (6, 2), (9, 3)])
def test_latent_frames(frames: int, latents: int) -> None:
    assert latent_frames(frames, 4) == latents


def test_guidance_runs_only_the_forwards_that_count() -> None:
    both = Guidance(text=3.0, control=1.5, text_interval=(400, 1000), control_interval=(0, 700))
    assert both.at(500).branches == ("full", "no_control", "uncond")
    assert both.at(800).branches == ("full", "uncond")
    assert both.at(100).branches == ("full", "no_control")
    assert Guidance(text=0.5).at(10).branches == ("full",)
    assert Guidance().at(10).combine({"full": np.float64(2.0)}) == 2.0


def test_guidance_is_nested() -> None:
    step = Guidance(text=3.0, control=1.5).at(500)
    velocity = {"full": np.float64(4.0), "no_control": np.float64(2.0), "uncond": np.float64(1.0)}
    controlled = 2.0 + 1.5 * (4.0 - 2.0)
    assert step.combine(velocity) == 1.0 + 3.0 * (controlled - 1.0)


def test_the_cache_makes_once_and_counts() -> None:
    cache, made = SharedCache(), Counter[str]()

    def make() -> np.ndarray:
        made["calls"] += 1
        return np.zeros(8)

    before = cache.counts.copy()
    first, again = cache.get("control", "a", make), cache.get("control", "a", make)
    other = cache.get("text", "a", make)
    assert first is again
    assert other is not first, "kinds share nothing"
    assert made["calls"] == 2
    assert cache.since(before) == {"control_made": 1, "control_shared": 1, "text_made": 1}


def test_the_cache_stays_within_its_bound_and_tells_what_it_repeats() -> None:
    cache = SharedCache(max_bytes=200)
    for key in "abcab":
        cache.get("x", key, lambda: np.zeros(10))  # 80 bytes each: two fit.
        assert cache.bytes_held <= 200
    assert cache.counts["x_made"] == 5
    assert cache.counts["x_repeated"] == 2
    cache.get("x", "a", lambda: np.zeros(10))
    cache.get("x", "d", lambda: np.zeros(10))
    cache.get("x", "a", lambda: np.zeros(10))
    assert cache.counts["x_shared"] == 2, "what was used last stays"
    cache.get("x", "huge", lambda: np.zeros(1000))
    assert cache.bytes_held <= 200
    cache.clear()
    assert cache.bytes_held == 0


def test_bytes_are_counted_in_containers() -> None:
    assert bytes_of((np.zeros(2), [np.zeros(1), (np.zeros(1),)], "x")) == 32


def test_a_jump_between_chunks_is_measured_and_an_even_motion_is_not_one() -> None:
    frames = np.stack([np.full((8, 8, 3), 100 + 2 * i, np.uint8) for i in range(20)])
    even = measure_seams(frames, (9,))[0]
    assert even.frame == 9
    assert even.ratio == pytest.approx(1.0)
    jumping = frames.copy()
    jumping[9:] += 20
    jump = measure_seams(jumping, (9,))[0]
    assert jump.difference == pytest.approx(22.0)
    assert jump.usual == pytest.approx(2.0)
    assert jump.ratio == pytest.approx(11.0)


def test_one_seam_is_not_the_measure_of_the_other() -> None:
    frames = np.zeros((20, 4, 4, 3), np.uint8)
    frames[8:] += 30
    frames[12:] += 30
    assert [s.usual for s in measure_seams(frames, (8, 12))] == [0.0, 0.0]
    assert measure_seams(frames, ()) == ()
    assert measure_seams(frames, (40,)) == ()
