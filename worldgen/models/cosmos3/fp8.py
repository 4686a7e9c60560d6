"""FP8: which tower a linear layer of a ModelOpt checkpoint belongs to, put right.

A published FP8 checkpoint runs its generation tower in W8A16 for the first and last three steps and in W8A8
between them, and its understanding tower in W8A16 throughout. diffusers 0.42 decides by name
(pipelines/cosmos/mixed_precision.py, `_classify_cosmos3_linear`): `self_attn.to_q/k/v/out` as generation,
`add_q_proj`, `add_k_proj`, `add_v_proj`, `to_add_out` as understanding. In the network it is the other way
round (`Cosmos3AttnProcessor`: `to_q` reads the text, `add_q_proj` the video), so that the video's attention
always takes the slow path, and the text's is stepped. The MLPs are right. `correct_towers` puts our
function in place of theirs, once, before a checkpoint is prepared for mixed precision.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from diffusers import Cosmos3OmniTransformer
from diffusers.pipelines.cosmos import mixed_precision

UNDERSTANDING: Final = ("to_q", "to_k", "to_v", "to_out")
GENERATION: Final = ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
_THEIRS: Final = "_classify_cosmos3_linear"


def tower_of(name: str) -> str | None:
    """Name the tower of a layer in the words of diffusers: "generation", "reasoner", or None for neither.

    Args:
        name: Dotted, as in `named_modules`.
    """
    parts = name.split(".")
    if len(parts) < 2:
        return None
    if "mlp_moe_gen" in parts or (parts[-2] == "self_attn" and parts[-1] in GENERATION):
        return "generation"
    if "mlp" in parts or (parts[-2] == "self_attn" and parts[-1] in UNDERSTANDING):
        return "reasoner"
    return None


def correct_towers() -> bool:
    """Make diffusers' mixed precision tell the towers apart correctly.

    Returns:
        Whether anything had to be put right; False once diffusers does it itself.
    """
    theirs = getattr(mixed_precision, _THEIRS, None)
    if theirs is None:
        return False
    names = [f"layers.0.self_attn.{part}" for part in (*UNDERSTANDING, *GENERATION)]
    if all(theirs(name) == tower_of(name) for name in names):
        return False
    setattr(mixed_precision, _THEIRS, tower_of)
    return True


class MixedPrecision:
    """The step schedule of an FP8 checkpoint; nothing for every other one.

    Args:
        network: Loaded.
    """

    def __init__(self, network: Cosmos3OmniTransformer) -> None:
        self._network = network
        self.config = mixed_precision.Cosmos3MixedPrecisionConfig.resolve(network)
        if self.config.enabled:
            correct_towers()

    def step(self, step: int, steps: int) -> None:
        """Choose the numbers of one step."""
        mixed_precision.apply_cosmos3_mixed_precision_step(self._network, self.config, step, steps)

    def reset(self) -> None:
        """Go back to the checkpoint's own numbers."""
        mixed_precision.reset_cosmos3_mixed_precision(self._network, self.config)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read a text as the first step would: the text tower's numbers do not depend on the step."""
        self.step(0, 2)
        try:
            yield
        finally:
            self.reset()
