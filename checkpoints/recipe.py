"""The recipe: every number that decides what the small model becomes, from one YAML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from worldgen.config import load_yaml
from worldgen.datatypes import ControlKind
from worldgen.datatypes.digest import Value, digest
from worldgen.errors import ConfigError

DATA_REVISION = "1"
"""Raised whenever the same recipe would render other scenes."""

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class DataRecipe(Value):
    """Which scenes are rendered, and how."""

    size: tuple[Positive, Positive] = (224, 128)
    """Width and height of the model's frames."""
    frames: Positive = 17
    first_seed: int = 3_000_000
    """Of the training scenes. The critic is tested below it, and the held-out scenes come after them."""
    scenes: Positive = 400
    held_out_first_seed: int = 4_000_000
    held_out: Positive = 50
    supersample: Annotated[int, Field(ge=1, le=4)] = 2
    """Scenes are rendered this much larger; pictures and controls are made there and reduced by area."""
    fps: tuple[float, ...] = (10.0, 10.0, 10.0, 15.0, 24.0, 30.0)
    """Drawn per scene: the network sees the rate in its positions."""
    physics: int = Field(4, ge=0, le=12)
    """Variants per scene that weather physics makes of the scene's own clip."""
    rendered: int = Field(2, ge=0, le=12)
    """Variants per scene that are rendered under weather."""

    @model_validator(mode="after")
    def _apart(self) -> "DataRecipe":
        if self.frames % 4 != 1:
            msg = f"frames must be 4 k + 1, got {self.frames}"
            raise ValueError(msg)
        if any(side % 32 for side in self.size):
            msg = f"both sides must be multiples of 32, got {self.size}"
            raise ValueError(msg)
        train = range(self.first_seed, self.first_seed + self.scenes)
        held = range(self.held_out_first_seed, self.held_out_first_seed + self.held_out)
        if max(train.start, held.start) < min(train.stop, held.stop):
            msg = "training seeds and held-out seeds overlap"
            raise ValueError(msg)
        return self


class Steps(Value):
    """How long and how fast a network learns."""

    steps: Positive
    batch: Positive
    warmup: int = 100
    """Steps over which the rate rises."""
    decay: Share = 0.3
    """Share of the steps, at the end, over which the rate falls to a twentieth."""
    matrix_rate: float = 0.02
    """Of Muon, for the weights of layers."""
    other_rate: float = 1e-3
    """Of AdamW, for everything else."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of the gradient."""
    autocast: Literal["bfloat16", "off"] = "bfloat16"
    save_every: Positive = 200
    examine_every: Positive = 500
    log_every: Positive = 10


class CoderRecipe(Value):
    """The VAE (`AutoencoderKLWan`) and how it learns."""

    channels: Positive = 48
    """Of the latents."""
    patch: Literal[2, 4] = 4
    """Pixels folded into channels before the first layer; spatial factor = 4 * patch."""
    width: Positive = 24
    decoder_width: Positive = 48
    multipliers: tuple[int, int, int] = (1, 2, 2)
    blocks: Positive = 1
    outer: Steps | None = None
    """Of the outer level alone, first. None: the network is taught whole from the start."""
    inner: Steps | None = None
    """Of the inner level alone, between."""
    training: Steps
    finishing: Steps | None = None
    """Of the decoder alone, with the encoder as it is: latents stay what they were. None: not done."""
    crop: tuple[Positive, Positive] | None = (96, 96)
    """Height and width of training crops; None: whole frames."""
    crop_frames: Positive = 9
    control_share: Share = 0.35
    """Of a batch: control maps, which the network must read too."""
    latent_noise: float = 0.05
    """Of the latents' own spread, added in training: diffusion leaves some."""
    gradient_weight: float = 1.0
    spectrum_weight: float = 0.05

    @property
    def spatial(self) -> int:
        """Pixels per latent along each side."""
        return 4 * self.patch


class FlowRecipe(Value):
    """The transformer (`Cosmos3OmniTransformer`) and how it learns."""

    width: Positive = 256
    layers: Positive = 8
    heads: Positive = 4
    key_heads: Positive = 2
    head_dim: Positive = 64
    mlp: Positive = 640
    patch: Positive = 1
    """Latents per token along each side."""
    rope_axes: tuple[int, int, int] = (12, 10, 10)
    vocabulary: Positive = 512
    training: Steps
    structured_share: Share = 0.1
    """Of batches whose prompts are JSON captions; they are five times as long as plain ones."""
    text_drop: Share = 0.12
    control_drop: Share = 0.08
    start_share: Share = 0.15
    """Of samples whose first latent frame is given, as in the later chunks of a long clip."""
    hints: tuple[Share, Share, Share] = (0.75, 0.18, 0.07)
    """How often one, two and three controls are given."""
    hint_shares: dict[ControlKind, float] = {
        "edge": 0.36,
        "seg": 0.22,
        "depth": 0.18,
        "wsm": 0.12,
        "blur": 0.12,
    }
    shift: float = 2.5
    """Of the noise levels, in training and sampling alike."""
    max_words: Positive = 1200
    """Tokens of a prompt; longer ones are a mistake."""


class ProbeRecipe(Value):
    """The probe: reads depth, classes and condition off a picture, to judge what the model paints."""

    width: Positive = 24
    training: Steps


class SamplingRecipe(Value):
    """How clips are made for evaluation: the presets that ship with the model."""

    steps: Positive = 12
    text_guidance: float = 1.5
    control_guidance: float = 2.0
    controls: tuple[ControlKind, ...] = ("edge", "seg")


class Recipe(Value):
    """All of it."""

    name: str
    seed: int = 0
    data: DataRecipe = DataRecipe()
    coder: CoderRecipe
    flow: FlowRecipe
    probe: ProbeRecipe
    sampling: SamplingRecipe = SamplingRecipe()

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        step = self.coder.spatial * self.flow.patch
        if any(side % step for side in self.data.size):
            msg = f"{self.data.size} is no multiple of the {step} pixels that a token covers"
            raise ValueError(msg)
        if self.coder.crop and any(side % self.coder.spatial for side in self.coder.crop):
            msg = f"crops of {self.coder.crop} are no multiple of {self.coder.spatial}"
            raise ValueError(msg)
        if self.coder.crop_frames % 4 != 1 or self.coder.crop_frames > self.data.frames:
            msg = f"crop_frames must be 4 k + 1 and at most {self.data.frames}"
            raise ValueError(msg)
        return self

    @property
    def data_identity(self) -> str:
        """Name of how scenes are rendered, not of how many: more can be added, but not of another kind."""
        counts = {"first_seed", "scenes", "held_out_first_seed", "held_out"}
        return digest(DATA_REVISION, self.data.model_dump(mode="json", exclude=counts))[:16]


def read_recipe(path: Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe; `base:` names a file beside it whose values it changes.

    Args:
        path: Of the YAML file.
        changes: Nested values that replace the file's.

    Raises:
        ConfigError: No such file, or a field that is unknown or out of range.
    """
    try:
        return Recipe.model_validate(_merged(_raw(path), changes or {}))
    except ValidationError as exc:
        message = f"{path.name}: {exc}"
        raise ConfigError(message, reason="invalid") from exc


def _raw(path: Path) -> dict[str, Any]:
    values = load_yaml(path)
    if not isinstance(values, dict):
        message = f"{path} is no mapping"
        raise ConfigError(message, reason="invalid")
    base = values.pop("base", None)
    return _merged(_raw(path.parent / str(base)), values) if base else values


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping) and key != "hint_shares"
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]  # checked in `both`
    return merged
