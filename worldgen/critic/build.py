"""Build a critic from a configuration."""

from worldgen.config import load_settings
from worldgen.critic.critic import MeasuredCritic
from worldgen.critic.thresholds import Thresholds
from worldgen.media.scratch import Scratch


def build_critic(scratch: Scratch, config: str | Thresholds = "measured") -> MeasuredCritic:
    """Build the measured critic.

    Args:
        scratch: Where clips and geometry are read from.
        config: Name of a file in configs/critic (without .yaml), or thresholds.

    Raises:
        ConfigError: No such file, a field that is unknown or out of range, or a folder without a network.
    """
    if isinstance(config, Thresholds):
        return MeasuredCritic(scratch, config)
    return MeasuredCritic(scratch, load_settings("critic", config, Thresholds))
