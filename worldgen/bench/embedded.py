"""Embedded: the small world model that ships, on held-out scenes, by the production path.

Recordings of scenes that its training never saw, at the model's own size; controls by the extractor, the plan
by the planner, the clip by the engine, the verdict by the measured critic: one attempt each, no retry.
"""

import asyncio
import itertools
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from worldgen.bench.progress import BenchProgress
from worldgen.config.specs import find_preset
from worldgen.datatypes import Clip, Geometry, Source, Spec, Variant
from worldgen.imaging.appearance import measure_appearance
from worldgen.imaging.change import measure_change
from worldgen.imaging.fidelity import edge_f1, edges_of, psnr
from worldgen.imaging.recognition import recognise
from worldgen.sources.proving_ground import record, render_drive

Figures: TypeAlias = dict[str, dict[str, Any]]

MODEL: Final = "cosmos3-embedded"
HELD_OUT: Final = range(4_000_000, 4_000_050)
"""Seeds that no training, fitting or test of the critic uses (checkpoints/small*.yaml)."""
SIZE: Final = (224, 128)
FRAMES: Final = 17
SAMPLE: Final = 4
CONDITIONS_PER_SCENE: Final = 2
GOALS: Final[dict[str, tuple[str, float | None]]] = {
    "condition_recognised": ("share", 0.9),
    "acceptance": ("share", None),
    "edge_f1": ("F1", 0.55),
    "edge_f1_another_scene": ("F1", None),
    "vae_edge_f1": ("F1", 0.7),
    "vae_psnr": ("dB", 26.0),
    "seconds_per_clip": ("s", 20.0),
    "clips": ("clips", None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was measured of one clip."""

    is_recognised: bool
    is_accepted: bool
    edge_f1: float
    edge_f1_another: float
    """Against the scene before: what agreement by chance is worth."""
    seconds: float


def measure(full: bool) -> tuple[Figures, str]:
    """Measure the model that ships.

    Args:
        full: All 50 held-out scenes, not four.

    Returns:
        Figures, and what was sampled in words.

    Raises:
        ContractError: This installation has no such model.
        WeightsError: Its weights are not here, or are not what they should be.
    """
    from worldgen.models.build import profile_of

    profile_of(MODEL)  # is it there at all?
    scenes = HELD_OUT if full else HELD_OUT[:SAMPLE]
    values = measure_model(MODEL, scenes)
    figures: Figures = {
        name: {"value": round(value, 4), "unit": GOALS[name][0], "goal": GOALS[name][1]}
        for name, value in values.items()
    }
    words = f"{len(scenes)} of {len(HELD_OUT)} held-out scenes, {CONDITIONS_PER_SCENE} conditions each"
    return figures, f"{words}; {FRAMES} frames of {SIZE[0]}x{SIZE[1]}; edges: Canny 100/200 within 1 px"


def measure_model(
    model: str,
    seeds: range,
    *,
    size: tuple[int, int] = SIZE,
    frames: int = FRAMES,
    parameters: dict[str, float | int | str | bool] | None = None,
) -> dict[str, float]:
    """Measure a Cosmos 3 on scenes of the proving ground; see `GOALS` for what is returned."""
    from worldgen.assembly.wiring import assembled
    from worldgen.models.cosmos3.settings import settings_of
    from worldgen.planning import RetryPolicy
    from worldgen.sources.open import open_source

    made: list[Made] = []
    trips: list[dict[str, float]] = []
    policy = RetryPolicy(max_attempts=1)
    round_trips = RoundTrips(settings_of(model).weights)
    with (
        tempfile.TemporaryDirectory() as root,
        assembled(model=model, parameters=parameters, policy=policy) as assembly,
        BenchProgress("scenes", len(seeds)) as progress,
    ):
        other = edges_of(render_drive(seeds[0] - 1, frames=frames, size=size).clip.frames)
        for index, seed in enumerate(seeds):
            folder = record(seed, Path(root) / str(seed), frames=frames, size=size, fps=10.0)
            source = open_source(folder)
            made.extend(asyncio.run(_variants(assembly, source, index, other)))
            clip = _read(source)[0]
            trips.append(round_trips.of(clip))
            other = edges_of(clip.frames)
            progress.advance()
    seconds = [one.seconds for one in made]
    return {
        "condition_recognised": statistics.fmean(one.is_recognised for one in made),
        "acceptance": statistics.fmean(one.is_accepted for one in made),
        "edge_f1": statistics.fmean(one.edge_f1 for one in made),
        "edge_f1_another_scene": statistics.fmean(one.edge_f1_another for one in made),
        "vae_edge_f1": statistics.fmean(trip["edge_f1"] for trip in trips),
        "vae_psnr": statistics.fmean(trip["psnr"] for trip in trips),
        "seconds_per_clip": statistics.median(seconds),
        "clips": float(len(made)),
    }


class RoundTrips:
    """The checkpoint's VAE alone: what cannot be better in any clip.

    Args:
        weights: Name in the manifest.
    """

    def __init__(self, weights: str) -> None:
        import torch

        from worldgen.models.cosmos3.codec import Codec
        from worldgen.models.cosmos3.load import load
        from worldgen.weights import find

        self._codec = Codec(load(find(weights)).vae, torch.bfloat16)

    def of(self, clip: Clip) -> dict[str, float]:
        """Send a clip through the VAE: signal-to-noise ratio and agreement of edges."""
        from worldgen.models.cosmos3.codec import frames_of

        frames = np.asarray(clip.frames)
        back = frames_of(self._codec.decode(self._codec.encode(frames, range(len(frames)))))
        return {"psnr": psnr(back, frames), "edge_f1": edge_f1(edges_of(back), edges_of(frames))}


async def _variants(
    assembly: Any,  # noqa: ANN401 -- an Assembly
    source: Source,
    index: int,
    other: npt.NDArray[np.bool_],
) -> list[Made]:
    """Make and measure the conditions of one scene, which differ from scene to scene."""
    made: list[Made] = []
    clip, geometry = _read(source)
    for spec in conditions_of(index, seed=index):
        if len(made) == CONDITIONS_PER_SCENE:
            break
        async for outcome in assembly.make_variants(source, [spec]):
            if isinstance(outcome, Variant):
                made.append(_measured(assembly, outcome, clip, geometry, other))
            elif not outcome.is_expected:
                message = f"{outcome.code}: {outcome.message}"
                raise RuntimeError(message)
    return made


def _measured(
    assembly: Any,  # noqa: ANN401 -- an Assembly
    variant: Variant,
    source: Clip,
    geometry: Geometry | None,
    other: npt.NDArray[np.bool_],
) -> Made:
    candidate = assembly.scratch.clip(variant.candidate.video)
    found = recognise(
        measure_appearance(candidate, geometry),
        measure_appearance(source, geometry),
        measure_change(candidate, source, geometry),
    )
    condition = variant.provenance.plan.condition
    took = variant.candidate.seconds
    edges = edges_of(candidate.frames)
    return Made(
        is_recognised=found.label == variant.spec.expected_on(condition),
        is_accepted=variant.verdict.state == "accepted",
        edge_f1=edge_f1(edges, edges_of(source.frames)),
        edge_f1_another=edge_f1(edges, other),
        seconds=sum(value for stage, value in took.items() if stage != "load"),
    )


def conditions_of(index: int, *, seed: int) -> Iterator[Spec]:
    """Go round the nine classes, from where the scene before left off."""
    nine = find_preset("nine", seed=seed).specs
    start = index * CONDITIONS_PER_SCENE
    return itertools.islice(itertools.cycle(nine), start % len(nine), start % len(nine) + len(nine))


def _read(source: Source) -> tuple[Clip, Geometry | None]:
    """Read a recording's clip and geometry."""
    from worldgen.sources.open import read_source_clip, read_source_geometry

    return read_source_clip(source), read_source_geometry(source)
