"""Light: display values to linear light and back, exactly and fast.

Everything in this package happens in linear light on a relative scale: 1.0 is the source's white. The
decoding is IEC 61966-2-1 (sRGB). Cameras of driving clips apply tone curves of their own that nobody
recorded, so radiances are relative to the source and never claimed in candela.
"""

from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

from worldgen.models.physics.strips import strips

Linear: TypeAlias = Float32[npt.NDArray[np.float32], "h w 3"]
"""Linear light, RGB with BT.709 primaries, 1.0 = the source's white; may exceed 1."""
Plane: TypeAlias = Float32[npt.NDArray[np.float32], "h w"]
Picture: TypeAlias = UInt8[npt.NDArray[np.uint8], "h w 3"]

LUMA: Final = (0.2126, 0.7152, 0.0722)
"""BT.709 luminance of linear RGB."""
HEADROOM: Final = 4.0
"""The brightest linear value that the encoder tells apart; lamps and the sun clip above."""
_ENTRIES: Final = 65536


def srgb_to_linear(code: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Decode sRGB values in 0..1 (IEC 61966-2-1)."""
    c = np.asarray(code, np.float64)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Encode linear values in 0..1 as sRGB (IEC 61966-2-1)."""
    x = np.clip(np.asarray(light, np.float64), 0.0, 1.0)
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055)


_DECODE: Final = srgb_to_linear(np.arange(256) / 255).astype(np.float32)


def decode(frame: Picture) -> Linear:
    """Turn a frame into linear light; the result is new and writable."""
    return np.asarray(cv2.LUT(frame, _DECODE))


def luminance(light: Linear) -> Plane:
    """Luminance of linear RGB, relative."""
    return np.asarray(cv2.transform(light, np.array([LUMA], np.float32)))


def luminance_of_codes(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Luminance of display values [..., 3], relative."""
    return np.asarray(_DECODE[frame] @ np.array(LUMA, np.float32), np.float32)


def shoulder(x: npt.ArrayLike, knee: float) -> npt.NDArray[np.float64]:
    """Tone curve: the identity up to `knee`, then a smooth roll-off that reaches 1 at `HEADROOM`.

    With knee = 1 it is a plain clip, so that a scene without lamps keeps its radiances exactly.
    """
    v = np.asarray(x, np.float64)
    if knee >= 1:
        return np.clip(v, 0, 1)
    # 1 - exp rolls off with slope 1 at the knee; the division makes HEADROOM land on 1.
    span = 1 - knee
    rolled = knee + span * (1 - np.exp(-(v - knee) / span)) / (1 - np.exp(-(HEADROOM - knee) / span))
    return np.clip(np.where(v <= knee, v, rolled), 0, 1)


class Encoder:
    """Linear light to 8-bit frames: tone curve, sRGB, and a half-level dither against banding.

    Args:
        knee: Where the tone curve's shoulder begins; 1 clips (see `shoulder`).
        seed: Of the dither's pattern.
    """

    def __init__(self, size: tuple[int, int], *, knee: float, seed: int) -> None:
        width, height = size
        light = np.arange(_ENTRIES) * (HEADROOM / (_ENTRIES - 1))
        # 8.8 fixed point: the dither decides the last bit before the low byte is dropped.
        coded = linear_to_srgb(shoulder(light, knee)) * 255 * 256
        self._table = np.minimum(np.round(coded), 65280).astype(np.uint16)
        tile = np.random.default_rng([seed, 0xD17]).integers(0, 256, (height + 64, width + 64, 3), np.uint8)
        self._dither = tile.astype(np.uint16)
        self._size = (height, width)
        tall = next(strips((height, width))).stop
        self._index = np.empty((tall, width, 3), np.uint16)
        self._coded = np.empty((tall, width, 3), np.uint16)

    def encode(self, light: Linear, frame: int) -> Picture:
        """Encode one frame; `frame` moves the dither, so that it is not stuck to the screen."""
        h, w = self._size
        dy, dx = (frame * 29) % 64, (frame * 47) % 64
        dither = self._dither[dy : dy + h, dx : dx + w]
        shown = np.empty((h, w, 3), np.uint8)
        for rows in strips(light.shape):
            index, coded = self._index[: rows.stop - rows.start], self._coded[: rows.stop - rows.start]
            cv2.multiply(light[rows], (_ENTRIES - 1) / HEADROOM * np.ones(4), dst=index, dtype=cv2.CV_16U)
            lookup16(index, self._table, coded)
            cv2.add(coded, dither[rows], dst=coded)
            # floor(x / 256) as a rounding of (x - 127.5) / 256
            cv2.convertScaleAbs(coded, dst=shown[rows], alpha=1 / 256, beta=-127.5 / 256)
        return shown


def lookup16(
    index: npt.NDArray[np.uint16], table: npt.NDArray[np.uint16], out: npt.NDArray[np.uint16]
) -> npt.NDArray[np.uint16]:
    """Look up a table of 65536 values; OpenCV before 4.13 has no 16-bit LUT, numpy is slower."""
    if _HAS_LUT16:
        return np.asarray(cv2.LUT(index, table.reshape(1, -1), dst=out))
    np.take(table, index, out=out)
    return out


def _try_lut16() -> bool:
    try:
        cv2.LUT(np.zeros((1, 1), np.uint16), np.zeros((1, _ENTRIES), np.uint16))
    except cv2.error:
        return False
    return True


_HAS_LUT16: Final = _try_lut16()
