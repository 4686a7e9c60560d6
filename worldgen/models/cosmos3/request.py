"""Requests: everything one transfer needs, with nothing left to decide, and what it gives back."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from worldgen.datatypes import CONTROL_KINDS, ControlKind
from worldgen.errors import ContractError
from worldgen.models.engine.chunks import Chunk, plan_chunks
from worldgen.models.engine.guidance import Guidance
from worldgen.models.engine.seams import Seam

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Control:
    """One control video at the model's size."""

    kind: ControlKind
    frames: Frames
    """uint8 [t, h, w, 3]."""
    digest: str
    """Of the content; equal digests share their encodes."""
    weight: float = 1.0
    mask: npt.NDArray[np.float32] | None = None
    """Weight of every pixel, [t, h, w]; multiplies `weight`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the sampler runs."""

    steps: int = 35
    guidance: Guidance = field(default_factory=Guidance)
    flow_shift: float = 10.0
    chunk_frames: int | None = None
    """None: the whole clip in one chunk."""
    conditional_frames: int = 1
    """Frames that each later chunk takes over from the one before."""
    short_last: bool = False
    fps: float = 24.0
    """Of the clip; it changes how the network sees motion."""
    step_cache: dict[str, Any] | None = None
    """Settings of diffusers' SeaCache; None: off, and exact."""
    save_every: int = 0
    """Steps between saved states; 0: never."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transfer:
    """A clip to be made from its controls."""

    prompt: str
    negative: str = ""
    controls: tuple[Control, ...]
    sampling: Sampling = field(default_factory=Sampling)
    seed: int
    start: Frames | None = None
    """RGB frames that the first chunk starts with, kept as they are; None: none."""
    has_system_prompt: bool = True
    frames: int | None = None
    """Bound of the frames to make; None: as many as the controls have."""

    @property
    def total(self) -> int:
        """Count the frames to make."""
        have = len(self.controls[0].frames)
        return have if self.frames is None else min(have, self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.controls[0].frames.shape[1]), int(self.controls[0].frames.shape[2])

    def active(self) -> tuple[Control, ...]:
        """Return the controls that count, in the order that the network knows."""
        counting = [c for c in self.controls if c.weight > 0]
        return tuple(sorted(counting, key=lambda c: CONTROL_KINDS.index(c.kind)))

    def chunks(self, temporal: int) -> tuple[Chunk, ...]:
        """Cut the clip."""
        how = self.sampling
        return plan_chunks(
            self.total,
            how.chunk_frames,
            how.conditional_frames,
            temporal=temporal,
            short_last=how.short_last,
        )

    def check(self, spatial: int) -> None:
        """Refuse what cannot be made, before any compute.

        Raises:
            ContractError: `controls`, `size` or `frames`, naming what would fit.
        """
        kinds = [c.kind for c in self.controls]
        unknown = [k for k in kinds if k not in CONTROL_KINDS]
        if unknown or len(set(kinds)) < len(kinds):
            message = f"controls {', '.join(kinds)}: each of {', '.join(CONTROL_KINDS)} at most once"
            raise ContractError(message, reason="controls")
        if not self.active():
            message = "a transfer needs at least one control with a weight above 0"
            raise ContractError(message, reason="controls")
        shapes = {c.kind: c.frames.shape for c in self.controls}
        if len(set(shapes.values())) > 1:
            told = ", ".join(f"{kind} {s[0]} frames {s[2]}x{s[1]}" for kind, s in shapes.items())
            message = f"controls must have one length and size; got {told}"
            raise ContractError(message, reason="controls", hint="make them from one clip")
        weighted = [c.kind for c in self.controls if c.mask is not None or c.weight != 1.0]
        if self.sampling.step_cache is not None and weighted:
            message = f"step caching knows no weights; {', '.join(weighted)} has one"
            raise ContractError(message, reason="controls", hint="turn step caching off, or weights to 1")
        height, width = self.size
        if height % spatial or width % spatial:
            near = f"{_nearest(width, spatial)}x{_nearest(height, spatial)}"
            message = f"{width}x{height} is no multiple of {spatial}; the nearest that is: {near}"
            raise ContractError(message, reason="size")
        for control in self.controls:
            if control.mask is not None and control.mask.shape != control.frames.shape[:3]:
                message = f"the mask of {control.kind} has shape {control.mask.shape}, not that of its frames"
                raise ContractError(message, reason="controls")
        if self.start is not None and self.start.shape[1:] != self.controls[0].frames.shape[1:]:
            message = "the frames to start with have another size than the controls"
            raise ContractError(message, reason="size")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """One denoise step of one chunk is done."""

    chunk: int
    chunks: int
    step: int
    """1-based within the chunk."""
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """One chunk is decoded."""

    chunk: int
    pixels: Tensor
    """float32 [1, 3, t, h, w] in -1..1: its new frames, before rounding to 8 bits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """What came of a request."""

    frames: Frames
    """uint8 [t, h, w, 3]."""
    seams: tuple[Seam, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    """By stage."""
    counters: dict[str, int] = field(default_factory=dict)
    """Of the shared cache, for this request alone; and the forwards of the network."""


def _nearest(value: int, step: int) -> int:
    return max(step, round(value / step) * step)
