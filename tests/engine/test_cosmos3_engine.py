"""What the engine does beyond the stock pipeline: cancel, NaN, sharing, weights, masks, resume, seams."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import Cosmos3OmniTransformer

from tests.situations_cosmos3 import FRAMES, SIZE, checkpoint, control, events, made, pixels, request
from worldgen.errors import Cancelled, ContractError, GenerationError
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import load
from worldgen.models.cosmos3.network import SharedNetwork
from worldgen.models.cosmos3.request import Decoded, Made, StepDone, Transfer
from worldgen.models.cosmos3.towers import Rotation
from worldgen.models.engine.cache import bytes_of
from worldgen.models.engine.guidance import Guidance
from worldgen.models.engine.resume import FolderSaves

LONG = {"chunk_frames": 9, "steps": 4}


def differ(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


def test_every_step_of_every_chunk_is_told(engine: Cosmos3Engine) -> None:
    told = events(engine, request(control(frames=21), **LONG))
    steps = [(e.chunk, e.step) for e in told if isinstance(e, StepDone)]
    assert steps == [(chunk, step) for chunk in range(3) for step in (1, 2, 3, 4)]
    assert [e.chunk for e in told if isinstance(e, Decoded)] == [0, 1, 2]
    assert isinstance(told[-1], Made)
    assert told[-1].frames.shape == (21, *SIZE, 3)


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_stop_ends_within_one_step(engine: Cosmos3Engine, after: int) -> None:
    stop = threading.Event()
    running = engine.transfer(request(control(frames=21), **LONG), stop)
    seen = 0
    while seen < after:
        seen += isinstance(next(running), StepDone)
    stop.set()
    later: list[Any] = []
    with pytest.raises(Cancelled):
        later.extend(running)
    assert not any(isinstance(e, StepDone) for e in later), "a step was told after the stop"
    assert made(engine, request()).frames.any(), "usable afterwards"


@pytest.mark.parametrize(("chunk", "step"), [(0, 2), (1, 3)])
def test_latents_that_are_not_finite_name_step_and_chunk(
    engine: Cosmos3Engine, monkeypatch: pytest.MonkeyPatch, chunk: int, step: int
) -> None:
    calls = iter(range(1000))
    whole = engine.network.embed_time

    def broken(timestep: torch.Tensor) -> torch.Tensor:
        return whole(timestep) * (float("nan") if next(calls) == chunk * 4 + step - 1 else 1.0)

    # Weights with a NaN fail in the first step; only a fault put in from outside comes at a chosen one.
    monkeypatch.setattr(engine.network, "embed_time", broken)
    with pytest.raises(GenerationError, match=f"step {step} of chunk {chunk + 1}") as failed:
        events(engine, request(control(frames=15), **LONG))
    assert failed.value.reason == "not_finite"


def test_variants_of_one_clip_encode_nothing_again(engine: Cosmos3Engine) -> None:
    """18 prompts over one clip, as carla18: controls once, the negative prompt once."""
    controls = (control(frames=15), control("depth", frames=15, seed=2))
    for variant in range(18):
        wanted = request(*controls, steps=1, prompt=f"condition {variant}", seed=variant, chunk_frames=9)
        counters = made(engine, wanted).counters
        assert counters["control_made"] == (4 if variant == 0 else 0)
        assert counters["text_made"] == (2 if variant == 0 else 1)
        assert counters.get("control_repeated", 0) == counters.get("text_repeated", 0) == 0
    assert engine.cache.counts["rotation_made"] <= 4, "one per length of a prompt"


def test_a_cache_without_room_gives_the_same_frames(parts: Any, engine: Cosmos3Engine) -> None:
    bare = Cosmos3Engine(parts, cache_bytes=0)
    wanted = request(control(frames=15), chunk_frames=9)
    assert torch.equal(pixels(bare, wanted), pixels(engine, wanted))
    again = made(bare, wanted).counters
    assert again["control_repeated"] == 2, "counted honestly"


def test_checkpoints_share_nothing(folder: Path, tmp_path: Path) -> None:
    other = load(checkpoint(tmp_path, seed=1), dtype=torch.float32)
    assert other.identity != load(folder, dtype=torch.float32).identity


def test_weight_one_is_exact_and_weight_zero_is_absent(engine: Cosmos3Engine) -> None:
    edge, depth = control(), control("depth", seed=2)
    one = pixels(engine, request(edge, depth))
    ones = np.ones((FRAMES, *SIZE), np.float32)
    masked = control("depth", seed=2, mask=ones)
    assert differ(pixels(engine, request(edge, masked)), one) < 1e-5
    alone = pixels(engine, request(edge))
    assert torch.equal(pixels(engine, request(edge, control("depth", seed=2, weight=0.0))), alone)
    hidden = control("depth", seed=2, mask=0 * ones)
    assert differ(pixels(engine, request(edge, hidden)), alone) < 1e-5
    assert differ(one, alone) > 1e-4


def test_weights_go_from_absent_to_present(engine: Cosmos3Engine) -> None:
    edge = control()
    alone = pixels(engine, request(edge))
    moved = [
        differ(pixels(engine, request(edge, control("depth", seed=2, weight=w))), alone)
        for w in (0.01, 0.3, 2)
    ]
    assert moved == sorted(moved)
    assert moved[0] < moved[-1] / 3


def test_a_weight_of_two_is_the_control_twice(engine: Cosmos3Engine) -> None:
    """Counting a token twice is what log 2 on its score means: two equal hints at weight 1 say the same."""
    twice = (control("edge"), control("blur"))
    heavy = pixels(engine, request(control("edge", weight=2.0), guidance=Guidance(control=1.5)))
    assert differ(pixels(engine, request(*twice, guidance=Guidance(control=1.5))), heavy) < 1e-5


def test_a_mask_acts_where_it_is(engine: Cosmos3Engine) -> None:
    """Hiding the right half of a control changes the picture as if that half were not known."""
    left = np.zeros((FRAMES, *SIZE), np.float32)
    left[:, :, : SIZE[1] // 2] = 1.0
    shown, other = control(mask=left), control(mask=left)
    other.frames[:, :, -16:] = 255 - other.frames[:, :, -16:]  # Beyond what the VAE mixes into the left half.
    other = control(mask=left)
    base = pixels(engine, request(control()))
    assert differ(pixels(engine, request(shown)), base) > 1e-4
    assert torch.equal(pixels(engine, request(other)), pixels(engine, request(shown)))


def killed(engine: Cosmos3Engine, wanted: Transfer, saves: FolderSaves, after: int) -> None:
    running = engine.transfer(wanted, threading.Event(), saves)
    for _ in range(after):
        while not isinstance(next(running), StepDone):
            pass
    running.close()  # type: ignore[attr-defined]  # a generator


@pytest.mark.parametrize("after", [2, 3, 5, 7, 11])
def test_a_killed_generation_goes_on_and_ends_the_same(
    parts: Any, engine: Cosmos3Engine, tmp_path: Path, after: int
) -> None:
    wanted = request(control(frames=21), save_every=2, **LONG)
    whole = made(engine, wanted).frames
    killed(engine, wanted, FolderSaves(tmp_path / "s", "me"), after)
    fresh = Cosmos3Engine(parts)
    told = events(fresh, wanted, saves=FolderSaves(tmp_path / "s", "me"))
    assert isinstance(told[-1], Made)
    assert np.array_equal(told[-1].frames, whole)
    redone = 12 - sum(isinstance(e, StepDone) for e in told)
    assert redone == after - after % 2, "goes on at the last saved state, or the last whole chunk"
    assert not (tmp_path / "s").exists(), "nothing is left when it is done"


def test_states_of_another_request_or_damaged_ones_are_left_aside(
    engine: Cosmos3Engine, tmp_path: Path
) -> None:
    wanted = request(control(frames=15), save_every=1, **LONG)
    whole = made(engine, wanted).frames
    killed(engine, wanted, FolderSaves(tmp_path / "s", "me"), 3)
    assert FolderSaves(tmp_path / "s", "you").read() is None
    path = tmp_path / "s" / "step.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    saves = FolderSaves(tmp_path / "s", "me")
    assert saves.read() is None
    assert np.array_equal(made(engine, wanted, saves=saves).frames, whole)


def test_seams_are_where_chunks_begin(engine: Cosmos3Engine) -> None:
    result = made(engine, request(control(frames=21), chunk_frames=9))
    assert [s.frame for s in result.seams] == [9, 17]
    assert all(s.difference > 0 for s in result.seams)
    assert made(engine, request()).seams == ()


def test_a_short_last_chunk_changes_only_the_last(engine: Cosmos3Engine) -> None:
    full = made(engine, request(control(frames=12), chunk_frames=9)).frames
    short = made(engine, request(control(frames=12), chunk_frames=9, short_last=True)).frames
    assert short.shape == full.shape
    assert np.array_equal(short[:9], full[:9])


BAD = {
    "two of a kind": request(control(), control(seed=2)),
    "lengths that differ": request(control(), control("depth", frames=9)),
    "nothing that counts": request(control(weight=0.0)),
    "a mask of another size": request(control(mask=np.ones((3, 4, 4), np.float32))),
    "an unknown hint": request(control("lidar")),
    "weights with step caching": request(control(weight=0.5), step_cache={}),
}


@pytest.mark.parametrize("wanted", BAD.values(), ids=list(BAD))
def test_what_does_not_fit_is_refused_before_any_compute(engine: Cosmos3Engine, wanted: Transfer) -> None:
    with pytest.raises(ContractError) as refused:
        next(iter(engine.transfer(wanted, threading.Event())))
    assert refused.value.reason == "controls"
    assert not engine.cache.counts


def test_a_size_that_does_not_fit_names_the_nearest(engine: Cosmos3Engine) -> None:
    odd = control()
    cut = type(odd)(kind="edge", frames=odd.frames[:, :46, :75], digest="odd")
    with pytest.raises(ContractError, match="80x48") as refused:
        events(engine, request(cut))
    assert refused.value.reason == "size"


def test_settings_that_the_step_cache_does_not_take_are_refused(engine: Cosmos3Engine) -> None:
    with pytest.raises(ContractError) as refused:
        events(engine, request(step_cache={"threshold": -1.0}))
    assert refused.value.reason == "parameters"


def test_sharing_can_be_turned_off_and_changes_nothing(parts: Any, engine: Cosmos3Engine) -> None:
    wanted = request(control(frames=15), control("seg", frames=15, seed=3), chunk_frames=9)
    apart = Cosmos3Engine(parts, shares=False)
    assert differ(pixels(apart, wanted), pixels(engine, wanted)) < 1e-5
    assert made(apart, wanted).counters["control_repeated"] == 4


def test_nanos_true_sizes_fit_together() -> None:
    """The published shapes, without memory: 121 frames of 1280x720, one hint, a caption of 1500 tokens."""
    with torch.device("meta"):
        nano = Cosmos3OmniTransformer(action_gen=True, action_dim=64)
    network = SharedNetwork(nano)
    assert sum(p.numel() for p in nano.parameters()) == pytest.approx(15.17e9, rel=1e-3)
    assert sum(p.numel() for p in network.generation.parameters()) == pytest.approx(6.95e9, rel=1e-2)
    latents = torch.empty(1, 48, 31, 45, 80, device="meta")
    assert network.grid_of(latents) == (31, 23, 40)
    tokens = 31 * 23 * 40

    def rotation(count: int) -> Rotation:
        return Rotation(*(torch.empty(count, 128, device="meta") for _ in range(2)))

    with torch.inference_mode():
        text = network.understanding(torch.zeros(1500, dtype=torch.long, device="meta"), rotation(1500))
        items = [network.tokens_of(latents) for _ in range(2)]
        velocity = network.velocity(
            items[1], items[:1], text, rotation(tokens), latents=latents, conditioned=1
        )
    assert items[0].shape == (tokens, 4096)
    assert velocity.shape == latents.shape
    assert bytes_of(tuple(text)) == 2 * 36 * 8 * 128 * 1500 * 4
