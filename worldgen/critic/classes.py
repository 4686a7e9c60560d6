"""Classes: what a street consists of, coarse enough that tags and the names that networks use agree."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from worldgen.datatypes import Tag

TagStack = UInt8[npt.NDArray[np.uint8], "t h w"]


@dataclass(frozen=True, slots=True)
class StreetClass:
    """One class: the tags that show it, and what Cityscapes and ADE20K (SceneParse150) call it."""

    name: str
    tags: frozenset[Tag]
    known_as: frozenset[str]


CLASSES: Final = (
    StreetClass("road", frozenset({Tag.ROAD, Tag.ROAD_LINE}), frozenset({"road"})),
    StreetClass("sidewalk", frozenset({Tag.SIDEWALK}), frozenset({"sidewalk", "pavement"})),
    StreetClass(
        "building", frozenset({Tag.BUILDING}), frozenset({"building", "edifice", "house", "skyscraper"})
    ),
    StreetClass(
        "barrier",
        frozenset({Tag.WALL, Tag.FENCE, Tag.GUARD_RAIL}),
        frozenset({"wall", "fence", "fencing", "guard rail", "railing"}),
    ),
    StreetClass(
        "post",
        frozenset({Tag.POLE, Tag.TRAFFIC_LIGHT, Tag.TRAFFIC_SIGN}),
        frozenset({"pole", "traffic light", "traffic sign", "signboard", "streetlight", "street lamp"}),
    ),
    StreetClass(
        "green",
        frozenset({Tag.VEGETATION, Tag.TERRAIN}),
        frozenset({"vegetation", "terrain", "tree", "grass", "plant", "palm", "field", "earth"}),
    ),
    StreetClass("sky", frozenset({Tag.SKY}), frozenset({"sky"})),
    StreetClass(
        "person", frozenset({Tag.PEDESTRIAN, Tag.RIDER}), frozenset({"person", "pedestrian", "rider"})
    ),
    StreetClass(
        "vehicle",
        frozenset({Tag.CAR, Tag.TRUCK, Tag.BUS, Tag.TRAIN}),
        frozenset({"car", "truck", "bus", "van", "train"}),
    ),
    StreetClass(
        "two-wheeler",
        frozenset({Tag.MOTORCYCLE, Tag.BICYCLE}),
        frozenset({"motorcycle", "bicycle", "minibike", "motorbike"}),
    ),
)
"""Number n of a class is its place here, from 1; 0 is none of them."""


def class_of_tags(tags: TagStack) -> TagStack:
    """Number of the class of every pixel, by its tag."""
    table = np.zeros(256, np.uint8)
    for number, one in enumerate(CLASSES, start=1):
        table[list(one.tags)] = number
    return table[tags]


def class_of_names(names: Mapping[int, str]) -> UInt8[npt.NDArray[np.uint8], " n"]:
    """Number of the class for each number of a network, by its names; 0 where it has no counterpart.

    Args:
        names: `id2label` of a transformers configuration; ADE20K writes synonyms after commas.
    """
    table = np.zeros(max((int(k) for k in names), default=0) + 1, np.uint8)
    for index, name in names.items():
        words = {w.strip().lower() for w in re.split(r"[,;/]", name)}
        for number, one in enumerate(CLASSES, start=1):
            if words & one.known_as:
                table[int(index)] = number
                break
    return table


def borders_of(classes: TagStack) -> TagStack:
    """Number of the class at pixels that touch another one (eight neighbours); 0 inside and for no class."""
    kernel = np.ones((3, 3), np.uint8)
    touching = [cv2.dilate(plane, kernel) != cv2.erode(plane, kernel) for plane in classes]
    return np.where(np.stack(touching), classes, np.uint8(0))
