"""Which tower a layer belongs to, found by watching the network run; and that diffusers has two of them swapped."""

from typing import Any

import pytest
import torch
from diffusers.pipelines.cosmos import mixed_precision
from torch import nn

from tests.situations_cosmos3 import events, request
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.fp8 import correct_towers, tower_of
from worldgen.models.cosmos3.load import Parts

TEXT, GRID = 7, (2, 3, 5)


@pytest.fixture
def watched(parts: Parts) -> dict[str, str]:
    """Run the network's own forward on 7 words and 30 patches; rows of a layer's input tell its tower."""
    network, seen, hooks = parts.network, {}, []
    rows = {TEXT: "reasoner", 30: "generation"}
    for name, layer in network.layers.named_modules(prefix="layers"):
        if isinstance(layer, nn.Linear):

            def look(_: nn.Module, given: Any, name: str = name) -> None:
                seen[name] = rows[given[0].shape[0]]

            hooks.append(layer.register_forward_pre_hook(look))
    noisy = torch.arange(GRID[0])
    places = torch.arange(TEXT, TEXT + 30)
    with torch.inference_mode():
        network(
            input_ids=torch.arange(TEXT),
            text_indexes=torch.arange(TEXT),
            position_ids=torch.zeros(3, TEXT + 30),
            und_len=TEXT,
            sequence_length=TEXT + 30,
            vision_tokens=[torch.zeros(1, 8, 2, 6, 10)],
            vision_token_shapes=[GRID],
            vision_sequence_indexes=places,
            vision_mse_loss_indexes=places,
            vision_timesteps=torch.full((30,), 500.0),
            vision_noisy_frame_indexes=[noisy],
        )
    for hook in hooks:
        hook.remove()
    return seen


def test_towers_are_as_the_network_runs_them(watched: dict[str, str]) -> None:
    assert {name: tower_of(name) for name in watched} == watched
    assert set(watched.values()) == {"generation", "reasoner"}
    assert tower_of("proj_in") is None
    assert tower_of("layers.0.self_attn.norm_q") is None


def test_diffusers_is_put_right_or_is_right(watched: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = mixed_precision._classify_cosmos3_linear
    # Replaced by itself: `correct_towers` changes diffusers for the whole process, and this puts it back.
    monkeypatch.setattr(mixed_precision, "_classify_cosmos3_linear", theirs)
    wrong = {n for n, tower in watched.items() if theirs(n) != tower}
    assert correct_towers() is bool(wrong)
    assert all("self_attn" in name for name in wrong)
    assert {n: mixed_precision._classify_cosmos3_linear(n) for n in watched} == watched
    assert correct_towers() is False, "once"


def test_a_plain_checkpoint_has_no_schedule(engine: Cosmos3Engine) -> None:
    assert not engine.precision.config.enabled
    assert events(engine, request(steps=1))
