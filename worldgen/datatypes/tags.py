"""Semantic tags: CARLA's numbers of version 0.9.14 and later, used everywhere inside worldgen."""

from enum import IntEnum
from typing import Final


class Tag(IntEnum):
    """What a pixel shows. Source: CARLA, LibCarla ObjectLabel.h, 0.9.14 and later."""

    UNLABELED = 0
    ROAD = 1
    SIDEWALK = 2
    BUILDING = 3
    WALL = 4
    FENCE = 5
    POLE = 6
    TRAFFIC_LIGHT = 7
    TRAFFIC_SIGN = 8
    VEGETATION = 9
    TERRAIN = 10
    SKY = 11
    PEDESTRIAN = 12
    RIDER = 13
    CAR = 14
    TRUCK = 15
    BUS = 16
    TRAIN = 17
    MOTORCYCLE = 18
    BICYCLE = 19
    STATIC = 20
    DYNAMIC = 21
    OTHER = 22
    WATER = 23
    ROAD_LINE = 24
    GROUND = 25
    BRIDGE = 26
    RAIL_TRACK = 27
    GUARD_RAIL = 28
    ROCK = 29


EGO: Final = 255
"""The recording vehicle itself (bonnet, dashboard): never weather, never an object."""

VEHICLES: Final = frozenset({Tag.CAR, Tag.TRUCK, Tag.BUS, Tag.TRAIN, Tag.MOTORCYCLE})
PEOPLE: Final = frozenset({Tag.PEDESTRIAN, Tag.RIDER, Tag.BICYCLE})
ACTORS: Final = VEHICLES | PEOPLE
FLAT: Final = frozenset({Tag.ROAD, Tag.SIDEWALK, Tag.ROAD_LINE, Tag.GROUND, Tag.TERRAIN, Tag.RAIL_TRACK})
"""Upward surfaces at ground level."""

CITYSCAPES: Final[tuple[tuple[int, int, int], ...]] = (
    (0, 0, 0),
    (128, 64, 128),
    (244, 35, 232),
    (70, 70, 70),
    (102, 102, 156),
    (190, 153, 153),
    (153, 153, 153),
    (250, 170, 30),
    (220, 220, 0),
    (107, 142, 35),
    (152, 251, 152),
    (70, 130, 180),
    (220, 20, 60),
    (255, 0, 0),
    (0, 0, 142),
    (0, 0, 70),
    (0, 60, 100),
    (0, 80, 100),
    (0, 0, 230),
    (119, 11, 32),
    (110, 190, 160),
    (170, 120, 50),
    (55, 90, 80),
    (45, 60, 150),
    (157, 234, 50),
    (81, 0, 81),
    (150, 100, 100),
    (230, 150, 140),
    (180, 165, 180),
    (180, 130, 70),
)
"""RGB by `Tag` 0..29, as CARLA's CityScapesPalette converter paints them, 0.9.14 and later."""
