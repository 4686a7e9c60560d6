"""Appearance, change and recognition: on pictures whose truth is known."""

from pathlib import Path

import numpy as np
import pytest

from worldgen.config.specs import presets
from worldgen.datatypes import Clip
from worldgen.imaging.appearance import measure_appearance, triples_of
from worldgen.imaging.change import measure_change
from worldgen.imaging.condition import estimate_condition, recognise_clip, recognition_version
from worldgen.imaging.recognition import CLASSES, heads, recognise
from worldgen.sources.proving_ground.drive import Drive, render_drive

UNSEEN = 1001
"""No even seed: nothing was fitted on it (worldgen.bench.recognition)."""


@pytest.fixture(scope="module")
def drive() -> Drive:
    return render_drive(UNSEEN, frames=6, size=(256, 144))


def remade(clip: Clip, frames: np.ndarray) -> Clip:
    return Clip(
        frames=np.clip(frames, 0, 255).astype(np.uint8),
        timestamps_seconds=clip.timestamps_seconds.copy(),
        fps=clip.fps,
    )


def test_frames_are_sampled_in_runs_inside_the_clip() -> None:
    for count in (1, 2, 3, 9, 61, 121):
        runs = triples_of(count)
        assert 1 <= len(runs) <= 3
        assert all(0 <= i < count for run in runs for i in run)
        assert all(run[0] <= run[1] <= run[2] for run in runs)
    assert triples_of(9) == [(0, 1, 2), (3, 4, 5), (6, 7, 8)]


def test_darkening_by_a_stop_halves_luminance_and_keeps_contrast(drive: Drive) -> None:
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4) / 2
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    dim = remade(drive.clip, np.round(255 * encoded)[drive.clip.frames])
    before, after = (measure_appearance(c, drive.geometry) for c in (drive.clip, dim))
    assert after.luminance_p50 / before.luminance_p50 == pytest.approx(0.5, abs=0.03)
    assert after.sky_luminance / before.sky_luminance == pytest.approx(0.5, abs=0.03)
    assert after.contrast_near == pytest.approx(before.contrast_near, rel=0.1)
    assert after.sky_blueness == pytest.approx(before.sky_blueness, abs=0.08)


def test_a_veil_that_thickens_with_depth_raises_the_far_dark_channel_first(drive: Drive) -> None:
    share = np.exp(-2.996 * drive.geometry.depth_m / 100)[..., None]
    veiled = remade(drive.clip, drive.clip.frames * share + 210 * (1 - share))
    before, after = (measure_appearance(c, drive.geometry) for c in (drive.clip, veiled))
    assert after.dark_channel_far - before.dark_channel_far > 0.2
    assert after.dark_channel_far - before.dark_channel_far > 3 * (
        after.dark_channel_near - before.dark_channel_near
    )
    assert after.contrast_far < 0.5 * before.contrast_far
    seen = recognise_clip(veiled, drive.clip, drive.geometry)
    assert seen.label == "fog"


def test_the_same_clip_has_no_change(drive: Drive) -> None:
    change = measure_change(drive.clip, drive.clip, drive.geometry)
    assert change.drops == 0
    assert abs(change.ground_stops) < 1e-6
    assert max(change.streaks, change.flakes, change.noise) < 0.02


def test_lines_are_streaks_and_spots_are_flakes_and_noise_is_neither(drive: Drive) -> None:
    rng = np.random.default_rng(5)
    lines, spots = (drive.clip.frames.astype(np.float32).copy() for _ in range(2))
    for t in range(len(drive.clip)):
        for _ in range(220):
            x, y = rng.integers(4, 250), rng.integers(4, 120)
            lines[t, y : y + 14, x] += 45
            spots[t, y : y + 3, x : x + 3] += 45
    noisy = drive.clip.frames + rng.normal(0, 9, drive.clip.frames.shape)
    with_lines, with_spots, with_noise = (
        measure_change(remade(drive.clip, f), drive.clip, drive.geometry) for f in (lines, spots, noisy)
    )
    assert with_lines.streaks > 3 * max(with_spots.streaks, with_noise.streaks)
    assert with_spots.flakes > 2 * max(with_lines.flakes, with_noise.flakes)
    assert with_noise.noise > 0.1
    assert max(with_noise.streaks, with_noise.flakes) < 0.25 * with_noise.noise


def test_what_stays_on_the_lens_is_a_drop(drive: Drive) -> None:
    lens = drive.clip.frames.astype(np.float32).copy()
    for x, y in ((40, 20), (120, 45), (200, 30), (90, 60)):
        lens[:, y : y + 6, x : x + 6] *= 0.4
    change = measure_change(remade(drive.clip, lens), drive.clip, drive.geometry)
    assert change.drops > 0.003
    assert change.flakes < 0.03, "it does not come and go"


def test_clips_that_are_not_frame_for_frame_are_refused(drive: Drive) -> None:
    short = Clip(
        frames=drive.clip.frames[:4].copy(),
        timestamps_seconds=drive.clip.timestamps_seconds[:4].copy(),
        fps=10.0,
    )
    with pytest.raises(ValueError, match="frame for frame"):
        measure_change(short, drive.clip)
    assert recognise_clip(short, drive.clip).label in CLASSES, "their looks can still be compared"


@pytest.mark.parametrize("shape", [(1, 48, 64, 3), (2, 30, 20, 3), (3, 90, 400, 3)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_and_tiny_pictures_have_finite_measures(shape: tuple[int, ...], value: int) -> None:
    clip = Clip(frames=np.full(shape, value, np.uint8), timestamps_seconds=np.arange(shape[0]) / 10, fps=10.0)
    measures = measure_appearance(clip).model_dump()
    assert all(np.isfinite(v) for v in measures.values())
    assert sum(recognise(measure_appearance(clip)).scores.values()) == pytest.approx(1, abs=1e-3)


def test_the_heads_are_complete_and_named() -> None:
    assert set(heads()) == {"alone", "pair", "against"}
    for head in heads().values():
        assert len(head.weights) == len(head.bias) == len(CLASSES)
        assert (
            {len(row) for row in head.weights} == {len(head.names)} == {len(head.mean)} == {len(head.spread)}
        )
        assert min(head.spread) > 0
    assert len(recognition_version()) == 12


def test_renders_of_an_unseen_scene_are_named(drive: Drive) -> None:
    named = {}
    for spec in (s for s in presets()["nine"].specs if s.name in ("fog", "rain", "snow", "night")):
        made = render_drive(UNSEEN, frames=6, size=(256, 144), spec=spec)
        seen = recognise_clip(made.clip, drive.clip, drive.geometry)
        assert seen.scores[seen.label] == max(seen.scores.values())
        assert len(seen.evidence) == 8
        named[spec.name] = seen.label
    assert named == {name: name for name in named}


def test_real_clips_are_by_day(real_data: Path) -> None:
    av = pytest.importorskip("av")
    for path in sorted((real_data / "clips").glob("*.mp4")):
        with av.open(str(path)) as file:
            frames = np.stack(
                [f.to_ndarray(format="rgb24") for i, f in enumerate(file.decode(video=0)) if i < 30]
            )
        clip = Clip(frames=frames, timestamps_seconds=np.arange(len(frames)) / 10, fps=10.0)
        condition = estimate_condition(clip)
        known = {"city_day_720p_30fps.mp4": ("clear",), "rural_day_480p_10fps.mp4": ("overcast",)}
        assert condition.label in known.get(path.name, ("clear", "overcast")), (path.name, condition)
        flags = (condition.is_night, condition.is_wet, condition.is_snowy, condition.is_precipitating)
        assert not any(flags)
