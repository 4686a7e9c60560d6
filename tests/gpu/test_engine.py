"""The engine on an NVIDIA GPU: the processor's result, its memory given back, no surprise while it runs.

Nothing of PyAV or Ray is imported, so that these run on a bare GPU machine. Not one of them was run by this
project yet: none of its machines had a GPU.
"""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from worldgen.bench.true_size import BACKENDS, Trial, measure_on, parts_of
from worldgen.errors import Cancelled
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import load
from worldgen.models.cosmos3.placement import free_memory
from worldgen.models.cosmos3.request import Control, Decoded, Sampling, StepDone, Transfer
from worldgen.models.cosmos3.tiny import SMALL, make_checkpoint, make_network, make_vae
from worldgen.models.engine.guidance import Guidance

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU here"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("cosmos3") / "tiny")


def request(*, steps: int = 3, size: tuple[int, int] = (48, 80), frames: int = 13) -> Transfer:
    pixels = np.random.default_rng(1).integers(0, 256, (frames, *size, 3), dtype=np.uint8)
    return Transfer(
        prompt="heavy rain, wet road",
        negative="blurry",
        controls=(Control(kind="edge", frames=pixels, digest=f"{size}"),),
        sampling=Sampling(steps=steps, guidance=Guidance(text=3.0, control=1.5), fps=10.0),
        seed=5,
    )


def pixels(engine: Cosmos3Engine, wanted: Transfer) -> torch.Tensor:
    decoded = [e.pixels for e in engine.transfer(wanted, threading.Event()) if isinstance(e, Decoded)]
    return torch.cat(decoded, dim=2).float().cpu()


def steps_until_cancelled(engine: Cosmos3Engine, wanted: Transfer) -> int:
    """Cancel after the first step, and count those that came."""
    stop, seen = threading.Event(), 0
    try:
        for event in engine.transfer(wanted, stop):
            seen += isinstance(event, StepDone)
            stop.set()
    except Cancelled:
        return seen
    pytest.fail("it was made to the end")


def test_it_gives_what_the_processor_gives(folder: Path) -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        on_gpu = pixels(Cosmos3Engine(load(folder, dtype=torch.float32, device="cuda")), request())
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
    here = pixels(Cosmos3Engine(load(folder, dtype=torch.float32)), request())
    assert (on_gpu - here).abs().max() < 1e-2
    assert (on_gpu - here).abs().mean() < 1e-4


def test_a_cancel_ends_within_a_step_and_gives_the_memory_back(folder: Path) -> None:
    engine = Cosmos3Engine(load(folder, dtype=torch.bfloat16, device="cuda"), cache_bytes=0)
    pixels(engine, request(steps=1))  # what kernels keep for themselves is there from now on
    free_memory()
    held = torch.cuda.memory_allocated()
    assert steps_until_cancelled(engine, request(steps=30, size=(192, 320))) <= 2
    free_memory()
    assert torch.cuda.memory_allocated() <= held + (1 << 20)


def test_too_little_memory_is_an_error_that_can_be_gone_on_from(folder: Path) -> None:
    engine = Cosmos3Engine(load(folder, dtype=torch.bfloat16, device="cuda"))
    good = pixels(engine, request())
    free_memory()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (64 << 20)) / total)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            pixels(engine, request(size=(704, 1280), frames=93))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    free_memory()
    assert torch.equal(pixels(engine, request()), good)


def test_guidance_over_intervals_reads_nothing_back_from_the_device(folder: Path) -> None:
    engine = Cosmos3Engine(load(folder, dtype=torch.bfloat16, device="cuda"))
    wanted = request(steps=6)
    weak = Guidance(text=2.0, control=2.0, text_interval=(400, 1000), control_interval=(0, 950))
    wanted = replace(wanted, sampling=replace(wanted.sampling, guidance=weak))
    pixels(engine, wanted)
    events = engine.transfer(wanted, threading.Event())
    assert isinstance(next(events), StepDone)
    torch.cuda.set_sync_debug_mode("error")
    try:
        # The second to the fifth step: neither what comes before the first nor what decodes after the last.
        for _ in range(4):
            assert isinstance(next(events), StepDone)
    finally:
        torch.cuda.set_sync_debug_mode("default")
        events.close()


def test_the_bench_of_true_sizes_runs_on_every_backend_there_is() -> None:
    with torch.random.fork_rng(), torch.device("cuda"):
        parts = parts_of(make_network(SMALL).bfloat16(), make_vae(SMALL).bfloat16())
    trial = Trial(tiers={"small": (48, 80)}, backends=BACKENDS, frames=9, steps=4)
    figures, samples = measure_on("cuda", parts, trial)
    assert figures["step_seconds[small, native]"]["value"] > 0
    assert figures["peak_gib[small, native]"]["value"] > 0
    assert torch.cuda.get_device_name() in samples
