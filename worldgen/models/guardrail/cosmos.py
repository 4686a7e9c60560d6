"""The vendor's guardrail, through the package `cosmos_guardrail` that diffusers uses too.

Text: a block list and a language model. Frames: faces of 20 pixels and more are pixelated; the classifier of
frames is taken out of version 0.3.2 (read in its source), and then no clip is said to have passed.
The package fetches its own weights, unpinned and from gated repositories, and parts of them are pickles
(loaded with ``weights_only=True`` where it was read): that is why it is off unless asked for.
"""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.errors import ConfigError, GenerationError, boundary


class CosmosGuardrail:
    """`cosmos_guardrail.CosmosSafetyChecker`, on the device while it looks and off it otherwise.

    Args:
        device: Where it computes, such as cuda; the published package needs a GPU for frames.

    Raises:
        ConfigError: `missing_extra` when the package is not installed.
        GenerationError: `unavailable` when its weights cannot be loaded, as when a licence is not accepted.
    """

    name = "cosmos"
    sees_frames = True

    def __init__(self, device: str = "cuda") -> None:
        try:
            from cosmos_guardrail import CosmosSafetyChecker  # type: ignore[import-not-found]  # optional
        except ImportError as exc:
            message = f"guardrail=cosmos needs the package cosmos_guardrail: {exc}"
            hint = "pip install cosmos_guardrail and accept the licences of its weights, or set guardrail=off"
            raise ConfigError(message, reason="missing_extra", hint=hint) from exc
        try:
            self.version = f"cosmos_guardrail {version_of('cosmos_guardrail')}"
        except PackageNotFoundError:
            self.version = "cosmos_guardrail, version unknown"
        self._device = device
        with boundary(GenerationError, "load the vendor's guardrail (its weights are gated)"):
            self._checker: Any = CosmosSafetyChecker()
        # Version 0.3.2 ships with its classifier of frames taken out: its runner then has no model, answers
        # "safe" to everything, and only the face filter looks.
        self.judges_frames = bool(self._checker.video_guardrail.safety_models)

    def check_text(self, text: str) -> str:
        """Ask block list and language model; the package keeps its reason to itself."""
        return "" if self._on_device(self._checker.check_text_safety, text) else "the text was refused"

    def check_frames(
        self, frames: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    ) -> UInt8[npt.NDArray[np.uint8], "t h w 3"] | None:
        """Classify the clip and pixelate faces."""
        # A copy: the package paints into what it gets, and a clip's frames are read-only.
        checked = self._on_device(self._checker.check_video_safety, np.array(frames))
        return None if checked is None else np.asarray(checked, np.uint8)

    def _on_device(self, check: Any, what: Any) -> Any:  # noqa: ANN401 -- the package's methods
        with boundary(GenerationError, "ask the vendor's guardrail"):
            self._checker.to(self._device)
            try:
                return check(what)
            finally:
                self._checker.to("cpu")
