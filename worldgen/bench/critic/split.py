"""What thresholds may see and what they may not, by a hash fixed in the first commit of this file."""

import hashlib
from typing import Final

SALT: Final = "worldgen-critic-2026-11"
"""Never changed: another salt would let what was tuned on become what is tested on."""

TEST_SCENES: Final = 1_000_000
"""Seeds from here on are test scenes; no threshold, and nobody who sets one, looks at them."""


def _share(name: str) -> float:
    return int(hashlib.sha256(f"{SALT}:{name}".encode()).hexdigest()[:8], 16) / 0x1_0000_0000


def is_held_out(kind: str) -> bool:
    """Whether a kind of defect is kept from whoever sets thresholds: about two in five."""
    return _share(f"defect:{kind}") < 0.4


HELD_OUT_GOODS: Final = frozenset({"scene_weather", "foreign_weather"})
"""Generators of goods that no threshold saw: the proving ground rendered under weather, not post-processed
by our physics; and the overlays of another library."""


def test_seed(index: int) -> int:
    """Return the seed of a test scene."""
    return TEST_SCENES + index
