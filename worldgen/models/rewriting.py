"""Rewriting: a language model polishes the edited caption; what it writes is used only if it kept the rules.

The edit by template (`worldgen.prompts.edit`) is always made first and is what is used when the answer adds,
drops or swaps a subject, touches a sign, a time or the camera, or says what the spec contradicts.
"""

import re
from dataclasses import dataclass
from typing import Final

from worldgen.chat import Chat, json_in
from worldgen.datatypes import Condition, Spec, canonical_json
from worldgen.errors import ServiceError, SourceError
from worldgen.prompts import Caption, blocked_words, contradictions, describe, edit_caption

_SYSTEM: Final = """You edit captions of driving clips. You get a JSON caption and the weather and light
that the clip shall have. The caption was changed to that by a program; make its wording natural and
consistent with as few changes as you can. Add no thing, no person, no event. Remove none. Keep every list
as long as it is and in its order. Never change "text_and_signage_elements", "cinematography", any time,
number or field name. By day no vehicle lamps are lit but brake lights and indicators; at night lamps of
vehicles that are there may be lit. Answer with the whole JSON object and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A caption, and whether the language model's wording was taken."""

    caption: Caption
    taken: bool
    why: str = ""
    """Why the template's was kept."""


def rewrite_caption(
    caption: Caption, spec: Spec, chat: Chat, condition: Condition | None = None
) -> Rewritten:
    """Edit a source's caption for a spec, then have it polished.

    Args:
        caption: Of the source.
        spec: What shall change.
        chat: The endpoint, with its permission.
        condition: Of the source.

    Raises:
        ServiceError: The endpoint failed. A useless answer is no failure: the template's edit is returned.
    """
    edited = edit_caption(caption, spec, condition)
    answer = chat.ask(_SYSTEM, [f"Weather and light: {describe(spec)}.", edited.to_json()])
    try:
        polished = Caption.parse(canonical_json(json_in(answer)))
    except (ServiceError, SourceError) as error:
        return Rewritten(caption=edited, taken=False, why=error.message)
    why = broken_rule(edited, polished, spec)
    return Rewritten(caption=edited if why else polished, taken=not why, why=why)


def broken_rule(edited: Caption, polished: Caption, spec: Spec) -> str:
    """Name the first rule that a rewritten caption breaks; empty when it keeps them all."""
    for field in ("subjects", "actions", "segments", "text_and_signage_elements"):
        had, has = len(getattr(edited, field)), len(getattr(polished, field))
        if had != has:
            return f"{field}: {had} became {has}"
    for field in ("text_and_signage_elements", "cinematography", "resolution", "fps", "duration"):
        if getattr(edited, field) != getattr(polished, field):
            return f"{field} was changed"
    counts = [[s.number_of_subjects for s in c.subjects] for c in (edited, polished)]
    if counts[0] != counts[1]:
        return "number_of_subjects was changed"
    for was, now in zip(edited.subjects, polished.subjects, strict=True):
        names = _names(was.description)
        if len(names & _names(now.description)) * 2 < len(names):
            return f"a subject was swapped: {was.description!r} became {now.description!r}"
    times = [[a.time for a in c.actions] + [s.time_range for s in c.segments] for c in (edited, polished)]
    if times[0] != times[1]:
        return "times were changed"
    against = contradictions(polished, spec)
    if against:
        return f"{against[0][0]} says {against[0][1]!r}, which the spec contradicts"
    new = set(blocked_words(polished.to_json())) - set(blocked_words(edited.to_json()))
    return f"it brings words that a guardrail blocks: {', '.join(sorted(new))}" if new else ""


def _names(text: str) -> frozenset[str]:
    """Return the words of a description that carry its meaning."""
    return frozenset(re.findall(r"[a-z]{4,}", text.lower())) - {"with", "from", "that", "this", "their"}
