"""Cosmos 3 as a world model: what its settings do to plans, memory and files."""

import re
import threading
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.situations_cosmos3 import QUICK, SPEC, Situation, install, source_of
from worldgen.assembly import Options, estimate
from worldgen.config.presets import find_preset
from worldgen.datatypes import (
    Candidate,
    ControlMap,
    Progress,
)
from worldgen.errors import ConfigError, ContractError, GenerationError, WeightsError
from worldgen.media.encode import write_video
from worldgen.media.scratch import Scratch
from worldgen.models.build import build_model, profile_of
from worldgen.models.cosmos3.fitting import fitted, restored
from worldgen.models.cosmos3.model import sampling_of
from worldgen.planning import RetryPolicy, fit_to, variant_id_of
from worldgen.prompts import negative_prompt_for, prompt_for

pytestmark = pytest.mark.usefixtures("installed")


PRESETS = {
    "edge": (3.0, 1.5, 121),
    "blur": (3.0, 1.5, 121),
    "depth": (3.0, 1.5, 121),
    "seg": (3.0, 2.0, 121),
    "wsm": (1.0, 3.0, 101),
}


@pytest.mark.parametrize("kind", PRESETS)
def test_a_hint_brings_its_preset(tmp_path: Path, kind: Any) -> None:
    plan = Situation(tmp_path).plan(SPEC.model_copy(update={"control_weights": {kind: 1.0}}))
    p = plan.parameters
    assert (p["guidance"], p["control_guidance"], p["chunk_frames"]) == PRESETS[kind]


def test_several_hints_have_a_preset_of_their_own(tmp_path: Path) -> None:
    plan = Situation(tmp_path).plan(SPEC.model_copy(update={"control_weights": {"edge": 1.0, "depth": 0.5}}))
    assert (plan.parameters["guidance"], plan.parameters["control_guidance"]) == (2.0, 2.0)
    assert {c.kind for c in plan.controls} == {"edge", "depth"}


def test_what_a_user_sets_wins_over_the_preset(tmp_path: Path) -> None:
    plan = Situation(tmp_path, guidance=5.0, control_to=500).plan()
    sampling = sampling_of(plan)
    assert sampling.guidance.text == 5.0
    assert sampling.guidance.control == 1.5
    assert sampling.guidance.control_interval == (0.0, 500.0)
    assert sampling.guidance.text_interval is None
    assert sampling.chunk_frames == 9, "never longer than the clip"


@pytest.mark.parametrize(
    ("change", "parameters", "reason", "nearest"),
    [
        ({"fps": 60.0}, {}, "fps", "30 frames a second"),
        ({"fps": 4.0}, {}, "fps", "10 frames a second"),
        ({"frames": 6000}, {}, "frames", "4997 frames"),
        ({}, {"tier": 500}, "size", "tier=480"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_nearest(
    tmp_path: Path, change: dict[str, Any], parameters: dict[str, Any], reason: str, nearest: str
) -> None:
    clip = Situation(tmp_path).clip
    profile = profile_of("cosmos3-nano", {**QUICK, **parameters})
    with pytest.raises(ContractError) as refused:
        fit_to(source_of(clip, **change), profile)
    assert refused.value.reason == reason
    assert nearest in refused.value.hint


def test_the_profile_needs_no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(tmp_path / "none"))
    assert profile_of("cosmos3-nano").verified_with_real_weights is False
    with pytest.raises(WeightsError) as missing:
        build_model("cosmos3-nano", Scratch(tmp_path / "s"))
    assert "worldgen models pull cosmos3-nano" in missing.value.hint


def test_other_weights_give_other_variants_and_no_plan_of_theirs_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    situation = Situation(tmp_path / "a")
    own = profile_of("cosmos3-nano")
    install(tmp_path / "weights", "cosmos3-nano", seed=1)
    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(tmp_path / "weights"))
    other = profile_of("cosmos3-nano")
    assert own.checkpoint != other.checkpoint
    names = {
        variant_id_of("s", "r", SPEC, profile, policy=RetryPolicy(), critic="c") for profile in (own, other)
    }
    assert len(names) == 2
    plan = situation.plan()
    assert plan.checkpoint == own.checkpoint, "provenance tells it"
    with pytest.raises(WeightsError, match=other.checkpoint) as refused:
        Situation(tmp_path / "b").make(plan)
    assert refused.value.code == "weights.changed"


def test_offload_changes_nothing(tmp_path: Path) -> None:
    kept = Situation(tmp_path / "a").frames()
    for place in ("understanding", "layers"):
        assert np.array_equal(Situation(tmp_path / place, offload=place).frames(), kept)


def test_tiles_and_bfloat16_stay_near(tmp_path: Path) -> None:
    kept = Situation(tmp_path / "a").frames().astype(float)
    near = Situation(tmp_path / "b", vae_tiling=True, dtype="bfloat16").frames()
    assert 0 < np.abs(near - kept).mean() < 8


def test_provenance_tells_where_and_how_it_was_made(tmp_path: Path) -> None:
    candidate = Situation(tmp_path, attention="native", offload="layers").make()
    told = candidate.rendered
    assert (told["device"], told["dtype"], told["attention"], told["offload"]) == (
        "cpu",
        "float32",
        "native",
        "layers",
    )
    assert (told["step_cache"], told["guidance"], told["control_edge"]) == ("off", 3.0, 1.0)
    assert told["torch"] == torch.__version__
    assert told["threads"] == 1, "what torch was given here"
    assert told["weights"] == "cosmos3-nano@000000000000"
    assert candidate.counters["repeated_encodes"] == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"attention": "magic"},
        {"attention": "sage"},
        {"offload": "moon"},
        {"device": "cuda"},
        {"threads": -1},
        {"threads": 9999},
    ],
)
def test_a_placement_that_does_not_exist_is_refused(tmp_path: Path, parameters: dict[str, Any]) -> None:
    if torch.cuda.is_available() and "device" in parameters:
        pytest.skip("device=cuda is right on this machine: it has a GPU")
    if parameters.get("attention") == "sage" and find_spec("sageattention"):
        pytest.skip("sage is right on this machine: its package is installed")
    with pytest.raises((ConfigError, ContractError)):
        Situation(tmp_path, **parameters).make()


def test_out_of_memory_is_told_with_what_would_need_less_and_the_model_lives(tmp_path: Path) -> None:
    situation = Situation(tmp_path)
    good = situation.frames()
    inner: Any = getattr(situation.model, "model", situation.model)
    layer = inner._loaded[1].network.generation.layers[1]

    def full(*_: object) -> None:
        message = "CUDA out of memory. Tried to allocate 2.00 GiB."
        raise torch.OutOfMemoryError(message)

    hook = layer.register_forward_pre_hook(full)
    with pytest.raises(GenerationError) as failed:
        situation.make()
    hook.remove()
    assert failed.value.reason == "out_of_memory"
    assert "320x192" in failed.value.message
    assert "64 GiB" in failed.value.message
    told = re.search(r"estimate for that is ([\d.]+) GiB", failed.value.message)
    assert told is not None
    less = dict(re.findall(r"([\w=]+) \(([\d.]+) GiB\)", failed.value.hint))
    assert {"chunk_frames=5"} <= set(less), "of the tiny weights that are installed, not of Nano's"
    assert all(0 < float(gib) <= float(told.group(1)) for gib in less.values())
    assert np.array_equal(situation.frames(), good)


def test_variants_of_a_clip_share_their_encodes(tmp_path: Path) -> None:
    situation = Situation(tmp_path)
    first = situation.make()
    other = situation.make(situation.plan(SPEC.model_copy(update={"prompt": "snow", "seed": 9})))
    assert first.counters["control_made"] == 1
    assert other.counters["control_made"] == 0
    assert other.counters["text_made"] == 1, "its own prompt; the negative one is shared"
    assert first.video.sha256 != other.video.sha256


def test_control_maps_of_another_length_are_refused(tmp_path: Path) -> None:
    situation = Situation(tmp_path)
    short = ControlMap(kind="edge", frames=situation.clip.frames[:3], origin="simulator")
    plan = situation.plan().model_copy(update={"controls": (situation.scratch.put_control(short, fps=10.0),)})
    with pytest.raises(ContractError, match=r"6 frames.*edge has 3") as refused:
        situation.make(plan)
    assert refused.value.reason == "controls"


def test_carla18_encodes_nothing_twice(tmp_path: Path) -> None:
    """The named workload: one clip, 18 conditions, each with its own caption."""
    situation = Situation(tmp_path, steps=1, control_guidance=1.0)
    specs = find_preset("carla18").specs
    assert len(specs) == 18
    counted: Counter[str] = Counter()
    for spec in specs:
        # Some of them are what a clear day is already; planning would say so, and that is not the matter here.
        plan = situation.plan().model_copy(
            update={"spec": spec, "prompt": prompt_for(spec), "negative_prompt": negative_prompt_for(spec)}
        )
        counted.update(situation.make(plan).counters)
    assert counted["control_made"] == 1
    assert counted["control_shared"] == 17
    assert counted["repeated_encodes"] == 0


def test_rgb_starts_the_clip_when_asked(tmp_path: Path) -> None:
    free, started = Situation(tmp_path / "a").frames(), Situation(tmp_path / "b", start_frames=1).frames()
    assert not np.array_equal(free[0], started[0])


def test_a_killed_generation_goes_on_where_it_stood(tmp_path: Path) -> None:
    whole = Situation(tmp_path / "a", steps=4).make()
    killed = Situation(tmp_path / "b", steps=4, save_every=1)
    plan = killed.plan()
    running = killed.model.generate(plan, threading.Event())
    for _ in range(3):
        next(running)
    running.close()  # type: ignore[attr-defined]  # a generator
    again = Situation(tmp_path / "c", steps=4, save_every=1)
    told = list(again.model.generate(again.plan(), threading.Event()))
    assert sum(isinstance(e, Progress) for e in told) < 4
    assert isinstance(told[-1], Candidate)
    assert told[-1].video.sha256 == whole.video.sha256


def test_a_long_clip_reports_its_seams(tmp_path: Path) -> None:
    candidate = Situation(tmp_path, frames=9, chunk_frames=5).make()
    assert [f.check for f in candidate.findings] == ["generation.seam"]
    assert candidate.findings[0].severity == "info"
    assert candidate.findings[0].places[0].last_frame == 5
    assert candidate.rendered["worst_seam"] == pytest.approx(candidate.findings[0].value, abs=1e-3)


def test_frames_are_fitted_and_restored(tmp_path: Path) -> None:
    situation = Situation(tmp_path)
    fit = situation.plan().fit
    frames = fitted(situation.clip.frames, fit, "seg")
    assert frames.shape == (9, 192, 320, 3)
    assert np.array_equal(frames[6], frames[5]), "padded with the last one"
    assert set(np.unique(frames)) <= set(np.unique(situation.clip.frames)), "a palette is not mixed"
    assert fit.content == (0, 6, 320, 186), "16:9 stands whole in the middle of 5:3"
    assert restored(frames[0], fit).shape == (54, 96, 3)
    assert (situation.make().video.width, situation.make().video.height) == (96, 54)


def test_a_dry_run_makes_the_checks_of_a_run_and_tells_the_memory(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    write_video(clip, Situation(tmp_path / "s").clip.frames, fps=10.0)
    options = Options(model="cosmos3-nano", parameters=QUICK, condition="clear")
    told = estimate(clip, "fog", options)
    assert told["variants"][0]["code"] == "ok"
    assert 0 < told["memory_gib"]["peak"] < 1, "of the tiny weights that are installed"
    more = replace(options, control_weights={"edge": 1.0, "depth": 1.0})
    assert estimate(clip, "fog", more)["memory_gib"]["latents"] > told["memory_gib"]["latents"]
    mask = tmp_path / "mask.png"
    cv2.imwrite(str(mask), np.full((54, 96), 255, np.uint8))
    masked = estimate(clip, "fog", replace(options, masks={"depth": mask}))
    assert masked["variants"][0]["code"] == "contract.controls"
    with pytest.raises(ContractError, match="mask of edge"):
        estimate(clip, "fog", replace(options, model="physics", parameters={}, masks={"edge": mask}))
