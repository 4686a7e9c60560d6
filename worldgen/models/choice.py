"""Choice: which world model makes variants when nobody named one."""

from typing import Final

from worldgen.errors import WeightsError
from worldgen.models.build import profile_of

WITHOUT_WEIGHTS: Final = "physics"
BEST_FIRST: Final = ("cosmos3-super", "cosmos3-nano")
"""Models for real clips, best first. The embedded one knows only the proving ground and is never chosen."""


def default_model() -> str:
    """Name the best world model that this machine can run: its weights are here, and a GPU has room for them.

    Nothing is loaded; without weights torch is not even imported.
    """
    for name in BEST_FIRST:
        if has_weights(name) and gpu_gib() >= profile_of(name).memory_gib:
            return name
    return WITHOUT_WEIGHTS


def has_weights(name: str) -> bool:
    """Whether the weights of a diffusion model are here, whole; they are not loaded."""
    from worldgen.models.cosmos3.settings import settings_of
    from worldgen.weights import find

    try:
        find(settings_of(name).weights)
    except WeightsError:
        return False
    return True


def gpu_gib() -> float:
    """Memory of the largest GPU in GiB; 0 without one, or without torch."""
    try:
        import torch
    except ImportError:
        return 0.0
    if not torch.cuda.is_available():
        return 0.0
    sizes = (torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count()))
    return max(sizes, default=0) / 2**30
