"""Converters: specs in the words of CARLA, OpenSCENARIO and OSI, and back."""

from worldgen.config.carla import from_carla, lost_in_carla, to_carla
from worldgen.config.openscenario import from_openscenario, to_openscenario
from worldgen.config.osi import illuminance_lx, odd_bins

__all__ = [
    "from_carla",
    "from_openscenario",
    "illuminance_lx",
    "lost_in_carla",
    "odd_bins",
    "to_carla",
    "to_openscenario",
]
