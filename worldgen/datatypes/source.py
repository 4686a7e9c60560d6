"""A source: what the user gives, probed but not decoded."""

from typing import Literal, TypeAlias

from worldgen.datatypes.calibration import Camera
from worldgen.datatypes.condition import Condition
from worldgen.datatypes.control import ControlKind, MaskRef
from worldgen.datatypes.digest import Value
from worldgen.datatypes.labels import Labels
from worldgen.datatypes.video_ref import VideoRef

SourceKind: TypeAlias = Literal["video", "images", "carla_dump", "carla_clip", "controls"]


class Source(Value):
    """One camera of a clip or recording, with what lies beside it."""

    kind: SourceKind
    uri: str
    """What the user named: a file or a folder."""
    sha256: str
    """Of the content: the video file, or the canonical list of files and their digests."""
    camera_name: str = "camera"
    video: VideoRef | None
    """The RGB video as a file; None for control videos without RGB. For image folders and dumps
    the frames are not one file: `uri` of this reference is the folder, read through `sources`."""
    frames: int
    width: int
    height: int
    fps: float
    calibration: Camera | None = None
    labels: Labels | None = None
    condition: Condition | None = None
    """Given by the user or the simulator; None means: estimate it."""
    sensors: dict[str, str] = {}
    """Sensor or control kind -> file or folder: depth, semantic, instance, flow, pose, scene, edge, seg..."""
    masks: dict[ControlKind, MaskRef] = {}
    """Where in the picture a control map counts; only models that read control maps take them."""
    caption: str = ""
    """What the clip shows, in words or as Cosmos 3's JSON caption; only models that read text use it."""
    carla_version: str = ""
    license: str = ""
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Show what it is, not every label."""
        return f"Source({self.kind}, {self.uri!r}, {self.frames} frames, {self.width}x{self.height})"

    __str__ = __repr__
