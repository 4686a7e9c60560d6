"""What the small model learns from: scenes, conditions, shards."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from checkpoints.conditions import CLASSES, draw_spec, draw_specs
from checkpoints.recipe import DataRecipe, Recipe, read_recipe
from checkpoints.scenes import make_scene
from checkpoints.shards import Shards, held_out_seeds, make_shards, path_of, train_seeds
from checkpoints.train import Run
from worldgen.datatypes import Condition
from worldgen.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def test_a_scene_is_the_same_whenever_it_is_made(recipe: Recipe) -> None:
    one, other = make_scene(3_000_001, recipe.data), make_scene(3_000_001, recipe.data)
    assert one.facts() == other.facts()
    assert all(np.array_equal(a.frames, b.frames) for a, b in zip(one.takes, other.takes, strict=True))
    assert all(np.array_equal(one.controls[name], other.controls[name]) for name in one.controls)


def test_every_take_and_control_fits_frame_for_frame(recipe: Recipe) -> None:
    scene = make_scene(3_000_002, recipe.data)
    shape = (recipe.data.frames, recipe.data.size[1], recipe.data.size[0])
    assert {t.made_by for t in scene.takes} == {"own", "physics", "rendered"}
    assert {t.frames.shape for t in scene.takes} == {(*shape, 3)}
    assert set(scene.controls) == {"edge", "edge1", "blur", "depth", "seg", "wsm"}
    assert {c.shape for c in scene.controls.values()} == {(*shape, 3)}
    assert scene.tags.shape == scene.depth_m.shape == shape
    own, other = scene.takes[0], scene.takes[1]
    assert not np.array_equal(own.frames, other.frames)
    assert own.captions != other.captions
    assert other.captions[1].startswith("{")


@pytest.mark.parametrize("label", CLASSES)
def test_drawn_specs_are_of_the_class_that_was_asked(label: str) -> None:
    rng = np.random.default_rng(3)
    assert {draw_spec(rng, label).asks_for for _ in range(30)} == {label}


def test_physics_is_asked_only_for_what_it_can_make() -> None:
    night = Condition(label="night", is_night=True)
    drawn = draw_specs(np.random.default_rng(0), 8, night, for_physics=True)
    assert drawn
    assert not {spec.asks_for for spec in drawn} & {"dusk", "low_sun", "night"}


def test_seeds_of_training_and_evaluation_never_meet() -> None:
    for name in ("small16", "small8", "tiny"):
        data = read_recipe(ROOT / "checkpoints" / f"{name}.yaml").data
        assert not set(train_seeds(data)) & set(held_out_seeds(data))
        assert min(train_seeds(data)) >= 3_000_000  # the critic's own test lies below
    with pytest.raises(ValidationError, match="overlap"):
        DataRecipe(first_seed=10, scenes=5, held_out_first_seed=14)


def test_shards_go_on_where_they_stopped(tmp_path: Path, recipe: Recipe, run: Run) -> None:
    seeds = train_seeds(recipe.data)
    first = path_of(tmp_path, seeds[0])
    first.write_bytes(path_of(run.folder / "data", seeds[0]).read_bytes())
    before = first.stat().st_mtime_ns
    assert list(make_shards(tmp_path, recipe, seeds)) == [seeds[1]]
    assert first.stat().st_mtime_ns == before
    assert list(make_shards(tmp_path, recipe, seeds)) == []
    assert not list(tmp_path.glob(".*partly"))
    shards = Shards(tmp_path, seeds)
    again = Shards(run.folder / "data", seeds)
    assert np.array_equal(shards.frames(shards.takes[-1]), again.frames(again.takes[-1]))


def test_data_of_another_recipe_is_not_mixed_in(recipe: Recipe, run: Run) -> None:
    other = recipe.model_copy(update={"data": recipe.data.model_copy(update={"physics": 1})})
    with pytest.raises(ConfigError, match="another recipe"):
        list(make_shards(run.folder / "data", other, train_seeds(recipe.data)))


def test_a_scene_that_is_missing_is_named(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match="3000000"):
        Shards(tmp_path, train_seeds(recipe.data))


def test_the_cache_of_pictures_is_bounded(run: Run, recipe: Recipe) -> None:
    bound = 40_000
    shards = Shards(run.folder / "data", train_seeds(recipe.data), cache_bytes=bound)
    for item in shards.takes:
        shards.frames(item)
    assert shards._bytes <= bound


def test_pictures_read_ahead_are_those_read_later(run: Run, recipe: Recipe) -> None:
    seeds = train_seeds(recipe.data)
    ahead, later = (Shards(run.folder / "data", seeds) for _ in range(2))
    held = ahead.preload(3)
    items = [*ahead.takes, *ahead.controls]
    assert held == sum(later.array(i.seed, i.name).nbytes for i in items)
    assert all(np.array_equal(ahead.frames(i), later.frames(i)) for i in items)
    assert Shards(run.folder / "data", seeds, cache_bytes=held // 2).preload(2) <= held // 2


def test_training_needs_neither_ray_nor_a_video_library(tmp_path: Path) -> None:
    code = """
import sys
sys.modules |= dict.fromkeys(("av", "ray", "decord", "fastapi"))  # None: as if it were not installed
from checkpoints.train import main
import checkpoints.evaluate, checkpoints.painter
changes = ["data", "--recipe", "one.yaml", "--run", "run", "--workers", "1", "--device", "cpu"]
raise SystemExit(main(changes))
"""
    base = ROOT / "checkpoints" / "tiny.yaml"
    (tmp_path / "one.yaml").write_text(
        f"base: {base}\ndata: {{scenes: 1, held_out: 1, physics: 1, rendered: 0}}\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(list((tmp_path / "run" / "data").glob("scene-*.npz"))) == 2
