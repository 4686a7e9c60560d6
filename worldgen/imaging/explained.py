"""What of a candidate its source explains: structure and colour that last along the source's motion.

Around each place a gain is learned (what light, haze and grading left of the source's contrast); the place's
own contrast, times that gain, is what it should show. What is shown otherwise is followed to the next frame
along the source's flow: noise, flakes, streaks and drops do not come along; what is new, gone or changed
does.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, UInt8

from worldgen.imaging.flow import pull
from worldgen.imaging.structure import spread, tile_sum

Planes = Float32[npt.NDArray[np.float32], "h w 3"]
"""Luma, red less green, blue less green; levels, without their slow part."""
Flow = Float32[npt.NDArray[np.float32], "h w 2"]
Light = Float32[npt.NDArray[np.float32], "h w"]

LUMA_PART: Final = 0
"""Place of luma in the last axis of what `compare_pair` returns."""
COLOUR: Final = 1
"""Place of both planes of colour, added."""
_NEAR: Final = 1
_WIDE: Final = 5
"""The gain is learned from tiles up to so many away, and not from the nearest."""
_MOST_GAIN: Final = 2.0


def contrast_planes(frame: UInt8[npt.NDArray[np.uint8], "h w 3"]) -> Planes:
    """Take structure of luma (to 13 pixels) and of colour (to 25, softened as codecs soften it)."""
    soft = cv2.GaussianBlur(frame, (0, 0), 0.8).astype(np.float32)
    red, green, blue = cv2.split(soft)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    colour = cv2.GaussianBlur(cv2.merge([red - green, blue - green]), (0, 0), 1.6)
    fine = np.subtract(luma, cv2.blur(luma, (13, 13)))
    hue = np.subtract(colour, cv2.blur(colour, (25, 25)))
    return np.asarray(np.dstack([fine, hue]), np.float32)


def compare_pair(
    source: tuple[Planes, Planes],
    candidate: tuple[Planes, Planes],
    flow: Flow,
    tile: int,
    light: tuple[Light, Light] | None = None,
) -> Float32[npt.NDArray[np.float32], "h w 2"]:
    """Find what lasts from one frame to the next without being explained.

    Args:
        source: Contrast planes of frames i and i + 1.
        candidate: The same of the candidate.
        flow: The source's motion from i to i + 1.
        tile: Side of a tile, pixels: the gain is learned over five tiles each way.
        light: Share of light that haze lets through, of both frames; None without haze.

    Returns:
        The product of what is unexplained in both frames, squared levels, of luma and of colour. Its mean
        over a place is the power of what lasts there; noise averages out.
    """
    if light is not None:
        source = (source[0] * light[0][..., None], source[1] * light[1][..., None])
    gain = _gain(source[0], candidate[0], tile)
    rest = candidate[0] - source[0] * gain
    later = candidate[1] - source[1] * gain
    # The next frame's rest is brought along; the gain is slow and needs no warp.
    product = rest * cv2.merge([pull(np.ascontiguousarray(later[..., k]), flow) for k in range(3)])
    return np.asarray(np.dstack([product[..., 0], product[..., 1] + product[..., 2]]), np.float32)


def _sum_of(picture: Planes, planes: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Sum of one or two planes, as `channels.total` does for three."""
    found = np.ascontiguousarray(picture[..., planes[0]])
    return found if len(planes) == 1 else np.asarray(found + picture[..., planes[1]])


def _gain(source: Planes, candidate: Planes, tile: int) -> Planes:
    """Contrast left around every pixel, learned from the tiles around and not from the place itself."""
    height, width = source.shape[:2]
    shared, power = source * candidate, source * source
    maps = []
    for planes in ((0,), (1, 2)):
        top, bottom = (tile_sum(_sum_of(p, planes), tile) for p in (shared, power))
        whole = float(top.sum() / max(float(bottom.sum()), 1e-3))
        # No single place speaks for its surroundings, and weak ones lean on the whole picture.
        limit = np.float32(4 * np.median(bottom) + tile * tile)
        weight = np.minimum(1, limit / np.maximum(bottom, 1e-3))
        prior = np.float32(8 * tile * tile)
        gain = (_ring(top * weight) + prior * whole) / (_ring(np.asarray(bottom * weight)) + prior)
        maps.append(spread(np.clip(gain, 0, _MOST_GAIN).astype(np.float32), (width, height), tile))
    return np.asarray(np.dstack([maps[0], maps[1], maps[1]]), np.float32)


def _ring(tiles: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    outer, inner = (
        cv2.boxFilter(tiles, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
        for side in (2 * _WIDE + 1, 2 * _NEAR + 1)
    )
    # Sums of covariances keep their sign; only rounding could turn the power's.
    return np.asarray(np.subtract(outer, inner), np.float32)


def over_tiles(
    pair: Float32[npt.NDArray[np.float32], "h w 2"], tile: int
) -> Float32[npt.NDArray[np.float32], "rows columns 2"]:
    """Sum over tiles of `tile` pixels."""
    return np.dstack([tile_sum(np.ascontiguousarray(pair[..., k]), tile) for k in range(2)])
