"""Labels: what is in each frame, and whether it can still be trained on.

Never delete a label, never turn an unseen object into background: what can no longer be seen becomes
``use="ignore"`` with the reason.
"""

from typing import Literal, TypeAlias

from pydantic import Field

from worldgen.datatypes.calibration import Camera
from worldgen.datatypes.digest import Value

LabelOrigin: TypeAlias = Literal["simulator", "human", "estimated"]
VisibilityState: TypeAlias = Literal["clear", "degraded", "not_visible", "unknown"]
ClaimState: TypeAlias = Literal["kept", "degraded", "void"]
IgnoreReason: TypeAlias = Literal[
    "beyond_visibility",
    "lens_drop",
    "spray",
    "reflection",
    "glare",
    "saturated",
    "shadow",
    "snow_cover",
    "too_dark",
    "too_small",
    "predicted_and_measured_disagree",
    "unknown_visibility",
    "painted_by_model",
    "given",
]


class Box2d(Value):
    """Pixels, half-open: left and top inside, right and bottom outside; may leave the frame."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top


class Box3d(Value):
    """A cuboid in camera axes (x right, y down, z forward), metres and radians."""

    center_m: tuple[float, float, float]
    size_m: tuple[float, float, float]
    """Length (along heading), height, width."""
    yaw_rad: float
    """Rotation about the camera's y axis; 0 heads along +x, KITTI's rotation_y."""


class Visibility(Value):
    """How well one object can be seen in one frame under the condition."""

    predicted: VisibilityState = "unknown"
    measured: VisibilityState = "unknown"
    transmission: float | None = None
    """Share of light that survives the path, 0..1; None where no range is known."""
    contrast_to_noise: float | None = None
    """Measured on the variant: contrast of the object against its surround, over the noise there."""

    @property
    def state(self) -> VisibilityState:
        """Predicted and measured where they agree, else unknown."""
        if self.measured == "unknown":
            return self.predicted
        if self.predicted in ("unknown", self.measured):
            return self.measured
        near = {self.predicted, self.measured}
        return "degraded" if near == {"clear", "degraded"} else "unknown"


class ObjectLabel(Value):
    """One object in one frame."""

    id: int
    """Track id: the same object in every frame; matches the geometry's instance ids where they exist."""
    category: str
    """car, truck, bus, motorcycle, bicycle, pedestrian, rider, traffic_light, traffic_sign, other."""
    box2d: Box2d
    box3d: Box3d | None = None
    mask_rle: tuple[int, ...] | None = None
    """COCO's uncompressed run lengths, column-major, starting with zeros."""
    origin: LabelOrigin = "human"
    occlusion: float | None = None
    """Share of the object hidden by other objects in the source, 0..1."""
    truncation: float | None = None
    """Share of the object outside the frame, 0..1."""
    range_m: float | None = None
    range_interval_m: tuple[float, float] | None = None
    pixels_high: float | None = None
    visibility: Visibility | None = None
    """Under the condition; None in the source's own labels."""
    use: Literal["train", "ignore"] = "train"
    reason: IgnoreReason | None = None
    changed_attributes: tuple[str, ...] = ()
    """Attributes that the condition may have changed, such as lamp_state or colour."""
    attributes: dict[str, str] = Field(default_factory=dict)


class IgnoreRegion(Value):
    """A part of a frame that training must leave out."""

    reason: IgnoreReason
    box2d: Box2d
    mask_rle: tuple[int, ...] | None = None
    """Within the whole frame, as in `ObjectLabel.mask_rle`."""


class Claims(Value):
    """What may still be claimed for a whole frame."""

    boxes: ClaimState = "kept"
    lanes: ClaimState = "kept"
    depth: ClaimState = "kept"
    flow: ClaimState = "kept"


class FrameLabels(Value):
    """The labels of one frame."""

    frame: int
    """Zero-based index into the clip."""
    objects: tuple[ObjectLabel, ...] = ()
    ignore: tuple[IgnoreRegion, ...] = ()
    claims: Claims = Claims()


class Labels(Value):
    """The labels of a clip."""

    width: int
    height: int
    frames: tuple[FrameLabels, ...]
    """One per labelled frame, ascending; frames without an entry are unlabelled, not empty."""
    camera: Camera | None = None
    condition: dict[str, float | str] = Field(default_factory=dict)
    """The condition as rendered, for a variant."""
    sensors_covered: tuple[str, ...] = ("camera",)
    """LiDAR and radar stay as recorded; only what is listed here was changed consistently."""
    geometry_origin: str = ""
    scale_interval: tuple[float, float] | None = None
    method_version: str = "1"
    source_format: str = ""
