"""Thresholds: every number the panel compares with, typed, from configs/critic/*.yaml."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from worldgen.datatypes import digest
from worldgen.datatypes.digest import Value
from worldgen.errors import ConfigError


class TechnicalLimits(Value):
    """Frames, size, time stamps, blanks and clipping."""

    timestamp_tolerance_frames: float = 0.5
    """Largest difference of a frame's time stamp from the source's, in frame durations."""
    blank_contrast: float = 2.0
    """A frame whose luma spreads less than this (standard deviation, levels) shows nothing."""
    blank_source_contrast: float = 8.0
    """... unless the source's frame spreads less than this too."""
    clipped_share: float = 0.35
    """Largest share of pixels at 0 or 255 beyond the source's."""
    still_level: float = 0.35
    """Mean change between frames (levels) below which a frame repeats the one before."""
    still_source_level: float = 1.0
    """A repeated frame counts where the source moved at least this much."""
    mirrored_margin: float = 0.15
    """How much better the mirrored picture must fit to be called mirrored."""
    copy_level: float = 1.5
    """Mean difference from the source (levels) below which a candidate is a copy."""


class StructureLimits(Value):
    """Edges that should survive, per picture, tile and object."""

    tile_pixels: int = 16
    floor_levels: float = 1.0
    """Source gradients (levels per pixel at working size) below this carry no structure."""
    whole_kept: float = 0.55
    tile_kept: float = 0.2
    tile_frames: int = 3
    """Consecutive frames over which a tile's evidence is added up."""
    enough_structure: float = 40.0
    """Expected alignment a tile must hold to be judged."""
    visible_share: float = 0.02
    """Share of the source's structure that must be expected visible for an answer."""


class ConditionLimits(Value):
    """The asked condition."""

    confidence: float = 0.5


class TemporalLimits(Value):
    """Flicker and what comes with it."""

    flicker_levels: float = 2.0
    """Second difference of the mean brightness beyond the source's, in levels."""


class Thresholds(Value):
    """All limits of one panel."""

    name: str = "measured"
    working_width: int = 640
    """Frames wider than this are judged at this width."""
    gradient_sigma: float = 1.0
    deadline_seconds: float = 600.0
    technical: TechnicalLimits = TechnicalLimits()
    structure: StructureLimits = StructureLimits()
    condition: ConditionLimits = ConditionLimits()
    temporal: TemporalLimits = TemporalLimits()

    @property
    def identity(self) -> str:
        """Digest of every number."""
        return digest(self)


def load_thresholds(path: Path) -> Thresholds:
    """Read a threshold file.

    Raises:
        ConfigError: No such file, not YAML, or a field that is unknown or out of range.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"no threshold file {path.name}: {error.strerror}"
        raise ConfigError(message, reason="not_found") from error
    try:
        return Thresholds.model_validate(yaml.safe_load(text) or {})
    except (ValidationError, yaml.YAMLError) as error:
        message = f"{path.name} is not a threshold file: {error}"
        raise ConfigError(message, reason="invalid") from error
