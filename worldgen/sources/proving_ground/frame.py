"""One rendered frame with its truth."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One rendered frame with its truth."""

    rgb: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    tags: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.int32]
    flow: npt.NDArray[np.float32]
    amodal: dict[int, int]
    """Pixels that each labelled object would cover if nothing were before it."""
