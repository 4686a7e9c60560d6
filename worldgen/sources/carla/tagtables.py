"""Semantic tag numbers of every CARLA version, mapped to `Tag` (the numbers of 0.9.14 and later).

Source: CARLA, LibCarla ObjectLabel.h and ref_sensors.md of 0.9.9, 0.9.13 and 0.9.14. The numbers were
shuffled twice, and a picture does not say which list it was drawn with: hence the version is required.
"""

import re
from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.datatypes.tags import CITYSCAPES, EGO, Tag
from worldgen.errors import SourceError

_TO_0_9_9: Final = (
    Tag.UNLABELED,
    Tag.BUILDING,
    Tag.FENCE,
    Tag.OTHER,
    Tag.PEDESTRIAN,
    Tag.POLE,
    Tag.ROAD_LINE,
    Tag.ROAD,
    Tag.SIDEWALK,
    Tag.VEGETATION,
    Tag.CAR,  # every vehicle: the old lists do not tell a truck from a car
    Tag.WALL,
    Tag.TRAFFIC_SIGN,
)
_TO_0_9_13: Final = (
    *_TO_0_9_9,
    Tag.SKY,
    Tag.GROUND,
    Tag.BRIDGE,
    Tag.RAIL_TRACK,
    Tag.GUARD_RAIL,
    Tag.TRAFFIC_LIGHT,
    Tag.STATIC,
    Tag.DYNAMIC,
    Tag.WATER,
    Tag.TERRAIN,
)
_FROM_0_9_14: Final = tuple(Tag)

CITYSCAPES_COLOURS: Final = np.array(CITYSCAPES, np.uint8)
"""RGB by `Tag`, as an array."""

NO_TAG: Final = 254
"""In a table: this number means nothing in that version."""

_VERSION = re.compile(r"^v?(\d+)\.(\d+)(?:\.(\d+))?")


def parse_version(version: str) -> tuple[int, int, int]:
    """Read a CARLA version such as ``0.9.15`` or ``0.10.0-ue5``.

    Raises:
        SourceError: `unknown_version` when it is missing or not a version.
    """
    found = _VERSION.match(version.strip())
    if found is None:
        message = (
            f"unknown CARLA version {version!r}: semantic tags cannot be read without it "
            "(the numbers changed in 0.9.10 and in 0.9.14)"
        )
        raise SourceError(
            message, reason="unknown_version", hint='set "carla_version" in the manifest, e.g. "0.9.15"'
        )
    major, minor, patch = found.groups()
    return int(major), int(minor), int(patch or 0)


def tag_table(version: str) -> UInt8[npt.NDArray[np.uint8], " 256"]:
    """Build the table that turns a version's tag numbers into `Tag`; `NO_TAG` where there is none.

    Raises:
        SourceError: `unknown_version`.
    """
    numbers = parse_version(version)
    if numbers < (0, 8, 0):
        message = f"CARLA {version} is too old: its semantic tags are not known here (0.8.0 and later are)"
        raise SourceError(message, reason="unknown_version")
    if numbers <= (0, 9, 9):
        tags: tuple[Tag, ...] = _TO_0_9_9
    elif numbers <= (0, 9, 13):
        tags = _TO_0_9_13
    else:
        tags = _FROM_0_9_14
    table = np.full(256, NO_TAG, np.uint8)
    table[: len(tags)] = [int(tag) for tag in tags]
    if tags is _FROM_0_9_14:
        table[EGO] = EGO
    return table


def has_sky_tag(version: str) -> bool:
    """Whether this version tags the sky; earlier ones leave it unlabelled, at the far end of depth."""
    return parse_version(version) > (0, 9, 9)
