"""Words: the tokenizer of the small model, and prompts as token ids."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from checkpoints.conditions import CLASSES, draw_spec
from checkpoints.scenes import captions_of
from worldgen.config.specs import presets
from worldgen.errors import ConfigError
from worldgen.models.cosmos3.text import TRANSFER_SYSTEM_PROMPT, token_ids
from worldgen.models.cosmos3.tiny import make_tokenizer
from worldgen.prompts import negative_prompt_for


def train_tokenizer(captions: Iterable[str], vocabulary: int) -> Any:  # noqa: ANN401 -- of transformers
    """Train a byte-level tokenizer on captions, and on those of every preset and of drawn specs."""
    rng = np.random.default_rng(0)
    specs = [spec for preset in presets().values() for spec in preset.specs]
    specs += [draw_spec(rng, label) for label in CLASSES for _ in range(40)]
    words = [*captions, *(c for s in specs for c in captions_of(s)), *(negative_prompt_for(s) for s in specs)]
    # The system prompt stands before every caption, so it is worth long tokens.
    return make_tokenizer(vocabulary, iter([*words, *[TRANSFER_SYSTEM_PROMPT] * len(words)]))


class Reader:
    """Prompts to padded token ids.

    Args:
        tokenizer: With its chat template.
        longest: Tokens that a prompt may have.
    """

    def __init__(self, tokenizer: Any, longest: int) -> None:  # noqa: ANN401 -- of transformers
        self._tokenizer = tokenizer
        self._longest = longest
        self._known: dict[str, tuple[int, ...]] = {}

    def ids(self, text: str) -> tuple[int, ...]:
        """Tokenise a prompt as the pipeline does.

        Raises:
            ConfigError: It is longer than the recipe allows.
        """
        if text not in self._known:
            ids = token_ids(self._tokenizer, text, TRANSFER_SYSTEM_PROMPT)
            if len(ids) > self._longest:
                message = f"a prompt of {len(ids)} tokens, more than {self._longest}: {text[:80]!r}"
                raise ConfigError(message, reason="invalid")
            self._known[text] = ids
        return self._known[text]

    def batch(self, texts: Sequence[str], device: torch.device) -> tuple[Tensor, Tensor]:
        """Tokenise prompts: ids [n, longest] filled with 0, lengths [n]."""
        ids = [self.ids(text) for text in texts]
        padded = torch.zeros((len(ids), max(map(len, ids))), dtype=torch.long)
        for row, one in zip(padded, ids, strict=True):
            row[: len(one)] = torch.tensor(one)
        return padded.to(device), torch.tensor([len(one) for one in ids], device=device)
