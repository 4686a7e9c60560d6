"""What `augment` returns and prints, wherever the variants were made: here, or on a server."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgen.datatypes import Failure, Variant, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmented:
    """What `augment` returns: every variant, also those made by earlier runs."""

    variants: tuple[Variant, ...]
    failures: tuple[Failure, ...]
    folders: dict[str, Path]
    """Variant id -> its folder."""
    report: Path | None
    seconds: float
    reused: int = 0
    """How many had been made before."""
    notes: tuple[str, ...] = ()
    """Where a rewriter's prompts were not used, and why."""

    def __iter__(self) -> Iterator[Variant]:
        """Iterate over the variants."""
        return iter(self.variants)

    def __len__(self) -> int:
        """Count the variants."""
        return len(self.variants)

    @property
    def accepted(self) -> tuple[Variant, ...]:
        """Those that may be trained on without a look."""
        return tuple(v for v in self.variants if v.verdict.accepted)

    def to_json(self) -> dict[str, Any]:
        """Return the stable fields of ``worldgen augment --json``."""
        return {
            "variants": [variant_json(v, self.folders.get(v.id)) for v in self.variants],
            "failures": [f.model_dump(mode="json") for f in self.failures],
            "report": str(self.report) if self.report else None,
            "seconds": round(self.seconds, 3),
        }


def variant_json(variant: Variant, folder: Path | None) -> dict[str, Any]:
    """Return a variant in the command line's stable fields."""
    video = folder / "variant.mp4" if folder else Path(variant.candidate.video.uri)
    return {
        "id": variant.id,
        "spec": variant.spec.model_dump(mode="json", exclude_none=True),
        "model": variant.provenance.model,
        "verdict": variant.verdict.state,
        "recognised": variant.verdict.recognised,
        "findings": findings_json(variant.verdict),
        "video": str(video),
        "labels": str(folder / "labels.coco.json") if folder and variant.labels else None,
        "provenance": str(folder / "provenance.json") if folder else None,
    }


def findings_json(verdict: Verdict) -> list[dict[str, Any]]:
    """Return findings in the command line's stable fields."""
    return [f.model_dump(mode="json") for f in verdict.findings]
