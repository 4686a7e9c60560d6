"""From settings to an extractor."""

from worldgen.controls.extractor import (
    EstimateCondition,
    MaterialExtractor,
    ReadClip,
    ReadGeometry,
    ReadScene,
    Report,
)
from worldgen.controls.protocol import Extractor
from worldgen.controls.settings import ExtractorSettings
from worldgen.datatypes import Progress, Source
from worldgen.datatypes.scene import Scene
from worldgen.media.scratch import Scratch


def _silent(progress: Progress) -> None:
    del progress


def _no_scene(source: Source) -> Scene | None:
    del source
    return None


def build_extractor(
    settings: ExtractorSettings,
    scratch: Scratch,
    *,
    read_clip: ReadClip,
    read_geometry: ReadGeometry,
    estimate_condition: EstimateCondition,
    read_scene: ReadScene = _no_scene,
    report: Report = _silent,
) -> Extractor:
    """Build the extractor that `settings` describe (configs/controls/*.yaml)."""
    return MaterialExtractor(
        scratch,
        read_clip=read_clip,
        read_geometry=read_geometry,
        estimate_condition=estimate_condition,
        read_scene=read_scene,
        settings=settings,
        report=report,
    )
