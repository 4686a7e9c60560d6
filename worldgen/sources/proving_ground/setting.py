"""The setting of a frame: what light needs to know besides what is seen, and what it gives."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldgen.sources.proving_ground.lamplight import Lights
from worldgen.sources.proving_ground.light import Weather
from worldgen.sources.proving_ground.scene import Scene
from worldgen.sources.proving_ground.shadow import Grid
from worldgen.sources.proving_ground.stage import Stage

F32 = npt.NDArray[np.floating]

SNOW = np.array([0.86, 0.88, 0.92], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """All that light needs to know about one frame besides what is seen."""

    scene: Scene
    stage: Stage
    weather: Weather
    emission: F32
    """Radiance per lamp slot, [slots, 3]."""
    lights: Lights
    grid: Grid
    shade_height: F32
    shade_cover: F32
    contact: F32
    """Darkness of the ground under things, 0..1, on the same grid."""
    frame: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Per sample, flat: radiance, tags and instances, and how wet the ground is."""

    radiance: F32
    tag: npt.NDArray[np.uint8]
    instance: npt.NDArray[np.int32]
    gloss: F32
    """Mirror-like share of the ground, 0..1; 0 elsewhere."""
