"""A plan: a spec with nothing left to decide, complete before any compute."""

from worldgen.datatypes.condition import Condition
from worldgen.datatypes.control import ControlKind, ControlRef
from worldgen.datatypes.digest import Value, digest
from worldgen.datatypes.geometry import GeometryRef
from worldgen.datatypes.spec import Spec
from worldgen.datatypes.video_ref import VideoRef


class Fit(Value):
    """How source frames become model frames and back: one recorded affine and a frame count.

    model_x = scale_x * source_x + offset_x, likewise y, in edge coordinates: a picture spans 0..width. Frames
    are padded with the last one, and pictures around `content` by reflection.
    """

    source_frames: int
    model_frames: int
    source_size: tuple[int, int]
    model_size: tuple[int, int]
    scale_x: float = 1.0
    scale_y: float = 1.0
    offset_x: float = 0.0
    offset_y: float = 0.0
    source_fps: float
    model_fps: float

    @property
    def content(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the source's picture in the model's frame, in pixels."""
        left, top = round(self.offset_x), round(self.offset_y)
        wide = round(self.scale_x * self.source_size[0])
        tall = round(self.scale_y * self.source_size[1])
        return left, top, left + wide, top + tall


class GenerationPlan(Value):
    """Everything one generation needs. The same plan gives the same frames on the same machine."""

    variant_id: str
    attempt: int
    model: str
    revision: str
    checkpoint: str = ""
    """Weights of the model, by name and content; empty when it has none."""
    spec: Spec
    """As asked, with `seed` that of this attempt."""
    seed: int
    source: VideoRef | None
    geometry: GeometryRef | None
    controls: tuple[ControlRef, ...]
    control_weights: dict[ControlKind, float] = {}
    condition: Condition
    """Of the source."""
    fit: Fit
    prompt: str = ""
    negative_prompt: str = ""
    parameters: dict[str, float | int | str | bool] = {}

    @property
    def attempt_id(self) -> str:
        """Name of this attempt: variant and plan."""
        return digest(self.variant_id, self.model_dump(mode="json"))[:32]
