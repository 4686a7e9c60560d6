"""An estimate before anything is done: which specs the model takes, how long, how large."""

import platform
from pathlib import Path
from typing import Any

from worldgen.assembly.augmenting import Options, source_of
from worldgen.assembly.specs import Specs, specs_of
from worldgen.assembly.wiring import assembled
from worldgen.errors import WorldgenError
from worldgen.imaging.condition import estimate_condition
from worldgen.models.choice import default_model
from worldgen.planning import check_transition, fit_to
from worldgen.sources.open import read_source_clip, read_source_geometry

# Seconds per megapixel of one core, all stages of the physics path; measured by `worldgen bench physics`
# (whole_path_fps_per_core at 1280x720) and rounded up.
_SECONDS_PER_MEGAPIXEL = 0.30
# x264 crf 18 veryfast on the real clips: 0.6 to 1.6 bit per pixel.
_BYTES_PER_PIXEL = 0.14


def estimate(path: str | Path, specs: Specs, options: Options) -> dict[str, Any]:
    """Say what `augment` would do. Writes nothing.

    Raises:
        BadInput: As `augment` would.
    """
    source = source_of(path, options)
    model = options.model or default_model()
    rows = []
    with assembled(model=model, parameters=options.parameters) as assembly:
        profile = assembly.model.profile
        fit_to(source, profile)
        condition = source.condition or estimate_condition(
            read_source_clip(source), read_source_geometry(source)
        )
        for spec in specs_of(specs, seed=options.seed):
            try:
                check_transition(spec, condition, profile)
            except WorldgenError as error:
                rows.append({"spec": spec.name, "code": error.code, "outcome": error.message})
            else:
                rows.append({"spec": spec.name, "code": "ok", "outcome": f"made by {profile.name}"})
    megapixels = source.frames * source.width * source.height / 1e6
    made = sum(row["code"] == "ok" for row in rows)
    return {
        "source": source.uri,
        "condition": condition.label,
        "model": model,
        "variants": rows,
        "seconds": round(megapixels * _SECONDS_PER_MEGAPIXEL * made, 1),
        "megabytes": round(megapixels * _BYTES_PER_PIXEL * made, 1),
        "machine": platform.machine(),
    }
