"""The memory estimate, held to the tensors that tiny weights really hold while they paint."""

import threading
import weakref
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from worldgen.errors import WeightsError
from worldgen.models.build import profile_of
from worldgen.models.cosmos3.codec import Codec, frames_of
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import Parts, load
from worldgen.models.cosmos3.memory import WITHIN, Demand, cheaper, demand_of, estimate_memory
from worldgen.models.cosmos3.request import Control, Sampling, StepDone, Transfer
from worldgen.models.cosmos3.settings import settings_of
from worldgen.models.cosmos3.shape import Shape, shape_of
from worldgen.models.cosmos3.text import TRANSFER_SYSTEM_PROMPT, token_ids
from worldgen.models.cosmos3.tiny import Layout, make_checkpoint
from worldgen.models.engine.guidance import Guidance

WIDE = Layout(width=256, heads=8, key_heads=2, head_dim=32, mlp=768)
"""Its layers hold more than its pixels do."""
WIDE_VAE = Layout(vae_width=24)
"""Its decoder, too."""
SMALL = Demand(size=(320, 192), frames=9, dtype="float32")


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]  # of torch
    """Counts the bytes of the storages that are alive, of those made in here."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of torch
        self.now = self.peak = 0
        self._held: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._held:
                    self._held[storage._cdata] = storage.nbytes()
                    self.now += storage.nbytes()
                    weakref.finalize(storage, self._gone, storage._cdata)
        self.peak = max(self.peak, self.now)
        return made

    def _gone(self, name: int) -> None:
        self.now -= self._held.pop(name, 0)


def request(demand: Demand, *, words: str = "x" * 300) -> Transfer:
    width, height = demand.size
    pixels = np.zeros((demand.frames, height, width, 3), np.uint8)
    kinds: list[Any] = ["edge", "depth", "seg"][: demand.hints]
    return Transfer(
        prompt=words,
        negative=words,
        controls=tuple(Control(kind=k, frames=pixels, digest=k) for k in kinds),
        sampling=Sampling(steps=2, guidance=Guidance(text=3.0, control=1.5), fps=10.0),
        seed=1,
    )


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("wide") / "c", WIDE)


@pytest.fixture(scope="module")
def wide_vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("vae") / "c", WIDE_VAE)


def near(estimated: int, measured: int) -> bool:
    return measured / WITHIN <= estimated <= measured * WITHIN


@pytest.mark.parametrize("layout", [Layout(), WIDE, Layout(is_edge=True), Layout(action_dim=0)])
def test_weights_are_counted_from_the_configuration_alone(tmp_path: Path, layout: Layout) -> None:
    folder = make_checkpoint(tmp_path / "c", layout)
    shape, parts = shape_of(folder), load(folder)
    assert shape.network_parameters == pytest.approx(counted(parts.network), rel=0.002)
    assert shape.vae_parameters == counted(parts.vae)


def counted(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_nano_and_super_have_as_many_weights_as_diffusers_makes() -> None:
    """15.17 and 64.02 billion, counted once on the meta device."""
    told = [settings_of(name).shape.network_parameters for name in ("cosmos3-nano", "cosmos3-super")]
    assert [round(count / 1e9, 2) for count in told] == [15.17, 64.02]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("hints", [1, 3])
def test_a_step_holds_what_is_estimated(wide: Path, dtype: str, hints: int) -> None:
    parts = load(wide, dtype=getattr(torch, dtype))
    demand = replace(SMALL, dtype=dtype, hints=hints, size=(640, 384), frames=5)
    wanted = request(demand)
    live = Live()
    with live:
        peaks = []
        for event in Cosmos3Engine(parts).transfer(wanted, threading.Event()):
            if isinstance(event, StepDone):
                peaks.append(live.peak)
                live.peak = live.now
    asked = replace(demand, text_tokens=len(token_ids(parts.tokenizer, "x" * 300, TRANSFER_SYSTEM_PROMPT)))
    told = estimate_memory(shape_of(wide), asked)
    estimated = told.text + told.latents + told.layer
    assert near(estimated, peaks[1]), (estimated, peaks[1])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("checkpoint", ["folder", "wide_vae"])
def test_a_decode_holds_what_is_estimated(
    request: pytest.FixtureRequest, checkpoint: str, dtype: str, tiled: bool
) -> None:
    place = request.getfixturevalue(checkpoint)
    parts: Parts = load(place, dtype=getattr(torch, dtype))
    if tiled:
        parts.vae.enable_tiling()
    codec, live = Codec(parts.vae, getattr(torch, dtype)), Live()
    demand = replace(SMALL, dtype=dtype, size=(512, 320), vae_tiling=tiled)
    with live:
        frames_of(codec.decode(torch.zeros(1, codec.channels, 3, 320 // 16, 512 // 16)))
    told = estimate_memory(shape_of(place), demand).decode
    assert near(told, live.peak), (told, live.peak)


@pytest.mark.parametrize("name", ["cosmos3-nano", "cosmos3-super"])
def test_more_of_anything_needs_more(name: str) -> None:
    shape = settings_of(name).shape
    base = Demand(size=(832, 480), frames=61)
    ways: dict[str, tuple[Any, ...]] = {
        "frames": (5, 33, 61, 121, 189),
        "size": ((320, 192), (832, 480), (1280, 720)),
        "hints": (1, 2, 3, 5),
        "texts": (1, 2),
        "text_tokens": (100, 1000, 4096),
        "dtype": ("bfloat16", "float32"),
        "offload": ("layers", "understanding", "none"),
        "vae_tiling": (True, False),
    }
    for field, values in ways.items():
        told = [estimate_memory(shape, replace(base, **dict.fromkeys([field], value))) for value in values]
        assert all(a.peak <= b.peak for a, b in pairwise(told)), field
        sums = [m.weights + m.text + m.latents + m.layer + m.decode for m in told]
        assert all(a < b for a, b in pairwise(sums)), field


def test_what_is_offloaded_waits_on_the_host() -> None:
    shape, demand = Shape(), Demand(size=(1280, 720), frames=121)
    whole = estimate_memory(shape, demand)
    for mode in ("understanding", "layers"):
        split = estimate_memory(shape, replace(demand, offload=mode))
        assert whole.host == 0 < split.host < whole.weights
        assert split.weights + split.host >= whole.weights


def test_cheaper_settings_are_cheaper_and_sorted() -> None:
    tiers = settings_of("cosmos3-nano").tiers
    demand = Demand(size=(1280, 720), frames=121, hints=1)
    found = cheaper(Shape(), demand, tiers)
    names = [name for name, _ in found]
    assert names[0] == "offload=layers"
    assert {"vae_tiling=true", "tier=480", "tier=256", "offload=understanding"} <= set(names)
    assert "1 controls" in dict(cheaper(Shape(), replace(demand, hints=2), tiers))
    peaks = [m.peak for _, m in found]
    assert peaks == sorted(peaks)
    assert peaks[-1] < estimate_memory(Shape(), demand).peak


def test_the_profile_tells_every_tier_without_weights() -> None:
    profile = profile_of("cosmos3-nano")
    told = [profile.memory_estimates_gib[tier] for tier in sorted(profile.tiers)]
    assert told == sorted(told)
    assert 28 < told[0] < told[-1] < profile.memory_gib, "the vendor's figure is the whole process's"


def test_a_plan_s_parameters_say_what_is_asked() -> None:
    asked = demand_of(
        {"chunk_frames": 93, "guidance": 1.0, "dtype": "float16", "offload": "layers", "vae_tiling": True},
        size=(832, 480),
        frames=300,
        hints=2,
        words="w" * 900,
    )
    assert (asked.frames, asked.texts, asked.text_tokens, asked.vae_tiling) == (93, 1, 300, True)


def test_a_configuration_without_sizes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as missing:
        shape_of(tmp_path)
    assert missing.value.reason == "incomplete"
    for part in ("transformer", "vae"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text("{}")
    with pytest.raises(WeightsError) as damaged:
        shape_of(tmp_path)
    assert damaged.value.reason == "damaged"
