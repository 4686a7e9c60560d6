"""Build a critic from a configuration."""

from pathlib import Path

from worldgen.config import find_configs
from worldgen.critic.critic import MeasuredCritic
from worldgen.critic.thresholds import Thresholds, load_thresholds
from worldgen.media.scratch import Scratch


def build_critic(scratch: Scratch, config: str | Path | Thresholds = "measured") -> MeasuredCritic:
    """Build the measured critic.

    Args:
        scratch: Where clips and geometry are read from.
        config: Name of a file in configs/critic (without .yaml), a path, or thresholds.

    Raises:
        ConfigError: No such file, or a field that is unknown or out of range.
    """
    if isinstance(config, Thresholds):
        return MeasuredCritic(scratch, config)
    path = config if isinstance(config, Path) else find_configs() / "critic" / f"{config}.yaml"
    return MeasuredCritic(scratch, load_thresholds(path))
