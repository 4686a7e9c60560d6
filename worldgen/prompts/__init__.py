"""Prompts: specs in words, for people and for world models that read text. Templates and edits, no network.

``title_of`` and ``describe`` are for people. ``prompt_for`` and ``negative_prompt_for`` write what a world
model reads, as a paragraph or as Cosmos 3's JSON caption, from the spec and, where there is one, the source's
caption.
"""

from typing import Final, Literal, TypeAlias

from worldgen.datatypes import Condition, ControlKind, Labels, Spec
from worldgen.prompts.blocked import blocked_words
from worldgen.prompts.edit import contradictions, edit_caption
from worldgen.prompts.negative import negative_plain, negative_structured
from worldgen.prompts.plain import plain_prompt
from worldgen.prompts.structured import MAX_CHARACTERS, Caption, Shot, is_structured
from worldgen.prompts.subjects import subjects_of
from worldgen.prompts.template import template_caption
from worldgen.prompts.words import describe, title_of

__all__ = [
    "MAX_CHARACTERS",
    "Caption",
    "Shot",
    "Style",
    "blocked_words",
    "check_caption",
    "contradictions",
    "describe",
    "edit_caption",
    "emphasis_on",
    "is_structured",
    "negative_prompt_for",
    "prompt_for",
    "structured_for",
    "subjects_of",
    "template_caption",
    "title_of",
]

Style: TypeAlias = Literal["plain", "structured"]

_CONTROL_WORDS: Final[dict[ControlKind, str]] = {
    "edge": "edge",
    "blur": "blur",
    "depth": "depth",
    "seg": "segmentation",
    "wsm": "world scenario map",
}


def prompt_for(
    spec: Spec,
    *,
    style: Style = "plain",
    caption: str = "",
    condition: Condition | None = None,
    labels: Labels | None = None,
    shot: Shot | None = None,
) -> str:
    """Write the prompt of a world model: the weather and light, and that nothing else changes.

    Args:
        spec: What shall change. Its own `prompt`, where set, is returned as it is.
        style: A paragraph, or Cosmos 3's JSON caption.
        caption: Of the source, as words or as JSON; edited minimally. Empty: a template.
        condition: Of the source, for what the spec leaves alone.
        labels: Of the source; name the subjects of a structured template.
        shot: Format of the model's frames, for the structured caption.

    Raises:
        SourceError: `bad_caption` for JSON that is no caption.
    """
    if spec.prompt:
        return spec.prompt
    if style == "plain":
        return plain_prompt(spec, caption, condition)
    return structured_for(spec, caption=caption, condition=condition, labels=labels, shot=shot).to_json()


def structured_for(
    spec: Spec,
    *,
    caption: str = "",
    condition: Condition | None = None,
    labels: Labels | None = None,
    shot: Shot | None = None,
) -> Caption:
    """Write the structured caption; see `prompt_for`."""
    if is_structured(caption):
        edited = edit_caption(Caption.parse(caption), spec, condition)
    else:
        edited = template_caption(spec, condition, labels, text=caption)
    return shot.on(edited) if shot is not None else edited


def negative_prompt_for(spec: Spec, *, style: Style = "plain") -> str:
    """Write the negative prompt: what is never wanted, and what would contradict the spec."""
    return negative_plain(spec) if style == "plain" else negative_structured(spec).to_json()


def emphasis_on(kinds: tuple[ControlKind, ...]) -> str:
    """Write the sentence that some engines append to a transfer prompt, naming the control maps to follow."""
    if not kinds:
        return ""
    names = " and ".join(_CONTROL_WORDS[kind] for kind in kinds)
    return (
        f"Follow the {names} control video exactly: the shape, outline, position and motion of everything "
        f"that is visible agree with the {names} signal in every frame."
    )


def check_caption(caption: str) -> str:
    """Return a caption, words or JSON, that can be used.

    Raises:
        SourceError: `bad_caption`: empty, too long, or JSON that is no caption.
    """
    from worldgen.errors import SourceError

    text = caption.strip()
    if not text:
        message = "the caption is empty"
        raise SourceError(message, reason="bad_caption")
    if is_structured(text):
        Caption.parse(text)
    elif len(text) > MAX_CHARACTERS:
        message = f"a caption has at most {MAX_CHARACTERS} characters, got {len(text)}"
        raise SourceError(message, reason="bad_caption")
    return text
