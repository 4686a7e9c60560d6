"""An estimate before anything is done: which specs the model takes, how long, how large."""

import platform
from pathlib import Path
from typing import Any

from worldgen.assembly.augmenting import Options, source_of, weighed
from worldgen.assembly.specs import Specs, specs_of
from worldgen.assembly.wiring import assembled
from worldgen.errors import WorldgenError
from worldgen.imaging.condition import estimate_condition
from worldgen.models.build import memory_estimate
from worldgen.models.choice import default_model
from worldgen.planning import (
    check_masks,
    check_needs,
    check_transition,
    control_weights_of,
    fit_to,
    needs_of,
    parameters_of,
)
from worldgen.sources.open import read_source_clip, read_source_geometry

# Seconds per megapixel of one core, all stages of the physics path; measured by `worldgen bench physics`
# (whole_path_fps_per_core at 1280x720) and rounded up.
_SECONDS_PER_MEGAPIXEL = 0.30
# x264 crf 18 veryfast on the real clips: 0.6 to 1.6 bit per pixel.
_BYTES_PER_PIXEL = 0.14


def estimate(path: str | Path, specs: Specs, options: Options) -> dict[str, Any]:
    """Say what `augment` would do, after the same checks. Writes nothing.

    `memory_gib` is our estimate for the variant that needs most, by part; None for a model without weights.

    Raises:
        BadInput: As `augment` would.
    """
    wanted = weighed(specs_of(specs, seed=options.seed), options.control_weights)
    source = source_of(path, options)
    model = options.model or default_model()
    rows, memory = [], []
    with assembled(model=model, parameters=options.parameters) as assembly:
        profile = assembly.model.profile
        check_needs(source, profile)
        needs_of(wanted, profile)
        fit = fit_to(source, profile)
        condition = source.condition or estimate_condition(
            read_source_clip(source), read_source_geometry(source)
        )
        for spec in wanted:
            weights = control_weights_of(spec, profile)
            try:
                check_transition(spec, condition, profile)
                check_masks(source, weights)
            except WorldgenError as error:
                rows.append({"spec": spec.name, "code": error.code, "outcome": error.message})
                continue
            rows.append({"spec": spec.name, "code": "ok", "outcome": f"made by {profile.name}"})
            parameters = parameters_of(profile, weights)
            memory.append(
                memory_estimate(
                    profile, parameters, size=fit.model_size, frames=fit.model_frames, hints=len(weights)
                )
            )
    needed = [parts for parts in memory if parts is not None]
    megapixels = source.frames * source.width * source.height / 1e6
    made = sum(row["code"] == "ok" for row in rows)
    return {
        "source": source.uri,
        "condition": condition.label,
        "model": model,
        "variants": rows,
        "seconds": round(megapixels * _SECONDS_PER_MEGAPIXEL * made, 1),
        "megabytes": round(megapixels * _BYTES_PER_PIXEL * made, 1),
        "memory_gib": max(needed, key=lambda parts: parts["peak"]) if needed else None,
        "machine": platform.machine(),
    }
