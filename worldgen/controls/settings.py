"""Settings of the extractor: every number that decides what geometry and control maps look like."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from worldgen.datatypes.digest import Value

Preset: TypeAlias = Literal["very_low", "low", "medium", "high", "very_high"]
"""The names that the models' own tools use for edge thresholds and blur strengths."""

PRESETS: Final[tuple[Preset, ...]] = ("very_low", "low", "medium", "high", "very_high")


class EdgeSettings(Value):
    """Canny edges, white on black."""

    preset: Preset = "medium"
    """Thresholds 20/50, 50/100, 100/200, 200/300, 300/400."""
    mask_sky: bool = True
    """Black where the tag is sky: clouds are weather, not structure."""


class BlurSettings(Value):
    """Bilateral smoothing and a trip down and up in size."""

    preset: Preset = "medium"


class SegSettings(Value):
    """Colours of a segmentation control."""

    palette: Literal["cityscapes", "instances"] = "cityscapes"


class ControlSettings(Value):
    """How each control map is made."""

    edge: EdgeSettings = EdgeSettings()
    blur: BlurSettings = BlurSettings()
    seg: SegSettings = SegSettings()


class GeometrySettings(Value):
    """How geometry is estimated from a clip when nothing lies beside it."""

    work_width: Annotated[int, Field(ge=128, le=1920)] = 640
    """Width in pixels at which motion, sky and surfaces are worked out; depth comes out at full size."""
    hfov_deg: Annotated[float, Field(gt=20.0, lt=170.0)] = 60.0
    """Assumed horizontal field of view when no calibration is given."""
    camera_height_m: Annotated[float, Field(gt=0.2, lt=6.0)] = 1.5
    """Assumed height of the camera above the road: the only source of metres without calibration."""
    scale_interval: tuple[float, float] = (0.5, 1.6)
    """Without calibration true depth lies between these factors times the estimate: depth on the road goes
    with height (1.1 to 2.3 m) times focal length (fields of view from 45 to 90 degrees)."""
    far_m: Annotated[float, Field(gt=50.0)] = 400.0
    """Distance given to what stands at or beyond the end of the visible ground."""
    near_m: Annotated[float, Field(gt=0.0)] = 1.0
    """Nearest distance that an estimate may give."""
    keep_flow: bool = False
    """Whether the result carries optical flow: twice the memory of its depth."""


class NetworkSettings(Value):
    """A depth network in a local folder; nothing is ever downloaded."""

    folder: str = ""
    """Folder in the layout of `save_pretrained` (config.json, preprocessor_config.json, *.safetensors);
    empty: no network is used."""
    revision: str = ""
    """Name of the weights, part of every variant's identity; empty: sha256 of config and file sizes."""
    device: str = "cpu"
    batch: Annotated[int, Field(ge=1, le=64)] = 4


class ExtractorSettings(Value):
    """All settings of an extractor."""

    controls: ControlSettings = ControlSettings()
    geometry: GeometrySettings = GeometrySettings()
    network: NetworkSettings = NetworkSettings()


DEFAULT_GEOMETRY: Final = GeometrySettings()
DEFAULT_CONTROLS: Final = ControlSettings()
DEFAULT_EXTRACTOR: Final = ExtractorSettings()
