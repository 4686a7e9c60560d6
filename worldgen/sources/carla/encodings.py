"""CARLA's sensor buffers <-> arrays: depth, semantic tags, instances, optical flow.

Every picture here is BGR or BGRA, 8 bit: the order of CARLA's raw buffers, and of OpenCV when it reads
the PNG that CARLA's ``save_to_disk`` writes. Source: CARLA, ref_sensors.md and the sensor shaders.

====== ===========================================================================
depth  metres = 1000 (R + 256 G + 65536 B) / (2^24 - 1); 1000 m is the sky
tags   number in R, G = B = 0
ids    tag in R, id = G << 8 | B
flow   two float32 per pixel in [-2, 2], times image size; in PNG KITTI's 16 bit
====== ===========================================================================
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Int32, UInt8, UInt16

from worldgen.datatypes.tags import Tag
from worldgen.errors import SourceError
from worldgen.sources.carla.tagtables import CITYSCAPES_COLOURS, NO_TAG, tag_table

FAR_METRES: Final = 1000.0
"""CARLA's far plane: what is there is sky."""
_DEPTH_STEPS: Final = (1 << 24) - 1
_FLOW_ZERO: Final = 1 << 15
_FLOW_STEPS: Final = 64.0
"""KITTI's optical flow PNG: (value - 2^15) / 64 pixels."""

_Pixels = UInt8[npt.NDArray[np.uint8], "h w c"]


def decode_depth(bgra: _Pixels) -> Float32[npt.NDArray[np.float32], "h w"]:
    """Turn a 24-bit depth picture into metres along the optical axis; the far plane is +inf.

    Raises:
        SourceError: `not_metric` for grey pictures, as CARLA's Depth and LogarithmicDepth converters
            write them: 256 levels, and no telling which curve.
    """
    if bgra.ndim != 3 or bgra.dtype != np.uint8 or bgra.shape[2] not in (3, 4):
        raise _not_metric(f"a picture of {bgra.dtype} {bgra.shape}")
    if looks_grey(bgra):
        raise _not_metric("a grey picture (R = G = B everywhere)")
    code = cv2.COLOR_BGR2RGBA if bgra.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    rgba = np.asarray(cv2.cvtColor(np.ascontiguousarray(bgra), code))
    steps = rgba.view("<u4")[..., 0]
    np.bitwise_and(steps, _DEPTH_STEPS, out=steps)
    metres = steps.astype(np.float32)
    metres *= np.float32(FAR_METRES / _DEPTH_STEPS)
    metres[steps == _DEPTH_STEPS] = np.inf
    # Zero would be the lens itself; a step is 0.06 mm.
    np.maximum(metres, np.float32(FAR_METRES / _DEPTH_STEPS), out=metres)
    return metres


def looks_grey(bgra: _Pixels) -> bool:
    """Whether a depth picture came out of a grey converter: three equal channels wherever it says anything.

    Black and white pixels (nearest, sky) are equal in both encodings and do not count.
    """
    thin = bgra[::4, ::4]
    blue, green, red = thin[..., 0], thin[..., 1], thin[..., 2]
    telling = (red > 0) & (red < 255)
    count = int(telling.sum())
    return count > 0 and bool(((blue == green) & (green == red))[telling].mean() > 0.98)


def encode_depth(depth_m: Float32[npt.NDArray[np.float32], "h w"]) -> UInt8[npt.NDArray[np.uint8], "h w 3"]:
    """Turn metres into a BGR picture; 1000 m and beyond, and infinity, become the far plane."""
    steps = np.minimum(depth_m, np.float32(FAR_METRES)) * (_DEPTH_STEPS / FAR_METRES)
    whole = np.rint(steps.astype(np.float64)).astype("<u4")
    rgba = whole.view(np.uint8).reshape(*depth_m.shape, 4)
    return np.ascontiguousarray(rgba[..., 2::-1])


def decode_semantic(bgra: _Pixels, *, version: str) -> UInt8[npt.NDArray[np.uint8], "h w"]:
    """Turn a semantic picture into `Tag` numbers, whether it holds raw tags or CityScapes colours.

    Raises:
        SourceError: `unknown_version`; `bad_sensor` for numbers or colours that this version has not.
    """
    table = tag_table(version)
    if bgra.ndim == 2:
        raw = bgra
    elif bgra[..., :2].any():
        return _decode_palette(bgra)
    else:
        raw = bgra[..., 2]
    tags = table[raw]
    unknown = tags == NO_TAG
    if unknown.any():
        numbers = ", ".join(str(n) for n in np.unique(raw[unknown])[:5])
        message = f"semantic picture holds tag {numbers}, which CARLA {version} does not have"
        raise SourceError(message, reason="bad_sensor", hint="is carla_version right?")
    return tags


def encode_semantic(tags: UInt8[npt.NDArray[np.uint8], "h w"]) -> UInt8[npt.NDArray[np.uint8], "h w 3"]:
    """Write `Tag` numbers as CARLA 0.9.14 and later do: in R."""
    bgr = np.zeros((*tags.shape, 3), np.uint8)
    bgr[..., 2] = tags
    return bgr


def paint_cityscapes(
    tags: UInt8[npt.NDArray[np.uint8], "... h w"],
) -> UInt8[npt.NDArray[np.uint8], "... h w 3"]:
    """Paint tags in CityScapes colours, RGB; the recording vehicle is black."""
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(CITYSCAPES_COLOURS)] = CITYSCAPES_COLOURS
    return np.asarray(colours[tags])


def decode_instance(
    bgra: _Pixels,
) -> tuple[Int32[npt.NDArray[np.int32], "h w"], UInt8[npt.NDArray[np.uint8], "h w"]]:
    """Turn an instance picture into ids (0 for none) and the raw tag numbers beside them."""
    ids = (bgra[..., 1].astype(np.int32) << 8) | bgra[..., 0]
    return ids, np.ascontiguousarray(bgra[..., 2])


def encode_instance(
    instances: Int32[npt.NDArray[np.int32], "h w"], tags: UInt8[npt.NDArray[np.uint8], "h w"]
) -> UInt8[npt.NDArray[np.uint8], "h w 3"]:
    """Write ids (0..65535) and tags as CARLA's instance camera does.

    Raises:
        ValueError: An id that does not fit into 16 bits.
    """
    if instances.size and (int(instances.min()) < 0 or int(instances.max()) > 0xFFFF):
        msg = f"instance ids must be 0..65535, got {int(instances.min())}..{int(instances.max())}"
        raise ValueError(msg)
    bgr = np.empty((*instances.shape, 3), np.uint8)
    bgr[..., 0] = instances & 0xFF
    bgr[..., 1] = instances >> 8
    bgr[..., 2] = tags
    return bgr


def decode_flow(raw: npt.NDArray[np.generic]) -> Float32[npt.NDArray[np.float32], "h w 2"]:
    """Turn optical flow into pixels (dx, dy): CARLA's float32 pairs in [-2, 2], or KITTI's 16-bit PNG (BGR).

    Raises:
        SourceError: `bad_sensor` for 8-bit pictures: CARLA's colour wheel cannot be turned back into flow.
    """
    if raw.dtype == np.float32 and raw.ndim == 3 and raw.shape[2] == 2:
        height, width = raw.shape[:2]
        return np.asarray(raw * np.array((width, height), np.float32), np.float32)
    if raw.dtype == np.uint16 and raw.ndim == 3 and raw.shape[2] == 3:
        pair = raw[..., 2:0:-1].astype(np.float32)
        return np.asarray((pair - _FLOW_ZERO) / _FLOW_STEPS, np.float32)
    message = (
        "optical flow must be two float32 per pixel or a 16-bit PNG in KITTI's encoding, "
        f"not {raw.dtype} {raw.shape}; CARLA's get_color_coded_flow paints for people"
    )
    raise SourceError(message, reason="bad_sensor")


def encode_flow(flow: Float32[npt.NDArray[np.float32], "h w 2"]) -> UInt16[npt.NDArray[np.uint16], "h w 3"]:
    """Write flow in pixels as KITTI's 16-bit picture (BGR, B = valid), to 1/64 pixel, at most 511 pixels."""
    steps = np.rint(flow * _FLOW_STEPS) + _FLOW_ZERO
    picture = np.ones((*flow.shape[:2], 3), np.uint16)
    picture[..., 2:0:-1] = np.clip(steps, 0, 0xFFFF).astype(np.uint16)
    return picture


def _decode_palette(bgra: _Pixels) -> UInt8[npt.NDArray[np.uint8], "h w"]:
    code = cv2.COLOR_BGR2RGBA if bgra.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    packed = np.asarray(cv2.cvtColor(np.ascontiguousarray(bgra), code)).view("<u4")[..., 0] & 0xFFFFFF
    colours, where = np.unique(packed, return_inverse=True)
    known = CITYSCAPES_COLOURS.astype(np.uint32) @ np.array((1, 1 << 8, 1 << 16), np.uint32)
    order = np.argsort(known)
    place = np.clip(np.searchsorted(known[order], colours), 0, len(known) - 1)
    found = order[place]
    if not np.array_equal(known[found], colours):
        stranger = int(colours[known[found] != colours][0])
        colour = (stranger & 255, stranger >> 8 & 255, stranger >> 16)
        message = (
            f"semantic picture holds colour {colour}, which is neither a raw tag (G = B = 0) "
            "nor in the CityScapes palette; was it scaled, or saved with losses?"
        )
        raise SourceError(message, reason="bad_sensor")
    return np.asarray(found.astype(np.uint8)[where].reshape(packed.shape))


def _not_metric(what: str) -> SourceError:
    message = (
        f"depth is {what}: that is a converter's dump, not metric depth "
        "(metric depth has 24 bits over R, G and B)"
    )
    return SourceError(
        message,
        reason="not_metric",
        hint="save the raw buffer (ColorConverter.Raw), not ColorConverter.Depth or LogarithmicDepth",
    )


def sky_from_depth(
    tags: UInt8[npt.NDArray[np.uint8], "... h w"], depth_m: Float32[npt.NDArray[np.float32], "... h w"]
) -> UInt8[npt.NDArray[np.uint8], "... h w"]:
    """Tag the far plane as sky where nothing else is tagged: CARLA up to 0.9.9 has no sky tag."""
    return np.where((tags == Tag.UNLABELED) & np.isinf(depth_m), np.uint8(Tag.SKY), tags)
