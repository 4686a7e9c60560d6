"""The engine beside diffusers' own pipeline: random weights in the production layout, on CPU, in float32.

Processor time, so that a busy machine slows both alike; what is compared alternates within one run, and
each figure is a median over the rounds. The checkpoint has the laptop-sized layout; at true sizes the shares
differ: encoding and text weigh less there, and the network more.

An unshared call keeps nothing between steps, branches or calls: our loop over the network's own forward. A
cold call shares within itself, as every call of ours does, and starts with an empty cache.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

import numpy as np
import torch

from worldgen.bench.stock import by_stock, stock_from
from worldgen.datatypes import Spec
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import Parts, load
from worldgen.models.cosmos3.request import Control, Decoded, Made, Sampling, Transfer
from worldgen.models.cosmos3.tiny import LAPTOP, make_checkpoint
from worldgen.models.engine.guidance import Guidance
from worldgen.prompts import negative_prompt_for, prompt_for

Figures: TypeAlias = dict[str, dict[str, Any]]

SIZE: Final = (96, 160)
FRAMES: Final = 9
STEPS: Final = 6
EXACT: Final = 1e-5
GUIDANCE: Final = Guidance(text=3.0, control=1.5)
"""The vendor's preset for edges: three forwards a step."""
SPECS: Final = (
    Spec(seed=1, fog_mor_m=80),
    Spec(seed=2, rain_mm_h=20, wetness=0.8, clouds_okta=8),
    Spec(seed=3, snow_mm_h=2, snow_cover=0.7, clouds_okta=8),
    Spec(seed=4, sun_elevation_deg=-20),
    Spec(seed=5, sun_elevation_deg=5, clouds_okta=2),
    Spec(seed=6, clouds_okta=8),
    Spec(seed=7, wetness=0.9),
    Spec(seed=8, dust_mor_m=150),
)


def measure(full: bool) -> tuple[Figures, str]:
    """Measure; `full` takes five rounds instead of one of the eight variants, and three of one.

    Returns:
        Figures, and what was sampled in words.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _measure(make_checkpoint(Path(folder) / "cosmos3", LAPTOP), full)
    finally:
        torch.set_num_threads(threads)


def _measure(folder: Path, full: bool) -> tuple[Figures, str]:
    parts = load(folder, dtype=torch.float32)
    stock = stock_from(folder)
    request = _request(SPECS[1])
    theirs, ours, difference = [], [], 0.0
    for index in range(6 if full else 4):
        mine, seconds = _timed(partial(_pixels, Cosmos3Engine(parts), request))
        other, stock_seconds = _timed(partial(by_stock, stock, request))
        difference = max(difference, float((mine - other).abs().max()))
        if index:  # The first round warms both up.
            ours.append(seconds)
            theirs.append(stock_seconds)
    shared: list[float] = []
    unshared: list[float] = []
    cold: list[float] = []
    repeated = 0
    requests = [_request(spec) for spec in SPECS]
    for _ in range(5 if full else 1):
        engine = Cosmos3Engine(parts)
        # One after the other in turn, so that both meet the same machine.
        rows = [
            tuple(
                _timed(partial(_made, e, r))[1]
                for e in (engine, Cosmos3Engine(parts, shares=False), Cosmos3Engine(parts))
            )
            for r in requests
        ]
        for seconds_of, column in zip((shared, unshared, cold), zip(*rows, strict=True), strict=True):
            seconds_of.append(sum(column))
        repeated += sum(n for name, n in engine.cache.counts.items() if name.endswith("_repeated"))
    figures = {
        "one_variant_over_stock": _figure(median(ours) / median(theirs), "times", "<= 0.95"),
        "eight_variants_over_unshared": _figure(median(shared) / median(unshared), "times", "<= 0.95"),
        "eight_variants_over_cold_calls": _figure(median(shared) / median(cold), "times", "-"),
        "max_difference_from_stock": _figure(difference, "of 0..1", f"<= {EXACT:g}"),
        "repeated_encodes": _figure(repeated, "encodes", "0"),
        "one_variant_seconds": _figure(median(ours), "processor seconds", "-"),
        "stock_seconds": _figure(median(theirs), "processor seconds", "-"),
    }
    return figures, _sample(parts, full)


def _sample(parts: Parts, full: bool) -> str:
    count = sum(p.numel() for p in (*parts.network.parameters(), *parts.vae.parameters()))
    return (
        f"{FRAMES} frames of {SIZE[1]}x{SIZE[0]}, {STEPS} steps of 3 forwards, one hint, {count / 1e6:.1f} "
        f"million random weights, float32, one thread; median of {5 if full else 3} rounds for one variant, "
        f"of {5 if full else 1} for {len(SPECS)}"
    )


def _figure(value: float, unit: str, goal: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "goal": goal}


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def _request(spec: Spec) -> Transfer:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 2, (FRAMES, SIZE[0] // 8, SIZE[1] // 8, 1), dtype=np.uint8) * 255
    frames = np.repeat(np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2), 3, axis=3)
    return Transfer(
        prompt=prompt_for(spec),
        negative=negative_prompt_for(SPECS[0]),
        controls=(Control(kind="edge", frames=frames, digest="bench"),),
        sampling=Sampling(steps=STEPS, guidance=GUIDANCE, fps=10.0),
        seed=spec.seed,
    )


def _pixels(engine: Cosmos3Engine, request: Transfer) -> torch.Tensor:
    chunks = [e.pixels for e in engine.transfer(request, threading.Event()) if isinstance(e, Decoded)]
    return torch.cat(chunks, dim=2)[0].permute(1, 0, 2, 3) * 0.5 + 0.5


def _made(engine: Cosmos3Engine, request: Transfer) -> Made:
    last = list(engine.transfer(request, threading.Event()))[-1]
    if not isinstance(last, Made):
        message = "the engine ended without frames"
        raise TypeError(message)
    return last
