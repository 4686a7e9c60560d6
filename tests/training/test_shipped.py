"""The export: the production layout, loaded by production code, painting from controls alone."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan, Cosmos3OmniTransformer, UniPCMultistepScheduler
from safetensors.torch import load_file, save_file

from checkpoints.evaluate import Judge, evaluate
from checkpoints.figures import curves, sheet
from checkpoints.latents import Latents
from checkpoints.painter import Painter
from checkpoints.train import Run, main
from checkpoints.words import Reader
from worldgen.config import load_yaml
from worldgen.errors import ConfigError
from worldgen.models.cosmos3.load import load
from worldgen.models.cosmos3.settings import Cosmos3Settings

CPU = torch.device("cpu")


def test_the_export_is_what_diffusers_own_classes_load(run: Run) -> None:
    folder = run.folder / "model"
    vae = AutoencoderKLWan.from_pretrained(folder / "vae", torch_dtype=torch.bfloat16)
    network = Cosmos3OmniTransformer.from_pretrained(folder / "transformer", torch_dtype=torch.bfloat16)
    scheduler = UniPCMultistepScheduler.from_pretrained(folder / "scheduler")
    statistics = Latents(run.folder / "latents", run.shards().seeds).statistics()
    assert tuple(vae.config.latents_mean) == statistics.mean
    assert tuple(vae.config.latents_std) == statistics.std
    assert vae.config.scale_factor_spatial == run.recipe.coder.spatial
    assert scheduler.config.use_flow_sigmas
    assert scheduler.config.prediction_type == "flow_prediction"
    learnt = load_file(run.folder / "flow" / "state.safetensors")
    held = network.state_dict()
    for name, value in held.items():
        assert torch.equal(value, learnt[f"network.{name}"].to(value.dtype)), name


def test_production_code_loads_the_export_whole(run: Run) -> None:
    parts = load(run.folder / "model")
    assert parts.tokenizer.eos_token == "<|im_end|>"
    assert parts.tokenizer.convert_tokens_to_ids("<|vision_start|>") is not None
    assert len(parts.tokenizer) <= run.recipe.flow.vocabulary
    reader = Reader(parts.tokenizer, 4096)
    text = run.shards().takes[0].captions[0]
    assert text in parts.tokenizer.decode(reader.ids(text))


def test_the_written_settings_are_those_that_models_are_built_by(run: Run) -> None:
    settings = Cosmos3Settings.model_validate(load_yaml(run.folder / "cosmos3-embedded.yaml"))
    profile = settings.profile("cosmos3-embedded")
    assert profile.default_controls == run.recipe.sampling.controls
    assert profile.tiers == {32: ((64, 32),)}
    assert profile.verified_with_real_weights
    assert profile.prompt_style == "plain"
    assert "knows only the proving ground" in profile.note
    assert settings.presets["several"].chunk_frames == run.recipe.data.frames


def test_weights_are_small_bfloat16_and_never_pickled(run: Run) -> None:
    folder = run.folder / "model"
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} <= {".json", ".safetensors", ".jinja"}
    assert all(p.stat().st_size < 15 * 2**20 for p in files)
    held = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    small = [k for k, v in held.items() if v.dtype != torch.bfloat16]
    assert all(name.startswith("time_embedder") for name in small)
    made = json.loads((folder / "made.json").read_text())
    assert made["flow"]["step"] == "8"
    assert made["recipe"]["name"] == "tiny"


def _controls(run: Run) -> dict:
    held = run.held_out()
    item = next(i for i in held.controls if i.name == "control/edge")
    return {"edge": held.frames(item)}


def test_what_is_painted_follows_controls_words_seed_and_weights(run: Run, tmp_path: Path) -> None:
    """Trained for eight steps, nothing is a picture yet; but all that goes in must change what comes out."""
    folder = run.folder / "model"
    noisy = tmp_path / "model"
    _copy_with_larger_output(folder, noisy)
    painter = Painter(noisy, run.recipe.sampling, shift=2.5, device=CPU)
    controls = _controls(run)
    plain = painter.paint(controls, "rain", fps=10, seed=1)
    assert plain.shape == controls["edge"].shape
    assert np.array_equal(plain, painter.paint(controls, "rain", fps=10, seed=1))
    flipped = {"edge": controls["edge"][:, :, ::-1].copy()}
    for other in (
        painter.paint(flipped, "rain", fps=10, seed=1),
        painter.paint(controls, "a starry night", fps=10, seed=1),
        painter.paint(controls, "rain", fps=10, seed=2),
        Painter(folder, run.recipe.sampling, shift=2.5, device=CPU).paint(controls, "rain", fps=10, seed=1),
    ):
        assert not np.array_equal(plain, other)
    assert len(painter.seconds) == 5


def _copy_with_larger_output(folder: Path, to: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            (to / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (to / path.relative_to(folder)).write_bytes(path.read_bytes())
    weights = to / "transformer" / "diffusion_pytorch_model.safetensors"
    held = load_file(weights)
    generator = torch.Generator().manual_seed(0)
    held["proj_out.weight"] = torch.randn(held["proj_out.weight"].shape, generator=generator).to(
        torch.bfloat16
    )
    held["embed_tokens.weight"] = 30 * held["embed_tokens.weight"]
    save_file(held, weights, metadata={"format": "pt"})


def test_evaluation_measures_every_clip_beside_its_ceilings(run: Run) -> None:
    report = evaluate(run, scenes=1)
    figures = report["figures"]
    assert figures["clips"] == len(report["rows"]) == 3
    for name in (
        "edge_f1_control",
        "vae_edge_f1",
        "group_iou",
        "condition_recognised",
        "retrieved_by_control",
    ):
        assert 0 <= figures[name] <= 1, name
    # The truth fits the control that was made of it, whatever the model can do.
    assert figures["true_edge_f1_control"] > 0.6
    assert figures["true_edge_f1_control"] > figures["edge_f1_control"]
    assert figures["seconds_per_clip"] > 0
    assert sum(map(sum, report["confusion"]["recognised"])) == 3
    assert list((run.folder / "evaluation").glob("clips-*.png"))


def test_a_training_frame_is_at_no_distance_from_the_training_set(run: Run) -> None:
    judge = Judge(run, run.held_out())
    shards = run.shards()
    assert judge.distance_to_training(shards.frames(shards.takes[0])) == 0.0
    held = run.held_out()
    assert judge.distance_to_training(held.frames(held.takes[0])) > 1.0


def test_a_prompt_that_is_too_long_is_refused(run: Run) -> None:
    with pytest.raises(ConfigError, match="tokens"):
        Reader(run.finished_tokenizer(), 20).ids("a very long prompt " * 40)


def test_a_stage_says_which_one_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = Path(__file__).resolve().parents[2] / "checkpoints" / "tiny.yaml"
    code = main(["export", "--recipe", str(recipe), "--run", str(tmp_path), "--device", "cpu"])
    assert code == 1
    assert "run the flow stage first" in capsys.readouterr().err


def test_nothing_is_built_on_a_stage_that_ran_out_of_time(tmp_path: Path, run: Run) -> None:
    recipe = Path(__file__).resolve().parents[2] / "checkpoints" / "tiny.yaml"
    (tmp_path / "one.yaml").write_text(f"base: {recipe}\ndata: {{scenes: 2, held_out: 2}}\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "data").symlink_to(run.folder / "data")
    options = ["--recipe", str(tmp_path / "one.yaml"), "--run", str(tmp_path / "run"), "--device", "cpu"]
    assert main(["all", *options, "--minutes", "0"]) == 0
    assert (tmp_path / "run" / "outer" / "state.safetensors").is_file()
    assert not (tmp_path / "run" / "latents").exists()


def test_figures_are_files_that_can_be_looked_at(run: Run, tmp_path: Path) -> None:
    import cv2

    picture = np.full((32, 64, 3), 200, np.uint8)
    sheet(tmp_path / "a" / "sheet.png", [[("one", picture), ("two", picture)], [("three", picture)]])
    assert cv2.imread(str(tmp_path / "a" / "sheet.png")).shape[1] > 2 * 64
    curves(run.folder / "coder" / "log.jsonl", tmp_path / "curves.png")
    assert cv2.imread(str(tmp_path / "curves.png")) is not None
    assert (run.folder / "coder" / "sample-000008.png").is_file()
