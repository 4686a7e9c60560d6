"""The engine at Cosmos 3 Nano's own size on a GPU, beside diffusers' pipeline.

Random weights take as long as real ones; what they paint is noise, and nothing is kept of it. The layout is
the default of diffusers' own classes, which is Nano's (model card: 36 layers of 4096, VAE of Wan2.2).
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from diffusers import AutoencoderKLWan, Cosmos3OmniTransformer
from torch.utils.flop_counter import FlopCounterMode

from worldgen.bench.stock import by_stock, stock_of
from worldgen.errors import ConfigError
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import Parts
from worldgen.models.cosmos3.placement import check_attention, free_memory
from worldgen.models.cosmos3.request import Control, Decoded, Sampling, StepDone, Transfer
from worldgen.models.cosmos3.tiny import make_scheduler, make_tokenizer
from worldgen.models.engine.guidance import Guidance

Figures: TypeAlias = dict[str, dict[str, Any]]

TIERS: Final = {"480p": (480, 832), "720p": (704, 1280)}
"""Height and width: what the vendor's tiers are in whole tokens of 32 pixels."""
FRAMES: Final = 93
GUIDANCE: Final = Guidance(text=3.0, control=1.5)
"""The vendor's preset for edges: three forwards a step."""
BACKENDS: Final = ("native", "_native_flash", "_native_cudnn", "flash", "_flash_3", "sage")
"""Of diffusers' dispatch; what is not installed is left out, and said to be."""
ROOF_TFLOPS: Final = 790.0
"""What large bf16 products reach on an H100 or H200; the roofline of published timings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is timed."""

    tiers: Mapping[str, tuple[int, int]]
    backends: tuple[str, ...] = ("native",)
    frames: int = FRAMES
    steps: int = 4


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of one clip, each after the device has finished."""

    prepare: float
    """Text and controls, before the first step."""
    step: float
    decode: float
    step_tflop: float


def measure(full: bool) -> tuple[Figures, str]:
    """Measure 480p on torch's own attention, or with `full` both tiers on every backend there is.

    Raises:
        ConfigError: `not_permitted` without a GPU.
    """
    if not torch.cuda.is_available():
        message = "the true sizes are measured on a GPU, and torch finds none"
        raise ConfigError(message, reason="not_permitted", hint="worldgen bench engine needs none")
    trial = Trial(tiers=TIERS, backends=BACKENDS) if full else Trial(tiers={"480p": TIERS["480p"]})
    return measure_on("cuda", nano_parts("cuda"), trial)


def nano_parts(device: str) -> Parts:
    """Make Nano with random weights, on the device and in bf16 at once: 33 GB."""
    with _made_on(device):
        network = Cosmos3OmniTransformer()
        vae = AutoencoderKLWan(
            base_dim=160,
            decoder_base_dim=256,
            z_dim=48,
            is_residual=True,
            in_channels=12,
            out_channels=12,
            patch_size=2,
            scale_factor_spatial=16,
            latents_mean=[0.0] * 48,
            latents_std=[1.0] * 48,
        )
    return parts_of(network, vae)


def parts_of(network: Cosmos3OmniTransformer, vae: AutoencoderKLWan) -> Parts:
    """Put modules that were never on disk in the place of a loaded checkpoint."""
    return Parts(
        network=network.eval().requires_grad_(requires_grad=False),
        vae=vae.eval().requires_grad_(requires_grad=False),
        tokenizer=make_tokenizer(320),
        scheduler_config=dict(make_scheduler().config),
        identity="random",
    )


def measure_on(device: str, parts: Parts, trial: Trial) -> tuple[Figures, str]:
    """Time our engine and diffusers' pipeline on the same modules.

    Args:
        device: Where the modules are.
        parts: Network and VAE.
        trial: Sizes, attention backends, frames, steps.

    Returns:
        Per tier and backend: seconds of a step, of what comes before and after, PFLOP/s reached and its share
        of the roofline; stock's step beside it; and what was sampled.
    """
    figures: Figures = {}
    backends = [name for name in trial.backends if _is_there(name)]
    failed: dict[str, str] = {}
    for tier, size in trial.tiers.items():
        request = _request(size, trial)
        stock = _stock_step(device, parts, request)
        figures[f"stock_step_seconds[{tier}]"] = _figure(stock, "s", "-")
        for backend in backends:
            try:
                with _peak(device) as peak:
                    timed = _ours(device, Cosmos3Engine(parts, attention=backend), request)
            except (RuntimeError, ValueError, TypeError) as error:
                # A kernel may be there and refuse this layout; the others are measured all the same.
                failed[backend] = f"{backend} ({type(error).__name__})"
                continue
            finally:
                free_memory()
            figures |= _of_backend(f"{tier}, {backend}", timed, stock, peak())
    absent = [name for name in trial.backends if name not in backends] + list(failed.values())
    missing = f"; not measured: {', '.join(absent)}" if absent else ""
    count = sum(p.numel() for p in parts.network.parameters())
    return figures, (
        f"{trial.frames} frames, {trial.steps} steps of 3 forwards, one hint, {count / 1e9:.2f} billion "
        f"random weights, {_name(device)}, torch {torch.__version__}{missing}"
    )


def _is_there(backend: str) -> bool:
    try:
        check_attention(backend)
    except ConfigError:
        return False
    return True


def _of_backend(name: str, timed: Timed, stock: float, peak_bytes: int) -> Figures:
    rate = timed.step_tflop / timed.step
    return {
        f"step_seconds[{name}]": _figure(timed.step, "s", "-"),
        f"step_over_stock[{name}]": _figure(timed.step / stock, "times", "<= 1"),
        f"prepare_seconds[{name}]": _figure(timed.prepare, "s", "-"),
        f"decode_seconds[{name}]": _figure(timed.decode, "s", "-"),
        f"step_pflop[{name}]": _figure(timed.step_tflop / 1000, "PFLOP", "-"),
        f"rate[{name}]": _figure(rate, "TFLOP/s", "-"),
        f"share_of_roofline[{name}]": _figure(rate / ROOF_TFLOPS, f"of {ROOF_TFLOPS:g} TFLOP/s", "-"),
        f"peak_gib[{name}]": _figure(peak_bytes / 2**30, "GiB", "-"),
    }


def _ours(device: str, engine: Cosmos3Engine, request: Transfer) -> Timed:
    _last(engine.transfer(replace(request, sampling=replace(request.sampling, steps=1)), threading.Event()))
    # The first clip read text and controls; here they are asked for anew, as the next clip's would be.
    engine.cache.clear()
    events = engine.transfer(request, threading.Event())
    started = _now(device)
    moments: list[float] = []
    flops = 0
    decoded = 0.0
    while True:
        with FlopCounterMode(display=False) if len(moments) == 1 else _nothing() as counter:
            event = next(events)
        if isinstance(event, StepDone):
            if isinstance(counter, FlopCounterMode):
                flops = counter.get_total_flops()
            moments.append(_now(device))
        elif isinstance(event, Decoded):
            decoded = _now(device)
            break
    steps = np.diff(moments)
    # The second step was counted, which costs time of its own.
    step = median(steps[1:].tolist())
    return Timed(moments[0] - started - step, step, decoded - moments[-1], flops / 1e12)


def _stock_step(device: str, parts: Parts, request: Transfer) -> float:
    """Seconds of a step of diffusers' pipeline: the difference of two lengths, so that all else cancels."""
    pipeline = stock_of(parts)
    few, many = 1, request.sampling.steps

    def seconds(steps: int) -> float:
        started = _now(device)
        by_stock(pipeline, request, steps=steps, device=device)
        return _now(device) - started

    seconds(few)  # warms up
    shorter = seconds(few)
    return (seconds(many) - shorter) / (many - few)


def _request(size: tuple[int, int], trial: Trial) -> Transfer:
    pixels = np.random.default_rng(0).integers(0, 2, (trial.frames, *size, 1), dtype=np.uint8) * 255
    return Transfer(
        prompt="A video from the front camera of a car: heavy rain, wet road.",
        negative="blurry",
        controls=(Control(kind="edge", frames=np.repeat(pixels, 3, axis=3), digest="bench"),),
        sampling=Sampling(
            steps=trial.steps, guidance=GUIDANCE, fps=10.0, chunk_frames=trial.frames, conditional_frames=1
        ),
        seed=1,
    )


@contextmanager
def _made_on(device: str) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def _peak(device: str) -> Iterator[Callable[[], int]]:
    """Count the most bytes that were allocated at once; 0 without a GPU."""
    if device != "cuda":
        yield lambda: 0
        return
    torch.cuda.reset_peak_memory_stats()
    yield torch.cuda.max_memory_allocated


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def _last(events: Iterator[Any]) -> None:
    for _ in events:
        pass


def _now(device: str) -> float:
    """Return the time when the device has done all that was asked of it."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else device


def _figure(value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "goal": goal}
