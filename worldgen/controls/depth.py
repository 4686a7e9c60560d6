"""The depth control: relative inverse depth, near is bright, 8 bits. Never read back as metres."""

from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

from worldgen.datatypes import ControlMap, Geometry, Origin

NEAREST_M: Final = 0.1
"""Depth is clipped here before it is inverted: the convention of CARLA's Cosmos client."""


def inverse_depth_picture(
    depth_m: Float32[npt.NDArray[np.float32], "t h w"],
) -> UInt8[npt.NDArray[np.uint8], "t h w"]:
    """Turn metres into the models' grey values: 1/d, stretched over the whole clip to 0..255.

    Minimum and maximum are those of the clip and not of a frame, so that brightness does not breathe.
    Sky (infinity) has inverse depth 0.
    """
    inverse = np.empty(depth_m.shape, np.float32)
    np.maximum(depth_m, NEAREST_M, out=inverse)
    np.divide(1.0, inverse, out=inverse)
    low, high = float(inverse.min()), float(inverse.max())
    if high <= low:
        return np.zeros(depth_m.shape, np.uint8)
    inverse -= low
    inverse *= 255.0 / (high - low)
    np.rint(inverse, out=inverse)
    return inverse.astype(np.uint8)


def depth_control(geometry: Geometry) -> ControlMap:
    """Make the depth control of a geometry."""
    grey = inverse_depth_picture(geometry.depth_m)
    frames = np.repeat(grey[..., None], 3, axis=-1)
    origin: Origin = geometry.origins.depth
    parameters = (("encoding", "1/d, min-max over the clip, near is bright"), ("clip_m", str(NEAREST_M)))
    return ControlMap(kind="depth", frames=frames, origin=origin, parameters=parameters)
