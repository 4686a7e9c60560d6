"""The prompt as a paragraph, for models that read one (Transfer2.5, Wan)."""

import re
from typing import Final

from worldgen.datatypes import Condition, Spec
from worldgen.prompts.edit import edit_caption, edit_text
from worldgen.prompts.structured import Caption, is_structured
from worldgen.prompts.words import describe, is_night

_MOST_WORDS: Final = 260
"""Some 350 tokens of T5, which these models cut at 512."""
_FIXED: Final = (
    "Buildings, vehicles, people, lane markings, signs and traffic lights stay exactly as they are, "
    "in place, number, shape and motion; nothing is added."
)


def plain_prompt(spec: Spec, caption: str = "", condition: Condition | None = None) -> str:
    """Write a paragraph: weather and light, the source's caption edited, and that nothing else changes."""
    own = _from_caption(spec, caption, condition)
    sentences = [
        f"A realistic video from the front camera of a car: {describe(spec)}.",
        _light_sentence(spec),
        "" if own else _road_sentence(spec),
        own,
        _FIXED,
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _from_caption(spec: Spec, caption: str, condition: Condition | None) -> str:
    if not caption.strip():
        return ""
    if not is_structured(caption):
        return _cut(edit_text(caption, spec, condition))
    edited = edit_caption(Caption.parse(caption), spec, condition)
    return _cut(f"{edited.background_setting} {edited.temporal_caption}")


def _cut(text: str) -> str:
    """Keep whole sentences up to the limit."""
    kept: list[str] = []
    for sentence in re.split(r"(?<=[.!?])\s+", text.strip()):
        if kept and sum(len(s.split()) for s in (*kept, sentence)) > _MOST_WORDS:
            break
        kept.append(sentence)
    return " ".join(kept)


def _light_sentence(spec: Spec) -> str:
    sun = spec.sun_elevation_deg
    if sun is None:
        dull = (spec.clouds_okta or 0) >= 6 or (spec.fog_mor_m or 1e9) <= 1000
        return "The light is soft and without shadows." if dull else ""
    if is_night(spec):
        return "The sky is dark; headlights, street lamps and lit windows light the scene."
    if sun <= 0:
        return "The sun has set; the sky still glows and the street is dim and bluish."
    if sun <= 12 and (spec.clouds_okta or 0) <= 4:
        return "The sun stands just above the horizon, warm and glaring, with long shadows."
    return ""


def _road_sentence(spec: Spec) -> str:
    if (spec.snow_cover or 0) >= 0.3:
        return "Snow lies on the road, roofs and verges."
    if (spec.wetness or 0) >= 0.3:
        return "The asphalt is dark and wet and mirrors lights and vehicles."
    return ""
