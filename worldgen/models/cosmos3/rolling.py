"""Rolling: a rollout along the production path, from a profile's parameters to frames with their facts."""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from worldgen.datatypes import Fit, Progress
from worldgen.errors import ContractError, GenerationError, boundary
from worldgen.models.cosmos3.fitting import fitted, restored
from worldgen.models.cosmos3.memory import demand_of
from worldgen.models.cosmos3.model import Cosmos3WorldModel
from worldgen.models.cosmos3.placement import free_memory, placement_of
from worldgen.models.cosmos3.request import Frames, Made, Sampling, StepDone
from worldgen.models.cosmos3.rollout import Rollout, roll_out
from worldgen.models.engine.guidance import Guidance
from worldgen.models.engine.threads import computing_with

Mode: TypeAlias = Literal["actions", "video", "image", "text"]
GUIDANCE: Final = {"actions": 1.0, "video": 6.0, "image": 6.0, "text": 6.0}
"""The vendor's; actions were trained without guidance."""
FLOW_SHIFT: Final = 10.0
MOST_FRAMES: Final = {256: 400, 480: 300, 720: 200}
"""By tier, of the vendor's framework."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drive:
    """What a rollout is made from, before it is fitted to the model."""

    prompt: str
    negative: str
    fit: Fit
    seed: int
    start: Frames | None = None
    """First frames of the source, uint8 [t, h, w, 3]; None: text alone."""
    actions: npt.NDArray[np.float32] | None = None

    @property
    def mode(self) -> Mode:
        """Which of the model's ways of making a clip."""
        if self.actions is not None:
            return "actions"
        if self.start is None:
            return "text"
        return "image" if len(self.start) == 1 else "video"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rolled:
    """What came of it, at the source's size."""

    frames: Frames
    facts: dict[str, float | str]
    """Sampler and placement, as they were used."""
    seconds: dict[str, float]
    counters: dict[str, int]


def check_rollout(parameters: Mapping[str, Any], frames: int) -> None:
    """Refuse what no checkpoint makes, before weights are loaded.

    Raises:
        ContractError: `frames` with the nearest that would do.
    """
    if (frames - 1) % 4:
        near = frames - (frames - 1) % 4
        message = f"{frames} frames: a rollout has 4 k + 1, so 4 k steps lead through it"
        raise ContractError(message, reason="frames", hint=f"--frames {near}")
    most = MOST_FRAMES.get(int(parameters["tier"]), min(MOST_FRAMES.values()))
    if not 5 <= frames <= most:
        message = f"{frames} frames: a rollout of tier {parameters['tier']} has 5 to {most}"
        raise ContractError(message, reason="frames", hint=f"--frames {min(max(frames, 5), most - 3)}")


def sampling_for(drive: Drive, parameters: Mapping[str, Any]) -> Sampling:
    """Read the sampler's settings; 0 is what the vendor samples this mode with."""
    return Sampling(
        steps=int(parameters["steps"]),
        guidance=Guidance(text=float(parameters["guidance"]) or GUIDANCE[drive.mode]),
        flow_shift=float(parameters["flow_shift"]) or FLOW_SHIFT,
        fps=drive.fit.model_fps,
    )


def make_rollout(
    model: Cosmos3WorldModel, drive: Drive, parameters: Mapping[str, Any], stop: threading.Event
) -> Iterator[Progress | Rolled]:
    """Yield progress after every step, then the clip.

    Raises:
        ContractError: The request does not fit the checkpoint.
        GenerationError: `out_of_memory` with what would need less, `not_finite` with the step.
        Cancelled: `stop` was set.
    """
    placement = placement_of(dict(parameters))
    sampling = sampling_for(drive, parameters)
    asked = {**parameters, "guidance": sampling.guidance.text, "chunk_frames": 0}
    frames, size = drive.fit.model_frames, drive.fit.model_size
    with boundary(GenerationError, f"roll out with {model.profile.name}"), computing_with(placement.threads):
        try:
            started = time.perf_counter()
            engine = model.engine(placement)
            loaded = time.perf_counter() - started
            start = None if drive.start is None else fitted(drive.start, drive.fit, "rgb", pads=False)
            wanted = Rollout(
                prompt=drive.prompt,
                negative=drive.negative,
                size=(size[1], size[0]),
                frames=frames,
                sampling=sampling,
                seed=drive.seed,
                start=start,
                actions=drive.actions,
                has_system_prompt=drive.actions is None,
            )
            started = time.perf_counter()
            for event in roll_out(engine, wanted, stop):
                if isinstance(event, StepDone):
                    elapsed = time.perf_counter() - started
                    left = elapsed / event.step * (event.steps - event.step)
                    yield Progress(stage="denoise", step=event.step, steps=event.steps, seconds_left=left)
                elif isinstance(event, Made):
                    yield Rolled(
                        frames=np.stack([restored(frame, drive.fit) for frame in event.frames]),
                        facts=_facts(sampling) | placement.facts(),
                        seconds={"load": loaded, **event.seconds},
                        counters=event.counters,
                    )
        except torch.OutOfMemoryError as exc:
            words = max(drive.prompt, drive.negative, key=len)
            raise model.out_of_memory(
                demand_of(asked, size=size, frames=frames, hints=0, words=words)
            ) from exc
        except BaseException:
            free_memory()
            raise


def _facts(sampling: Sampling) -> dict[str, float | str]:
    return {
        "steps": float(sampling.steps),
        "guidance": sampling.guidance.text,
        "flow_shift": sampling.flow_shift,
        "fps": sampling.fps,
    }
