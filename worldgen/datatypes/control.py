"""Control maps on disk: their kinds, and what travels instead of their pixels."""

from typing import Final, Literal, TypeAlias, get_args

from worldgen.datatypes.digest import Value
from worldgen.datatypes.origin import Origin
from worldgen.datatypes.video_ref import VideoRef

ControlKind: TypeAlias = Literal["edge", "blur", "depth", "seg", "wsm"]
CONTROL_KINDS: Final[tuple[ControlKind, ...]] = get_args(ControlKind)


class MaskRef(Value):
    """On disk, how much a control map counts, place by place, 0 to 1.

    A grey picture for all frames; or a folder of pictures or a video, one for each frame.
    """

    uri: str
    sha256: str


class ControlRef(Value):
    """A control map on disk, written lossless (H.264 4:4:4, qp 0)."""

    kind: ControlKind
    video: VideoRef
    origin: Origin
    parameters: tuple[tuple[str, str], ...] = ()
    mask: MaskRef | None = None
    """Multiplies the weight of the map; None: it counts everywhere the same. Set by the plan."""
