"""A control map: the 8-bit picture a world model reads, in the model's conventions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.datatypes.control import ControlKind
from worldgen.datatypes.origin import Origin


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ControlMap:
    """One control video, frame for frame with its clip."""

    kind: ControlKind
    frames: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    origin: Origin
    """Where it came from: edges and blur of RGB are 'estimated' unless the RGB is the simulator's."""
    parameters: tuple[tuple[str, str], ...] = ()
    """How it was made, for provenance: preset, thresholds, palette."""
