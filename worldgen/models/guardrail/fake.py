"""The fake guardrail: refuses, changes or fails as it is told, for tests of what surrounds a guardrail.

It has no word in `build.py`: nobody can ask for it by configuration.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.errors import GenerationError


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeGuardrail:
    """Decides by its settings, never by what it sees; see `Guardrail`."""

    refused_word: str = "forbidden"
    """A text that holds it is refused."""
    refuses_frames: bool = False
    paints_faces: bool = False
    """Makes a square near the upper left corner grey, as if a face were there."""
    fails: bool = False
    judges_frames: bool = True
    name: str = "fake"
    version: str = "fake 1"
    sees_frames: bool = True

    def check_text(self, text: str) -> str:
        """Refuse a text with the word.

        Raises:
            GenerationError: `unavailable` when it was told to fail.
        """
        if self.fails:
            message = "the fake guardrail was told to fail"
            raise GenerationError(message, reason="unavailable")
        return f"it holds {self.refused_word!r}" if self.refused_word in text else ""

    def check_frames(
        self, frames: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    ) -> UInt8[npt.NDArray[np.uint8], "t h w 3"] | None:
        """Refuse, change or return the frames."""
        if self.refuses_frames:
            return None
        out = np.array(frames)
        if self.paints_faces:
            out[:, 10:30, 10:30] = 128
        return out
