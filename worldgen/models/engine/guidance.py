"""Guidance: which forwards a step needs, and how their velocities become one.

Two axes, nested as in diffusers' Cosmos 3 transfer (`Cosmos3TransferLoopDenoiser`):
c = v_no_control + control * (v_full - v_no_control), then v = v_uncond + text * (c - v_uncond).
Each axis may be limited to an interval of timesteps. Which forwards a step needs is decided from host numbers
before the loop starts, so that no step waits for the device.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import torch

Branch: TypeAlias = Literal["full", "no_control", "uncond"]
Interval: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """Strength of text and control guidance, each over an interval of timesteps (0..1000)."""

    text: float = 1.0
    control: float = 1.0
    text_interval: Interval | None = None
    control_interval: Interval | None = None

    def at(self, timestep: float) -> "StepGuidance":
        """Decide one step."""
        return StepGuidance(
            text=self.text if _inside(timestep, self.text_interval) else 1.0,
            control=self.control if _inside(timestep, self.control_interval) else 1.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepGuidance:
    """What one step does."""

    text: float
    control: float

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Name the forwards that this step needs."""
        wanted: list[Branch] = ["full"]
        if self.control != 1.0:
            wanted.append("no_control")
        if self.text > 1.0:  # The stock pipeline turns text guidance off at and below 1.
            wanted.append("uncond")
        return tuple(wanted)

    def combine(self, velocity: Mapping[Branch, "torch.Tensor"]) -> "torch.Tensor":
        """Make one velocity of those of `branches`."""
        guided = velocity["full"]
        if "no_control" in velocity:
            free = velocity["no_control"]
            guided = free + self.control * (guided - free)
        if "uncond" in velocity:
            unasked = velocity["uncond"]
            guided = unasked + self.text * (guided - unasked)
        return guided


def _inside(timestep: float, interval: Interval | None) -> bool:
    return interval is None or interval[0] <= timestep <= interval[1]
