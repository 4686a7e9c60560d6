"""Settings: configs/models/cosmos3-*.yaml, and the profile that follows. Loads no torch and no weights."""

from typing import Annotated, Final, Literal, TypeAlias, get_args

from pydantic import Field, model_validator

from worldgen.config import load_settings
from worldgen.datatypes import ControlKind, ModelProfile
from worldgen.datatypes.digest import Value
from worldgen.datatypes.profile import PROMPT_STYLES, PromptStyle
from worldgen.models.cosmos3.memory import demand_of, estimate_memory
from worldgen.models.cosmos3.shape import Shape
from worldgen.weights import checkpoint_of

REVISION: Final = "2"
"""Raised whenever the same plan and weights would give other frames."""
SEVERAL: Final = "several"
"""The preset for two or more hints."""
Dtype: TypeAlias = Literal["bfloat16", "float16", "float32"]
Offload: TypeAlias = Literal["none", "understanding", "layers"]
GuardrailName: TypeAlias = Literal["off", "words", "cosmos"]


class Preset(Value):
    """What the vendor samples a hint with."""

    guidance: Annotated[float, Field(ge=0.0, le=20.0)]
    control_guidance: Annotated[float, Field(ge=0.0, le=20.0)]
    flow_shift: Annotated[float, Field(gt=0.0, le=50.0)]
    chunk_frames: Annotated[int, Field(ge=5)]


class SamplingSettings(Value):
    """What a user may set; 0 and the empty word mean: as the preset or the machine says."""

    steps: Annotated[int, Field(ge=1, le=1000)] = 35
    tier: int = 720
    """Lines of the model's frames."""
    guidance: float = 0.0
    guidance_from: float = 0.0
    """Timestep (0..1000) from which text guidance acts; with `guidance_to`, an interval."""
    guidance_to: float = 1000.0
    control_guidance: float = 0.0
    control_from: float = 0.0
    control_to: float = 1000.0
    flow_shift: float = 0.0
    chunk_frames: int = 0
    conditional_frames: Annotated[int, Field(ge=0)] = 1
    """Frames that each later chunk takes over from the one before."""
    short_last: bool = False
    """Make the last chunk only as long as needed: faster, and not what the stock pipeline makes there."""
    start_frames: Annotated[int, Field(ge=0)] = 0
    """Leading frames that are kept from the source's RGB."""
    step_cache: Annotated[float, Field(ge=0.0)] = 0.0
    """Threshold of SeaCache; 0: off, and exact. 0.25 is diffusers' default."""
    save_every: Annotated[int, Field(ge=0)] = 0
    """Steps between saved states, so that a killed generation goes on; 0: never."""


class PlacementSettings(Value):
    """Where and how the network computes."""

    device: str = ""
    """cpu, cuda, cuda:1, ...; empty: a GPU if there is one."""
    dtype: Dtype = "bfloat16"
    attention: str = ""
    """A backend of diffusers' dispatch (native, _native_cudnn, _flash_3_hub, ...); empty: its own choice."""
    offload: Offload = "none"
    """What waits on the host: the text tower once the prompt is read, or each layer until its turn."""
    compile: bool = False
    """Compile the layers of the generation tower."""
    vae_tiling: bool = False
    """Decode in tiles: two thirds less memory at the peak, a little slower."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Of torch on the host; 0: as many as it was given, and no more than there are physical cores."""


class Cosmos3Settings(Value):
    """One Cosmos 3 checkpoint as a world model."""

    title: str
    note: str = ""
    """What has to be said wherever its results are shown."""
    weights: str
    """Name in checkpoints/manifest.toml."""
    license: str
    controls: tuple[ControlKind, ...]
    default_controls: tuple[ControlKind, ...]
    tiers: dict[int, tuple[tuple[int, int], ...]]
    """Lines -> legal (width, height)."""
    min_frames: int = 5
    max_frames: int = 5000
    fps_range: tuple[float, float] = (10.0, 30.0)
    memory_gib: float
    """As published; beside it stands our own estimate, from `shape`."""
    shape: Shape = Shape()
    presets: dict[str, Preset]
    sampling: SamplingSettings = SamplingSettings()
    placement: PlacementSettings = PlacementSettings()
    guardrail: GuardrailName = "off"
    """What looks at prompts and frames; see worldgen/models/guardrail."""
    prompt_style: PromptStyle = "structured"
    """What the checkpoint was trained to read: a JSON caption, or a paragraph."""
    emphasize_control_in_prompt: bool = True
    """Append the sentence that names the controls to follow, as the vendor's own engines do by default."""
    verified_with_real_weights: bool = False
    """Whether somebody ran it with the published weights and looked at the result."""

    @model_validator(mode="after")
    def _is_whole(self) -> "Cosmos3Settings":
        lacking = sorted({*self.controls, SEVERAL} - set(self.presets))
        if lacking:
            msg = f"presets are missing for {', '.join(lacking)}"
            raise ValueError(msg)
        if self.sampling.tier not in self.tiers:
            msg = f"tier {self.sampling.tier} is none of {', '.join(map(str, self.tiers))}"
            raise ValueError(msg)
        return self

    def _estimate(self, size: tuple[int, int]) -> float:
        """Estimate one full chunk of the default control, in GiB."""
        preset = self.presets[self.default_controls[0]]
        settings = self.sampling.model_dump() | preset.model_dump() | self.placement.model_dump()
        asked = demand_of(settings, size=size, frames=preset.chunk_frames, hints=1)
        return estimate_memory(self.shape, asked).gib

    def profile(self, name: str) -> ModelProfile:
        """State the contract, without loading anything.

        Raises:
            WeightsError: The manifest has no such weights.
        """
        return ModelProfile(
            name=name,
            revision=REVISION,
            checkpoint=checkpoint_of(self.weights),
            kind="diffusion",
            title=self.title,
            note=self.note,
            needs=frozenset({"controls"}),
            control_kinds=frozenset(self.controls),
            default_controls=self.default_controls,
            max_controls=len(self.controls),
            min_frames=self.min_frames,
            max_frames=self.max_frames,
            frame_step=4,
            frame_offset=1,
            tiers=self.tiers,
            fps_range=self.fps_range,
            removes=frozenset(
                {"wet", "fog", "snow", "night", "shadows", "rain", "clouds", "dusk", "low_sun"}
            ),
            memory_gib=self.memory_gib,
            memory_estimates_gib={tier: self._estimate(max(sizes)) for tier, sizes in self.tiers.items()},
            license=self.license,
            verified_with_real_weights=self.verified_with_real_weights,
            presets={hint: preset.model_dump() for hint, preset in self.presets.items()},
            parameters={
                **self.sampling.model_dump(),
                **self.placement.model_dump(),
                "crf": 16,
                "preset": "veryfast",
                "guardrail": self.guardrail,
                "prompt_style": self.prompt_style,
                "emphasize_control_in_prompt": self.emphasize_control_in_prompt,
            },
            choices={
                "dtype": get_args(Dtype),
                "offload": get_args(Offload),
                "guardrail": get_args(GuardrailName),
                "prompt_style": PROMPT_STYLES,
            },
        )


def settings_of(name: str) -> Cosmos3Settings:
    """Read configs/models/<name>.yaml."""
    return load_settings("models", name, Cosmos3Settings)
