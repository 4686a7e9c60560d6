"""What a guardrail is: it may refuse words and frames, and it may change frames."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8


class Guardrail(Protocol):
    """Looks at prompts before, and at frames after, a generation."""

    name: str
    """As configured."""
    version: str
    """Of what looks: package or list, with its version."""
    sees_frames: bool
    """Whether `check_frames` looks at all."""
    judges_frames: bool
    """Whether it can refuse frames; one that only changes faces never says that a clip passed."""

    def check_text(self, text: str) -> str:
        """Say why a text is refused; empty when it is not.

        Raises:
            GenerationError: `unavailable` when it could not look; never a silent pass.
        """
        ...

    def check_frames(
        self, frames: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    ) -> UInt8[npt.NDArray[np.uint8], "t h w 3"] | None:
        """Return the frames, changed where it changes them (faces); None when it refuses the clip.

        Raises:
            GenerationError: `unavailable` when it could not look.
        """
        ...
