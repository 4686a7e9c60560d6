"""A model profile: facts about a world model, read without loading its weights."""

from typing import Final, Literal, TypeAlias

from pydantic import model_validator

from worldgen.datatypes.control import ControlKind
from worldgen.datatypes.digest import Value

Need: TypeAlias = Literal["rgb", "geometry", "controls"]
Removable: TypeAlias = Literal["wet", "fog", "snow", "night", "shadows", "rain", "clouds", "dusk", "low_sun"]

PromptStyle: TypeAlias = Literal["plain", "structured"]
PROMPT_STYLES: Final[tuple[PromptStyle, ...]] = ("plain", "structured")


class ModelProfile(Value):
    """The contract of a world model: what it takes, and what it can do."""

    name: str
    revision: str
    """Of the code: raised whenever the same plan would give other frames."""
    checkpoint: str = ""
    """Its weights, by name and content; empty for a model without any, or none seen yet."""
    kind: Literal["physics", "diffusion", "remote", "fake"]
    title: str = ""
    """One line for people."""
    note: str = ""
    """What has to be said wherever its results are shown."""
    needs: frozenset[Need]
    control_kinds: frozenset[ControlKind] = frozenset()
    default_controls: tuple[ControlKind, ...] = ()
    max_controls: int = 0
    min_frames: int = 1
    max_frames: int = 100_000
    frame_step: int = 1
    """Legal counts are frame_offset + frame_step * k."""
    frame_offset: int = 0
    sizes: tuple[tuple[int, int], ...] = ()
    """Legal (width, height); empty: any up to max_pixels."""
    max_pixels: int = 3840 * 2160
    tiers: dict[int, tuple[tuple[int, int], ...]] = {}
    """Lines -> legal (width, height); the parameter `tier` says which. Empty: `sizes` alone count."""
    fps: tuple[float, ...] = ()
    """Rates the model was trained at; empty: any."""
    fps_range: tuple[float, float] | None = None
    """Lowest and highest rate that it takes as it is; None: any."""
    removes: frozenset[Removable] = frozenset()
    """What it can take away from a source; a spec that needs more is `unsupported`."""
    makes: frozenset[str] = frozenset()
    """Spec fields it can render; empty: all."""
    memory_gib: float = 0.0
    """Of a GPU, as published."""
    memory_estimates_gib: dict[int, float] = {}
    """Tier -> our own estimate for one full chunk with the default control and placement."""
    license: str = ""
    verified_with_real_weights: bool = False
    parameters: dict[str, float | int | str | bool] = {}
    """Sampler settings and other defaults; part of the plan."""
    choices: dict[str, tuple[str, ...]] = {}
    """Words that a parameter takes; one that is not here takes any value of its type."""
    presets: dict[str, dict[str, float | int]] = {}
    """Parameters by hint, and for `several`; they fill in what `parameters` leaves at 0."""

    @model_validator(mode="after")
    def _takes_its_own_words(self) -> "ModelProfile":
        for name, words in self.choices.items():
            if self.parameters.get(name) not in words:
                msg = f"{name}={self.parameters.get(name)} is none of {', '.join(words)}"
                raise ValueError(msg)
        return self

    @property
    def prompt_style(self) -> PromptStyle:
        """How the model reads its prompt: a paragraph, or Cosmos 3's JSON caption; it is a parameter."""
        return "structured" if self.parameters.get("prompt_style") == "structured" else "plain"
