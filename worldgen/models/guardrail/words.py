"""A guardrail of words alone: the few that the vendor's is known to block. No network, no weights."""

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.prompts.blocked import KNOWN, blocked_words


class WordsGuardrail:
    """Refuses prompts with words that the vendor's guardrail is known to refuse; looks at no frame.

    It saves a generation that another engine's guardrail would refuse. It is no protection.
    """

    name = "words"
    version = f"worldgen list of {len(KNOWN)}"
    sees_frames = False
    judges_frames = False

    def check_text(self, text: str) -> str:
        """Name the words that are on the list."""
        found = blocked_words(text)
        return f"the prompt holds {', '.join(map(repr, found))}" if found else ""

    def check_frames(
        self, frames: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    ) -> UInt8[npt.NDArray[np.uint8], "t h w 3"] | None:
        """Return the frames as they are."""
        return frames
