"""The minimal, safe edit of a caption: light, background, look; no thing comes or goes.

After the practice of the vendors' weather recipes (change little, add no objects or events, daylight turns
headlights off, night may turn them on), with one thing more: nothing that contradicts the spec may be left
anywhere, because a model believes concrete words. Subjects, actions and segments keep their number, order and
times; writing in the picture and the camera are never touched.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from worldgen.datatypes import Condition, Spec
from worldgen.prompts.mend import contradicted, mend, mentions
from worldgen.prompts.structured import Caption, Part
from worldgen.prompts.vocabulary import Topic
from worldgen.prompts.wording import Wording, wording_of

PartT = TypeVar("PartT", bound=Part)

_NEVER: Final = frozenset(
    {"text_and_signage_elements", "cinematography", "resolution", "lighting", "transitions"}
)
_NAMES: Final = frozenset({"description", "time", "time_range", "location", "orientation", "relative_size"})
"""Text that tells which thing or when: words may go, the thing may not."""


def edit_caption(caption: Caption, spec: Spec, condition: Condition | None = None) -> Caption:
    """Edit a source's caption so that it is true of the clip that the spec asks for.

    Args:
        caption: Of the source.
        spec: What shall change.
        condition: Of the source, for what the spec leaves alone.

    Returns:
        The caption with as many subjects, actions, segments and signs; `contradictions` of it is empty.
        Editing the result again by the same spec changes nothing.
    """
    topics = contradicted(spec)
    words = wording_of(spec, condition)
    fields: dict[str, Any] = {}
    for name in caption.model_fields_set:
        if name in Caption.model_fields and name not in _NEVER:
            fields[name] = _mended(getattr(caption, name), topics, keep=False)
    edited = caption.model_copy(update={k: v for k, v in fields.items() if v != getattr(caption, k)})
    return _with_words(edited, words)


def edit_text(caption: str, spec: Spec, condition: Condition | None = None) -> str:
    """Edit a caption in plain words: contradictions go, one sentence for the condition comes first."""
    words = wording_of(spec, condition)
    mended = mend(caption, contradicted(spec))
    said = [
        s for s in (words.throughout, *(words.surroundings if words.sets_light else ())) if s not in mended
    ]
    return " ".join(part for part in (*said[:1], mended, *said[1:]) if part)


def contradictions(caption: Caption, spec: Spec) -> tuple[tuple[str, str], ...]:
    """Find what a caption says against a spec: (field, words); light and writing in the picture left out."""
    topics = contradicted(spec)
    found = []
    for path, text in _texts(caption.model_dump(mode="json", exclude_unset=True)):
        if path.split(".")[0].split("[")[0] not in _NEVER:
            found += [(path, words) for words in mentions(text, topics)]
    return tuple(found)


def _with_words(caption: Caption, words: Wording) -> Caption:
    changes: dict[str, Any] = {}
    if words.sets_light:
        changes["lighting"] = caption.lighting.model_copy(
            update={
                "conditions": words.conditions,
                "direction": words.direction,
                "shadows": words.shadows,
                "illumination_effect": words.illumination_effect,
            }
        )
        changes["aesthetics"] = caption.aesthetics.model_copy(
            update={"color_scheme": words.color_scheme, "mood_atmosphere": words.mood_atmosphere}
        )
    if words.surroundings:
        changes["background_setting"] = _joined(caption.background_setting, words.surroundings)
    if words.throughout:
        # First, where the model reads it before any detail.
        changes["temporal_caption"] = _joined("", (words.throughout,), before=caption.temporal_caption)
    return caption.model_copy(update=changes)


def _joined(text: str, sentences: tuple[str, ...], *, before: str = "") -> str:
    new = tuple(s for s in sentences if s not in text and s not in before)
    start = text.rstrip()
    if start and start[-1] not in ".!?" and new:
        start += "."
    return " ".join(part for part in (start, *new, before) if part)


def _mended(value: Any, topics: frozenset[Topic], *, keep: bool) -> Any:  # noqa: ANN401 -- any field of a caption
    if isinstance(value, str):
        return _text(value, topics, keep=keep)
    if isinstance(value, Part):
        return _part(value, topics)
    if isinstance(value, tuple):
        return tuple(_mended(v, topics, keep=True) for v in value)
    return value


def _part(part: PartT, topics: frozenset[Topic]) -> PartT:
    changes = {}
    for name in part.model_fields_set:
        value = getattr(part, name)
        mended = _mended(value, topics, keep=name in _NAMES)
        if mended != value:
            changes[name] = mended
    return part.model_copy(update=changes) if changes else part


def _text(text: str, topics: frozenset[Topic], *, keep: bool) -> str:
    mended = mend(text, topics, keep_clauses=keep)
    if mentions(mended, topics):
        mended = mend(mended, topics, keep_clauses=True)
    return re.sub(r"\s+", " ", mended).strip() if mended != text else text


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 -- plain JSON
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{i}]")
