"""From settings to an extractor."""

from worldgen.controls.extractor import (
    EstimateCondition,
    MaterialExtractor,
    ReadClip,
    ReadGeometry,
    Report,
)
from worldgen.controls.protocol import Extractor
from worldgen.controls.settings import ExtractorSettings
from worldgen.datatypes import Progress
from worldgen.media.scratch import Scratch


def _silent(progress: Progress) -> None:
    del progress


def build_extractor(
    settings: ExtractorSettings,
    scratch: Scratch,
    *,
    read_clip: ReadClip,
    read_geometry: ReadGeometry,
    estimate_condition: EstimateCondition,
    report: Report = _silent,
) -> Extractor:
    """Build the extractor that `settings` describe (configs/controls/*.yaml)."""
    return MaterialExtractor(
        scratch,
        read_clip=read_clip,
        read_geometry=read_geometry,
        estimate_condition=estimate_condition,
        settings=settings,
        report=report,
    )
