"""The bench of the critic: its split, its tables, its makers."""

import hashlib

import numpy as np
import pytest

from worldgen.bench.critic import figures_of, real_figures_of, split
from worldgen.bench.critic.goods import GENERATORS
from worldgen.bench.critic.pictured import PICTURED
from worldgen.bench.critic.real import Window, erased_box, goods_of, real_folder, windows_of
from worldgen.bench.critic.scene import TestScene, asked_specs, is_visible
from worldgen.bench.critic.split import HELD_OUT_GOODS, SALT, is_held_out
from worldgen.bench.critic.table import markdown, summary
from worldgen.bench.critic.trial import MAKERS, Trial
from worldgen.controls.from_clip import estimate_geometry
from worldgen.imaging.condition import estimate_condition

SEED = 2003


@pytest.fixture(scope="module")
def scene() -> TestScene:
    return TestScene(SEED)


def trial(kind: str, verdict: str, *, strength: int = 1, good: bool = False, held_out: bool = False) -> Trial:
    return Trial(
        seed=1,
        kind=kind,
        strength=0 if good else strength,
        is_good=good,
        held_out=held_out,
        asked="fog",
        verdict=verdict,
        recognised="fog",
        failed=("structure.new",) if verdict == "rejected" else (),
    )


def test_the_split_is_the_hash_of_the_first_commit():
    assert SALT == "worldgen-critic-2026-11"
    share = int(hashlib.sha256(f"{SALT}:defect:ghosting".encode()).hexdigest()[:8], 16) / 2**32
    assert is_held_out("ghosting") is (share < 0.4)
    assert sum(is_held_out(k) for k in MAKERS) >= len(MAKERS) / 3


def test_one_generator_of_goods_is_held_out_and_test_scenes_are_new():
    assert set(GENERATORS) > HELD_OUT_GOODS
    assert split.test_seed(0) == 12_000_000


def test_a_review_stops_nothing_and_is_not_acceptance():
    found = summary([trial("erased", "rejected"), trial("erased", "review"), trial("erased", "accepted")])
    assert found["defects_rejected"]["hits"] == 1
    assert found["defects_not_accepted"]["hits"] == 2


def test_kinds_are_told_apart_by_strength_with_intervals():
    table = summary(
        [
            trial("erased", "rejected", strength=3),
            trial("erased", "accepted"),
            trial("x", "rejected", good=True),
        ]
    )
    row = table["per_kind"]["erased"]
    assert row["strengths"][3]["value"] == 1
    assert row["strengths"][1]["value"] == 0
    assert 0 < row["low"] < 0.5 < row["high"] < 1
    assert table["per_generator"]["x"]["why"] == {"structure.new": 1}
    assert "| erased |  | 50% of 2" in markdown(table)


def test_figures_name_every_kind_only_in_full():
    found = [trial("erased", "rejected"), trial("physics", "accepted", good=True)]
    assert "stopped.erased" not in figures_of(found)
    full = figures_of(found, by_kind=True)
    assert full["stopped.erased"]["strengths"]["1"]["value"] == 1
    assert full["good_rejected.physics"]["value"] == 0


def test_real_clips_claim_no_interval():
    figures = real_figures_of([trial("shifted", "accepted"), trial("physics", "rejected", good=True)], 2)
    assert "interval" not in figures["real.good_rejected"]
    assert figures["real.defects_stopped"]["missed"] == {"shifted": 1}


def test_every_generator_makes_frames_of_the_source_size(scene):
    for name, make in GENERATORS.items():
        good = make(scene, np.random.default_rng(SEED))
        assert good.generator == name
        assert good.frames.shape == scene.source_frames.shape
        assert good.frames.dtype == np.uint8


def test_every_kind_of_foreign_good_changes_the_picture_steadily(scene):
    shown = [GENERATORS["foreign_weather"](scene, np.random.default_rng(i)) for i in range(12)]
    source = scene.source_frames.astype(np.float32)
    for good in shown:
        change = np.abs(good.frames - source).mean(axis=(1, 2, 3))
        assert change.min() > 2
        assert np.ptp(change) < 0.35 * change.mean()
    assert {g.spec.name if g.spec else "" for g in shown} >= {"rain", "darker", ""}


@pytest.mark.parametrize("kind", sorted(PICTURED))
def test_a_defect_of_pictures_can_be_seen(scene, kind):
    frames = PICTURED[kind](scene, 3, np.random.default_rng(SEED))
    assert frames is not None
    assert is_visible(scene.painted, frames)


def test_a_folder_without_clips_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLDGEN_REAL_CLIPS", str(tmp_path))
    assert real_folder() is None


def test_windows_of_a_real_clip_make_goods_and_defects(real_data):
    clip = windows_of(min((real_data / "clips").glob("*.mp4")))[1]
    geometry = estimate_geometry(clip)
    spec = next(s for s in asked_specs() if s.name == "fog")
    window = Window(clip, geometry, estimate_condition(clip, geometry), spec, spec)
    goods = list(goods_of(window, np.random.default_rng(1)))
    assert [g.generator for g in goods] == ["physics", "physics_recompressed", "re_encoded", "graded"]
    bad = erased_box(window, 3, np.random.default_rng(1))
    assert bad is not None
    assert is_visible(window.painted, bad)
