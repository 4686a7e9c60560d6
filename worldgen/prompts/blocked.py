"""Words that are known to trip the vendor's guardrail, so that nothing we write does.

The list itself is not public: it is part of gated weights. Known are the words that people reported, and
how it matches (cosmos_guardrail: better_profanity over words and lemmas, neighbours fused, close spellings
too). So this is a test of our own prompts and a hint for the user's, not a guardrail.
"""

import re
from typing import Final

KNOWN: Final[dict[str, str]] = {
    "bleeding": "NVIDIA/TensorRT-LLM#17523",
    "lifeless": "NVIDIA/TensorRT-LLM#17523",
    "xbox": "nvidia-cosmos/cosmos-transfer1#170",
    "deskin": "NVIDIA/cosmos-framework#186 (from 'desk in': neighbouring words are fused)",
    "nike": "NVIDIA/cosmos-framework#177 (trademarks are listed)",
}
"""Word -> where it was reported as blocked."""
RISKY: Final = frozenset(
    {
        "blood", "bloody", "bleed", "corpse", "dead", "deadly", "death", "die", "dying", "kill",
        "killer", "gore", "gory", "murder", "victim", "wound", "wounded", "injured", "naked", "nude",
        "sexy", "gun", "weapon", "bomb", "explosion", "attack", "terror", "drug", "suicide", "torture",
        "slaughter", "mutilated", "decapitated", "severed", "dismembered", "strangled", "choke", "hell",
        "damn", "crap", "crappy",
    }
)  # fmt: skip
"""Of the same family (violence, profanity); not known to be listed, and not needed for weather."""


def blocked_words(text: str) -> tuple[str, ...]:
    """Return the words of a text that are known to be blocked, as the guardrail would see them.

    Inflections count, and so do up to three neighbouring words that make a blocked one when fused.
    """
    return _found(text, frozenset(KNOWN))


def risky_words(text: str) -> tuple[str, ...]:
    """Return known and suspected words; shipped prompts have none."""
    return _found(text, frozenset(KNOWN) | RISKY)


def _found(text: str, words: frozenset[str]) -> tuple[str, ...]:
    tokens = re.findall(r"[a-z0-9]+", text.lower())
    found = []
    for i in range(len(tokens)):
        for count in (1, 2, 3):
            fused = "".join(tokens[i : i + count])
            if i + count <= len(tokens) and _stems(fused) & words:
                found.append(" ".join(tokens[i : i + count]))
    return tuple(dict.fromkeys(found))


def _stems(word: str) -> frozenset[str]:
    """Return a word and what plain suffix rules make of it (in place of WordNet's lemmas)."""
    out = {word}
    for suffix, instead in (
        ("s", ""),
        ("es", ""),
        ("ed", ""),
        ("ed", "e"),
        ("ing", ""),
        ("ing", "e"),
        ("ies", "y"),
    ):
        if word.endswith(suffix) and len(word) > len(suffix) + 2:
            out.add(word.removesuffix(suffix) + instead)
    return frozenset(out)
