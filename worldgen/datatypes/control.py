"""A control map: the 8-bit picture a world model reads, in the model's conventions."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.datatypes.clip import VideoRef
from worldgen.datatypes.digest import Value
from worldgen.datatypes.geometry import Origin

ControlKind: TypeAlias = Literal["edge", "blur", "depth", "seg", "wsm"]
CONTROL_KINDS: Final[tuple[ControlKind, ...]] = get_args(ControlKind)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ControlMap:
    """One control video, frame for frame with its clip."""

    kind: ControlKind
    frames: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    origin: Origin
    """Where it came from: edges and blur of RGB are 'estimated' unless the RGB is the simulator's."""
    parameters: tuple[tuple[str, str], ...] = ()
    """How it was made, for provenance: preset, thresholds, palette."""


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
