"""The segmentation control: CityScapes colours by tag, or one colour per instance."""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Int32, UInt8

from worldgen.datatypes import ControlMap, Geometry
from worldgen.datatypes.tags import CITYSCAPES, EGO
from worldgen.errors import ExtractError

INSTANCE_SEED: Final = 20260826
INSTANCE_IDS: Final = 1 << 16


def tag_palette() -> UInt8[npt.NDArray[np.uint8], "256 3"]:
    """Colours by tag; the recording vehicle and unknown numbers are black (unlabeled)."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(CITYSCAPES)] = CITYSCAPES
    table[EGO] = 0
    return table


def instance_palette() -> UInt8[npt.NDArray[np.uint8], "65536 3"]:
    """Colours by 16-bit instance id, as CARLA's Cosmos client draws them; id 0 is black."""
    table = np.random.default_rng(INSTANCE_SEED).integers(48, 256, size=(INSTANCE_IDS, 3))
    table[0] = 0
    return table.astype(np.uint8)


def colour_tags(tags: UInt8[npt.NDArray[np.uint8], "t h w"]) -> UInt8[npt.NDArray[np.uint8], "t h w 3"]:
    """Paint tags in CityScapes colours."""
    return np.take(tag_palette(), tags, axis=0)


def colour_instances(ids: Int32[npt.NDArray[np.int32], "t h w"]) -> UInt8[npt.NDArray[np.uint8], "t h w 3"]:
    """Paint instances; ids beyond 16 bits share colours, as in a 16-bit sensor."""
    return np.take(instance_palette(), ids % INSTANCE_IDS, axis=0)


def seg_control(
    geometry: Geometry, *, palette: Literal["cityscapes", "instances"] = "cityscapes"
) -> ControlMap:
    """Make the segmentation control of a geometry.

    Raises:
        ExtractError: `missing_geometry` when the geometry has no tags or no instances.
    """
    if palette == "instances":
        if geometry.instances is None:
            message = "a segmentation control in instance colours needs instance ids, which this source lacks"
            raise ExtractError(message, reason="missing_geometry", hint="use the cityscapes palette")
        frames, origin = colour_instances(geometry.instances), geometry.origins.instances
        parameters: tuple[tuple[str, str], ...] = (("palette", "instances"), ("seed", str(INSTANCE_SEED)))
    else:
        if geometry.tags is None:
            message = "a segmentation control needs semantic tags, which this source lacks"
            raise ExtractError(message, reason="missing_geometry", hint="record the semantic sensor too")
        frames, origin = colour_tags(geometry.tags), geometry.origins.tags
        parameters = (("palette", "cityscapes"),)
    return ControlMap(kind="seg", frames=frames, origin=origin, parameters=parameters)
