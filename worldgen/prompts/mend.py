"""Mending: taking out of a text what a spec makes untrue, and as little else as possible.

A caption of a sunny street, asked for at night, must not say "sunny" in its background, its actions or its
subjects: the model believes the most concrete words. In this order, each sentence that holds a word that the
spec contradicts loses (1) the phrase that says only that ("on a sunny day"), (2) the adjective ("damp
asphalt" becomes "asphalt"), (3) the clause, (4) the sentence. Nothing is added here.
"""

import re
from typing import Final

from worldgen.datatypes import Spec
from worldgen.prompts.vocabulary import ADJECTIVES, NOUNS, Topic

_TAIL: Final = (
    r"(?: (?:sk(?:y|ies)|day|days|daytime|daylight|light|lighting|sun|sunlight|sunshine|conditions?|weather"
    r"|air|morning|afternoon|evening|night|hours?|glow|street ?lights?))"
)
_BEFORE: Final = (
    r"(?:in|under|on|during|at|beneath|amid|amidst|through|by|into|against|with|within|from|of|after|before)"
)
_DETERMINER: Final = r"(?: (?:a|an|the|its|this|that|full|broad|bright|soft|light|heavy|gentle|thin|thick))*"
_END: Final = (
    r"(?=\s*(?:[,.;:!?)]|$)|\s+(?:with|as|while|on|in|at|over|under|along|from|to|when|where|that|which"
    r"|behind|across|the|a|an|near|through|between|toward|towards|before|after|is|are|its)\b)"
)
_COMMON: Final = ("bright", "clear", "quiet", "shiny", "empty", "brisk")
_AFTER_COMMON: Final = "(?:" + "|".join(rf"(?<=\b{word})" for word in _COMMON) + ")"
_NO_NOUN: Final = (
    "and|or|but|with|in|on|at|as|over|under|to|from|of|that|which|is|are|was|were|has|had|falls?|fell|pours?|"
    "lies|lay|covers?|hits?|beats?|streaks?|runs?|comes?|begins?|continues?|keeps?|settles?|descends?|hangs?|"
    "glints?|reflects?|casts?|bathes?|shines?|falling|pouring|covering"
)
"""Words after which what came before was a thing, not what describes one."""
_GAP: Final = "\x00"
_STUB: Final = 2
_WORDS_WORTH_KEEPING: Final = 12
"""A clause of this many words says more than the weather: it loses words, not its place."""


def contradicted(spec: Spec) -> frozenset[Topic]:
    """Name what may not be said any more of a clip that becomes as the spec says."""
    out: set[Topic] = set(_by_light(spec))
    rain, wetness = spec.rain_mm_h, spec.wetness
    closed = bool(rain or spec.snow_mm_h or _thick(spec) or (spec.clouds_okta or 0) >= 6)
    opens = spec.asks_for == "low_sun" or (spec.clouds_okta is not None and spec.clouds_okta <= 2)
    if closed:
        out |= {"sun", "shadows", "bright_sky", "clear_sky"}
    elif opens:
        out |= {"overcast", "rain", "snowfall", "fog"}
    if rain is not None:
        out |= {"dry", "snowfall"} if rain >= 0.1 else {"rain"}
    if spec.snow_mm_h:
        out.add("rain")
    if spec.snow_mm_h is not None and spec.snow_mm_h < 0.05:
        out.add("snowfall")
    if spec.snow_cover is not None:
        out |= {"dry"} if spec.snow_cover >= 0.3 else {"snow"} if spec.snow_cover < 0.05 else set()
    if wetness is not None:
        out |= {"dry"} if wetness >= 0.3 else {"wet"} if wetness < 0.1 else set()
    if _thick(spec):
        out.add("clear_view")
    elif spec.fog_mor_m:
        out.add("fog")
    out |= {"lamps_off"} if spec.headlights == "on" else {"lamps_on"} if spec.headlights == "off" else set()
    return frozenset(out)


def mentions(text: str, topics: frozenset[Topic]) -> tuple[str, ...]:
    """Return the words of a text that belong to the topics, as they stand there."""
    pattern = _any_of(topics)
    return tuple(m.group(0) for m in pattern.finditer(text)) if pattern else ()


def mend(text: str, topics: frozenset[Topic], *, keep_clauses: bool = False) -> str:
    """Take everything that mentions the topics out of a text.

    Args:
        text: One or more sentences, or a phrase.
        topics: What may not be said.
        keep_clauses: Only words go, never a clause or a sentence: for the name of a thing, which must stay.

    Returns:
        The text without them; equal to `text` when it mentions none. May be empty without `keep_clauses`.
    """
    if not mentions(text, topics):
        return text
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    mended = [_sentence(s, topics, keep_clauses=keep_clauses) for s in sentences]
    return " ".join(s for s in mended if s)


def _sentence(sentence: str, topics: frozenset[Topic], *, keep_clauses: bool) -> str:
    if not mentions(sentence, topics):
        return sentence
    out = _without_phrases(sentence, topics)
    out = _without_adjectives(out, topics, predicative=keep_clauses)
    if mentions(out, topics):
        out = _without_words(out, topics) if keep_clauses else _without_clauses(out, topics)
    return _tidy(out, was=sentence)


def _without_phrases(text: str, topics: frozenset[Topic]) -> str:
    """Take out "on an overcast day", "in bright sunlight", "under a clear blue sky"."""
    nouns, adjectives = _words(topics, NOUNS), _words(topics, ADJECTIVES)
    described = rf"(?:[\w-]+,? )?(?:{adjectives})(?:,? (?:and )?[\w-]+)??{_TAIL}+" if adjectives else r"(?!)"
    named = rf"(?:[\w-]+ )??(?:{nouns}){_TAIL}*" if nouns else r"(?!)"
    lamps = "|".join(NOUNS["lamps_on"]) if "lamps_on" in topics else r"(?!)"
    out = text
    for pattern in (
        rf",?\s*\b(?:with|and)(?: (?:its|their|the|his|her|both|two|low-beam))* (?:{lamps})",
        rf",?\s*\b{_BEFORE}{_DETERMINER} {described}{_END}",
        rf",?\s*\b{_BEFORE}{_DETERMINER} {named}(?:{_END}|(?= and\b))",
    ):
        out = re.sub(pattern, _GAP, out, flags=re.IGNORECASE)
    return out if out.replace(_GAP, "").strip(" .,;") else text


def _without_adjectives(text: str, topics: frozenset[Topic], *, predicative: bool) -> str:
    """Take "damp" out of "the damp asphalt"; leave "the asphalt is damp" for the clause to go."""
    words = _words(topics, ADJECTIVES)
    if not words:
        return text
    degree = r"(?:(?:very|slightly|lightly|partly|gently|softly|mostly|heavily|freshly|recently) )?"
    guard = (
        "" if predicative else r"(?<!\bis )(?<!\bare )(?<!\bwas )(?<!\blooks )(?<!\bappears )(?<!\bremains )"
    )
    word = rf"{degree}\b(?:{words})\b"
    for pattern in (
        rf"{guard}{word} and (?=[\w-]+ \w)",
        rf"{_AFTER_COMMON} and {word}(?= \w)",
        rf", {word}(?= \w)",
        rf"{guard}{word},? (?!(?:{_NO_NOUN})\b)(?=\w)",
    ):
        text = re.sub(pattern, _GAP, text, flags=re.IGNORECASE)
    return text


def _without_clauses(text: str, topics: frozenset[Topic]) -> str:
    """Drop each clause that still mentions them; the last one standing goes with the sentence."""
    parts = re.split(
        r"(;\s*|,\s+(?:and |while |as |with |which |where )?|\s+while\s+|\s+as\s+(?=the |a |an ))", text
    )
    kept = ""
    for i in range(0, len(parts), 2):
        part = parts[i]
        if mentions(part, topics):
            if len(part.split()) < _WORDS_WORTH_KEEPING:
                if len(kept.split()) <= _STUB:
                    kept = ""  # "Bright, natural daylight ...": what stood before belonged to it.
                continue
            part = _without_words(part, topics)
        joint = parts[i - 1] if i and kept else ""
        kept += joint + part
    return kept


def _without_words(text: str, topics: frozenset[Topic]) -> str:
    pattern = _any_of(topics)
    return pattern.sub(_GAP, text) if pattern else text


def _tidy(text: str, *, was: str) -> str:
    """Set articles, spaces, commas and the first letter right where words were taken out."""
    text = re.sub(rf"\b(a|an)(\s*{_GAP}\s*)+([A-Za-z])", _article, text, flags=re.IGNORECASE)
    text = text.replace(_GAP, " ")
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;:!?)])", r"\1", text)
    text = re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text)
    text = re.sub(r"[,;:]\s*([.!?])", r"\1", text)
    text = re.sub(rf"\b(?:{_BEFORE}|and|the|a|an)\s*([.,;]|$)", r"\1", text, flags=re.IGNORECASE)
    text = re.sub(r"\s+([,.;:!?)])", r"\1", text).strip(" ,;:")
    if not re.search(r"[A-Za-z]{2}", text):
        return ""
    if was[:1].isupper():
        text = text[0].upper() + text[1:]
    ending = was.rstrip()[-1:]
    return text if text[-1:] in ".!?" or ending not in ".!?" else text + ending


def _article(match: re.Match[str]) -> str:
    first = match.group(1)
    right = "an" if match.group(3).lower() in "aeiou" else "a"
    return f"{right.capitalize() if first[0].isupper() else right} {match.group(3)}"


def _by_light(spec: Spec) -> set[Topic]:
    sun = spec.sun_elevation_deg
    if sun is None:
        return set()
    if sun < -6:
        return {"day", "noon", "dusk", "sun", "shadows", "bright_sky", "lamps_off"}
    if sun <= 0:
        return {"day", "noon", "night", "sun", "shadows"}
    lamps: set[Topic] = set() if _wants_lamps(spec) else {"lamps_on"}
    return lamps | (
        {"noon", "night", "overcast"} if sun <= 12 and (spec.clouds_okta or 0) <= 4 else {"night", "dusk"}
    )


def _wants_lamps(spec: Spec) -> bool:
    heavy = (spec.rain_mm_h or 0) > 8 or min(spec.fog_mor_m or 1e9, spec.dust_mor_m or 1e9) < 200
    return spec.headlights == "on" or heavy


def _thick(spec: Spec) -> bool:
    return min(spec.fog_mor_m or 1e9, spec.dust_mor_m or 1e9) < 10_000


def _words(topics: frozenset[Topic], table: dict[Topic, tuple[str, ...]]) -> str:
    return "|".join(word for topic in sorted(topics) for word in table[topic])


def _any_of(topics: frozenset[Topic]) -> re.Pattern[str] | None:
    both = "|".join(p for p in (_words(topics, ADJECTIVES), _words(topics, NOUNS)) if p)
    return re.compile(rf"(?<![\w-])(?:{both})(?![\w-])", re.IGNORECASE) if both else None
