"""Build: from a word in the configuration to a guardrail, or to none."""

from typing import Final

from worldgen.errors import ConfigError
from worldgen.models.guardrail.cosmos import CosmosGuardrail
from worldgen.models.guardrail.protocol import Guardrail
from worldgen.models.guardrail.words import WordsGuardrail

GUARDRAILS: Final = ("off", "words", "cosmos")


def build_guardrail(name: str, device: str = "") -> Guardrail | None:
    """Build what was asked for; None for ``off``. What cannot be had is an error, never a silent ``off``.

    Args:
        name: ``off``, ``words`` or ``cosmos``.
        device: Of the world model; empty: a GPU.

    Raises:
        ConfigError: `invalid` for another word, `missing_extra` when a package is missing.
        GenerationError: Its weights cannot be loaded.
    """
    if name == "off":
        return None
    if name == "words":
        return WordsGuardrail()
    if name == "cosmos":
        return CosmosGuardrail(device or "cuda")
    message = f"there is no guardrail {name!r}; there are: {', '.join(GUARDRAILS)}"
    raise ConfigError(message, reason="invalid")
