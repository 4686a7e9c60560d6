"""What a guardrail saw: words before any compute, frames afterwards, and the record of both."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from worldgen.datatypes import GuardrailRecord
from worldgen.models.guardrail.protocol import Guardrail

Frames = npt.NDArray[np.uint8]
"""[t, h, w, 3]."""


def refused_words(guardrail: Guardrail, texts: Mapping[str, str]) -> str:
    """Say which text a guardrail refuses, and why; empty when it refuses none.

    Args:
        guardrail: Looks at each that is not empty.
        texts: What it is (prompt, negative prompt) -> the text.

    Raises:
        GenerationError: `unavailable` when it could not look.
    """
    for what, text in texts.items():
        if text and (reason := guardrail.check_text(text)):
            return f"{guardrail.name}: {what}: {reason}"
    return ""


class Looks:
    """A guardrail's looks at one generation that has no plan: a rollout.

    Args:
        guardrail: None: nothing looks, and the record says so.
        requested: As configured.
    """

    def __init__(self, guardrail: Guardrail | None, requested: str) -> None:
        self._guardrail = guardrail
        self.record = GuardrailRecord(requested=requested)

    def at_words(self, texts: Mapping[str, str]) -> str:
        """Say why the words are refused; empty when they are not."""
        if self._guardrail is None:
            return ""
        reason = refused_words(self._guardrail, texts)
        state = {"text": "blocked" if reason else "passed", "version": self._guardrail.version}
        self.record = self.record.model_copy(update=state)
        return reason

    def at_frames(self, frames: Frames) -> Frames | None:
        """Return the frames, changed where the guardrail changes them; None when it refuses the clip."""
        guardrail = self._guardrail
        if guardrail is None or not guardrail.sees_frames:
            return frames
        kept = guardrail.check_frames(frames)
        if kept is None:
            self.record = self.record.model_copy(update={"video": "blocked"})
            return None
        changed = not np.array_equal(kept, frames)
        state = {"video": "passed" if guardrail.judges_frames else "off", "faces_blurred": changed}
        self.record = self.record.model_copy(update=state)
        return kept
