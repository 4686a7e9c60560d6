"""The painter: the exported model, run by the production engine on controls alone."""

import hashlib
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from checkpoints.recipe import SamplingRecipe
from worldgen.datatypes import ControlKind
from worldgen.datatypes.digest import digest
from worldgen.errors import GenerationError
from worldgen.models.cosmos3.engine import Cosmos3Engine
from worldgen.models.cosmos3.load import load
from worldgen.models.cosmos3.request import Control, Made, Sampling, Transfer
from worldgen.models.engine.guidance import Guidance

Frames = npt.NDArray[np.uint8]


class Painter:
    """Paints clips from control maps, never from a source's pictures.

    Args:
        folder: Of the exported model.
        how: Presets.
        shift: Of the noise levels.
        device: Where.
    """

    def __init__(self, folder: Path, how: SamplingRecipe, *, shift: float, device: torch.device) -> None:
        self._engine = Cosmos3Engine(load(folder, dtype=torch.bfloat16, device=device))
        self._how = how
        self._shift = shift
        self.seconds: list[float] = []
        """Of every clip so far."""

    def paint(
        self,
        controls: Mapping[ControlKind, Frames],
        prompt: str,
        *,
        fps: float,
        seed: int,
        negative: str = "",
        steps: int | None = None,
    ) -> Frames:
        """Paint one clip uint8 [t, h, w, 3].

        Args:
            controls: uint8 [t, h, w, 3] by kind.
            prompt: In words.
            fps: Of the clip.
            seed: Of the noise.
            negative: What is not wanted, in words.
            steps: In place of the preset's.
        """
        request = Transfer(
            prompt=prompt,
            negative=negative,
            controls=tuple(
                Control(kind=kind, frames=frames, digest=digest(kind, _sum_of(frames)))
                for kind, frames in controls.items()
            ),
            sampling=Sampling(
                steps=steps or self._how.steps,
                guidance=Guidance(text=self._how.text_guidance, control=self._how.control_guidance),
                flow_shift=self._shift,
                fps=fps,
            ),
            seed=seed,
        )
        started = time.perf_counter()
        for event in self._engine.transfer(request, threading.Event()):
            if isinstance(event, Made):
                self.seconds.append(time.perf_counter() - started)
                return event.frames
        message = "the engine ended without a clip"
        raise GenerationError(message)


def _sum_of(frames: Frames) -> str:
    return hashlib.sha256(frames.tobytes()).hexdigest()
