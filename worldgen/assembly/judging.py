"""Judging what others made: nothing is generated."""

from pathlib import Path

from worldgen.assembly.wiring import assembled
from worldgen.config.specs import parse_specs
from worldgen.datatypes import Case, Spec, Verdict
from worldgen.media.video import ref_of
from worldgen.sources.open import open_source


def judge(
    source_path: str | Path,
    candidate_path: str | Path,
    *,
    spec: str | Spec | None = None,
    labels: str | Path | None = None,
    calibration: str | Path | None = None,
    camera: str | None = None,
    seed: int = 0,
) -> Verdict:
    """Judge a candidate that anybody made. Nothing is generated.

    Raises:
        BadInput: One of the files cannot be used.
        JudgeError: The critic itself failed.
    """
    source = open_source(
        Path(source_path),
        camera=camera,
        labels=Path(labels) if labels else None,
        calibration=Path(calibration) if calibration else None,
    )
    open_source(Path(candidate_path))  # hostile input is normal: probe what others made
    asked = spec if isinstance(spec, Spec) or spec is None else parse_specs(spec, seed=seed)[0]
    with assembled() as assembly:
        material = assembly.extractor.extract(source, frozenset())
        case = Case(
            source=material.video,
            geometry=material.geometry,
            controls=material.controls,
            candidate=ref_of(Path(candidate_path)),
            spec=asked,
            condition=material.condition,
            labels=material.labels,
        )
        return assembly.critic.judge(case)
