"""The denoise loop: one step after the other, with progress, cancel, a watch on NaN, and saved states.

The scheduler is diffusers'; so is its arithmetic. What a step needs of the network is given as `velocity`.
"""

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from worldgen.errors import Cancelled, GenerationError


class Velocity(Protocol):
    """What a network predicts for one step."""

    def __call__(self, latents: Tensor, step: int, timestep: Tensor) -> Tensor:
        """Return the guided velocity, of the shape of `latents`, in float32."""
        ...


@dataclass(slots=True, kw_only=True)
class State:
    """Where a loop stands: enough to go on as if it had never stopped."""

    step: int
    """Steps done."""
    latents: Tensor
    scheduler: dict[str, Any] = field(default_factory=dict)
    """What the scheduler remembers of earlier steps; see `memory_of`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One chunk's denoising.

    Args:
        scheduler: With its timesteps set.
        velocity: See `Velocity`.
        pin: Puts back what must not change (conditional frames) after a step; None: nothing.
        chunk: Index of the chunk, for messages.
        stop: Looked at after every step.
        prepare: Called with the index of a step before it runs; None: nothing.
    """

    scheduler: Any
    velocity: Velocity
    pin: Callable[[Tensor], Tensor] | None
    chunk: int
    stop: threading.Event
    prepare: Callable[[int], None] | None = None

    def run(self, state: State) -> Generator[State, None, Tensor]:
        """Yield the state after every step; return the latents.

        Raises:
            Cancelled: `stop` was set.
            GenerationError: `not_finite`, naming step and chunk.
        """
        restore(self.scheduler, state.scheduler)
        watch = Watch(chunk=self.chunk)
        latents = state.latents
        for step, timestep in enumerate(self.scheduler.timesteps):
            if step < state.step:
                continue
            if self.prepare is not None:
                self.prepare(step)
            latents = self._step(latents, step, timestep)
            watch.see(step, latents)
            if self.stop.is_set():
                message = f"stopped after step {step + 1} of chunk {self.chunk + 1}"
                raise Cancelled(message, reason="by_user")
            yield State(step=step + 1, latents=latents, scheduler=memory_of(self.scheduler))
        watch.settle()
        return latents

    @torch.inference_mode()
    def _step(self, latents: Tensor, step: int, timestep: Tensor) -> Tensor:
        velocity = self.velocity(latents, step, timestep)
        latents = self.scheduler.step(
            velocity.unsqueeze(0), timestep, latents.unsqueeze(0), return_dict=False
        )[0].squeeze(0)
        return latents if self.pin is None else self.pin(latents)


class Watch:
    """Notices latents that are not finite, and keeps the host at most one step ahead of the device.

    On a GPU the host enqueues a step while the one before is still running; waiting for the one before keeps
    the device busy, and makes progress and cancel true to within one step.
    """

    def __init__(self, *, chunk: int) -> None:
        self._chunk = chunk
        self._pending: tuple[int, Tensor, Any] | None = None

    def see(self, step: int, latents: Tensor) -> None:
        """Take note of a step's latents; judge those of the step before.

        Raises:
            GenerationError: `not_finite`.
        """
        # One number: any NaN or infinity makes the sum not finite. float64 cannot overflow on finite float32.
        total = latents.detach().sum(dtype=torch.float64)
        if latents.device.type != "cuda":
            self._judge(step, total)
            return
        self.settle()
        host = torch.empty((), dtype=torch.float64, pin_memory=True)
        host.copy_(total, non_blocking=True)
        done: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]  # of torch
        done.record()
        self._pending = (step, host, done)

    def settle(self) -> None:
        """Wait for the last step that was seen, and judge it.

        Raises:
            GenerationError: `not_finite`.
        """
        if self._pending is None:
            return
        step, host, done = self._pending
        self._pending = None
        done.synchronize()
        self._judge(step, host)

    def _judge(self, step: int, total: Tensor) -> None:
        if not bool(torch.isfinite(total)):
            message = f"the latents are not finite after step {step + 1} of chunk {self._chunk + 1}"
            hint = "try another dtype (bfloat16 or float32), attention backend or guidance"
            raise GenerationError(message, reason="not_finite", hint=hint)


_MEMORY = (
    "model_outputs",
    "timestep_list",
    "last_sample",
    "lower_order_nums",
    "this_order",
    "_step_index",
)
"""What diffusers' multistep schedulers remember of earlier steps; single-step ones have a part of it."""


def memory_of(scheduler: Any) -> dict[str, Any]:  # noqa: ANN401 -- any scheduler of diffusers
    """Take down what a scheduler remembers; tensors are shared, lists copied."""
    held = {name: getattr(scheduler, name) for name in _MEMORY if hasattr(scheduler, name)}
    return {name: list(value) if isinstance(value, list) else value for name, value in held.items()}


def restore(scheduler: Any, memory: dict[str, Any]) -> None:  # noqa: ANN401 -- any scheduler of diffusers
    """Put back what `memory_of` took down."""
    for name, value in memory.items():
        setattr(scheduler, name, list(value) if isinstance(value, list) else value)
