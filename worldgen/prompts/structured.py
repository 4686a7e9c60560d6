"""The structured caption that Cosmos 3 was trained on: one JSON object per clip.

The fields are those of the publisher's captions (cosmos-framework, structured_caption). Captions come from
files, vision models and people, so reading is lenient: fields may be missing, unknown ones are kept, numbers
may be words. Writing gives back only what was read or set, in the schema's order.
"""

import json
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from worldgen.errors import SourceError

MAX_CHARACTERS: Final = 60_000
"""Of a caption. The model reads at most 4096 tokens, some 16,000 characters."""


def _one_text(value: Any) -> Any:  # noqa: ANN401 -- whatever a vision model wrote
    """Take a list of phrases for a text field, as vision models like to write them."""
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return ", ".join(value)
    return "" if value is None else value


Text: TypeAlias = Annotated[str, BeforeValidator(_one_text)]


class Part(BaseModel):
    """A frozen part of a caption that keeps what it does not know."""

    model_config = ConfigDict(frozen=True, extra="allow", coerce_numbers_to_str=True)


class Subject(Part):
    """Somebody or something in the clip. What does not apply is empty."""

    description: Text = ""
    appearance_details: Text = ""
    relationship: Text = ""
    location: Text = ""
    relative_size: Text = ""
    orientation: Text = ""
    pose: Text = ""
    action: Text = ""
    state_changes: Text = ""
    clothing: Text = ""
    expression: Text = ""
    gender: Text = ""
    age: Text = ""
    skin_tone_and_texture: Text = ""
    facial_features: Text = ""
    number_of_subjects: int | Text = 1
    number_of_arms: int | Text = 0
    number_of_legs: int | Text = 0


class Lighting(Part):
    """Light of the whole clip."""

    conditions: Text = ""
    direction: Text = ""
    shadows: Text = ""
    illumination_effect: Text = ""


class Aesthetics(Part):
    """Look of the picture."""

    composition: Text = ""
    color_scheme: Text = ""
    mood_atmosphere: Text = ""
    patterns: Text = ""


class Cinematography(Part):
    """The camera."""

    camera_motion: Text = ""
    framing: Text = ""
    camera_angle: Text = ""
    depth_of_field: Text = ""
    focus: Text = ""
    lens_focal_length: Text = ""


class Action(Part):
    """What happens in a span of time."""

    time: Text = ""
    """``0:00-0:02``."""
    description: Text = ""


class Segment(Part):
    """A stretch of the clip."""

    segment_index: int | Text = 0
    time_range: Text = ""
    description: Text = ""
    key_changes: Text = ""
    camera: Text = ""


class Signage(Part):
    """Writing in the picture; never edited."""

    text: Text = ""
    category: Text = ""
    appearance: Text = ""
    spatial_temporal: Text = ""
    context: Text = ""


class Resolution(Part):
    """Pixels of the model's frames."""

    W: int
    H: int


class Caption(Part):
    """A structured caption."""

    subjects: tuple[Subject, ...] = ()
    background_setting: Text = ""
    lighting: Lighting = Lighting()
    aesthetics: Aesthetics = Aesthetics()
    cinematography: Cinematography = Cinematography()
    style_medium: Text = ""
    artistic_style: Text = ""
    context: Text = ""
    actions: tuple[Action, ...] = ()
    text_and_signage_elements: tuple[Signage, ...] = ()
    segments: tuple[Segment, ...] = ()
    transitions: tuple[Any, ...] = ()
    temporal_caption: Text = ""
    audio_description: Text = ""
    resolution: Resolution | None = None
    aspect_ratio: Text = ""
    duration: Text = ""
    fps: Annotated[float, Field(gt=0)] | int | Text = ""

    @classmethod
    def parse(cls, text: str) -> "Caption":
        """Read a caption.

        Raises:
            SourceError: `bad_caption`: too long, not JSON, not an object, or fields of other shapes.
        """
        if len(text) > MAX_CHARACTERS:
            message = f"a caption has at most {MAX_CHARACTERS} characters, got {len(text)}"
            raise SourceError(message, reason="bad_caption")
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as exc:
            message = f"the caption is not JSON: {exc}"
            raise SourceError(message, reason="bad_caption") from exc
        if not isinstance(values, dict):
            message = "the caption is JSON, but not an object"
            raise SourceError(message, reason="bad_caption")
        try:
            caption = cls.model_validate(values)
        except ValidationError as exc:
            first = exc.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = f"the caption's {where} is wrong: {first['msg']}"
            raise SourceError(message, reason="bad_caption") from exc
        if not caption.model_fields_set & set(cls.model_fields):
            known = ", ".join(list(cls.model_fields)[:6])
            message = f"the caption has none of the fields of a structured caption ({known}, ...)"
            raise SourceError(message, reason="bad_caption")
        return caption

    def to_json(self) -> str:
        """Write it as the model reads it: what was set, in the schema's order, on one line."""
        return json.dumps(self.model_dump(mode="json", exclude_unset=True), ensure_ascii=False)


def is_structured(caption: str) -> bool:
    """Whether a caption is meant as JSON rather than as words."""
    return caption.lstrip().startswith(("{", "["))


class Shot(BaseModel):
    """What the caption says of the picture's format."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int
    height: int
    frames: int
    fps: float

    @property
    def aspect_ratio(self) -> Literal["16,9", "4,3", "1,1", "3,4", "9,16"]:
        """The nearest of the ratios that the model knows."""
        known: tuple[tuple[Literal["16,9", "4,3", "1,1", "3,4", "9,16"], float], ...] = (
            ("16,9", 16 / 9),
            ("4,3", 4 / 3),
            ("1,1", 1.0),
            ("3,4", 3 / 4),
            ("9,16", 9 / 16),
        )
        ratio = self.width / self.height
        return min(known, key=lambda row: abs(row[1] / ratio - 1))[0]

    def on(self, caption: Caption) -> Caption:
        """Return the caption with this format: pixels, aspect ratio, whole seconds, frame rate."""
        fps: int | float = int(self.fps) if float(self.fps).is_integer() else self.fps
        return caption.model_copy(
            update={
                "resolution": Resolution(W=self.width, H=self.height),
                "aspect_ratio": self.aspect_ratio,
                "duration": f"{max(1, round(self.frames / self.fps))}s",
                "fps": fps,
            }
        )
