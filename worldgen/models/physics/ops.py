"""Operations on whole frames, in place where they can be: the renderer's arithmetic."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.models.physics.light import LUMA, Linear, Plane
from worldgen.models.physics.strips import strips


def scale(light: Linear, plane: Plane) -> None:
    """Multiply every channel by a plane."""
    for rows in strips(light.shape):
        part, by = light[rows], plane[rows]
        cv2.multiply(part, cv2.merge([by, by, by]), dst=part)


def times(
    pixels: Float32[npt.NDArray[np.float32], "n 3"], share: Float32[npt.NDArray[np.float32], " n"]
) -> Float32[npt.NDArray[np.float32], "n 3"]:
    """Pixels in a row, each multiplied by its own share."""
    return np.asarray(cv2.multiply(pixels, cv2.merge([share] * 3).reshape(-1, 3)), np.float32)


def tint(light: Linear, colour: Sequence[float] | npt.NDArray[np.float32]) -> None:
    """Multiply by one colour."""
    recolour(light, np.diag(np.asarray(colour, np.float32)))


def recolour(light: Linear, matrix: npt.NDArray[np.float32]) -> None:
    """Multiply every pixel by a 3x3 matrix (or 3x4, with an offset)."""
    cv2.transform(light, matrix, dst=light)


def saturation(share: float) -> npt.NDArray[np.float32]:
    """Matrix that keeps `share` of the colour and all of the luminance."""
    grey = np.tile(np.array(LUMA, np.float32), (3, 1))
    return np.asarray(share * np.eye(3, dtype=np.float32) + (1 - share) * grey, np.float32)


def mix(light: Linear, other: Linear, weight: Plane) -> None:
    """Move towards another picture: light (1 - weight) + other weight."""
    for rows in strips(light.shape):
        part, share = light[rows], weight[rows]
        cv2.blendLinear(part, other[rows], 1 - share, share, dst=part)


def veil(light: Linear, colour: Sequence[float] | npt.NDArray[np.float32], kept: Plane) -> None:
    """Move towards one colour: light kept + colour (1 - kept)."""
    _blend_colour(light, colour, lambda rows: (kept[rows], 1 - kept[rows]))


def mix_colour(light: Linear, colour: Sequence[float] | npt.NDArray[np.float32], weight: Plane) -> None:
    """Move towards one colour: light (1 - weight) + colour weight."""
    _blend_colour(light, colour, lambda rows: (1 - weight[rows], weight[rows]))


def _blend_colour(
    light: Linear,
    colour: Sequence[float] | npt.NDArray[np.float32],
    shares: Callable[[slice], tuple[Plane, Plane]],
) -> None:
    other: Linear | None = None
    for rows in strips(light.shape):
        part = light[rows]
        other = fill(part, colour) if other is None else other[: len(part)]  # the last strip is shorter
        cv2.blendLinear(part, other, *shares(rows), dst=part)


def fill(light: Linear, colour: Sequence[float] | npt.NDArray[np.float32]) -> Linear:
    """A picture of one colour, as large as `light`."""
    other = np.empty_like(light)
    h, w = light.shape[:2]
    # A filled rectangle writes three channels at memory speed; broadcasting them in numpy does not.
    r, g, b = (float(c) for c in colour)
    cv2.rectangle(other, (0, 0), (w, h), (r, g, b), cv2.FILLED)
    return other


def add(light: Linear, colour: Sequence[float] | npt.NDArray[np.float32], plane: Plane) -> None:
    """Add light of one colour, strong as `plane`."""
    c = [float(v) for v in colour]
    for rows in strips(light.shape):
        part, strength = light[rows], plane[rows]
        cv2.add(part, cv2.merge([strength * np.float32(v) for v in c]), dst=part)


def smoothstep(low: float, high: float, x: Plane) -> Plane:
    """0 below `low`, 1 above `high`, smooth between (Hermite)."""
    smooth = np.empty(x.shape, np.float32)
    for rows in strips(x.shape):
        # Step by step in place: strips stay in the cache only while nothing new is taken.
        t = np.subtract(x[rows], np.float32(low), dtype=np.float32)
        t *= np.float32(1 / (high - low))
        np.clip(t, 0, 1, out=t)
        shown = smooth[rows]
        np.multiply(t, np.float32(-2), out=shown)
        shown += np.float32(3)
        t *= t
        shown *= t
    return smooth


def enlarge(small: npt.NDArray[np.float32], like: Linear) -> npt.NDArray[np.float32]:
    """Scale a smooth small picture up to a frame."""
    h, w = like.shape[:2]
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)


def reduce(picture: npt.NDArray[np.float32], factor: int) -> npt.NDArray[np.float32]:
    """Scale down by area."""
    h, w = picture.shape[:2]
    size = (max(1, w // factor), max(1, h // factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def soften(picture: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    """Blur by nearly a Gaussian: three boxes of the same variance, whose cost does not grow with `sigma`."""
    size = max(1, round((4 * sigma * sigma + 1) ** 0.5)) | 1
    for _ in range(3):
        picture = np.asarray(cv2.blur(picture, (size, size)), np.float32)
    return picture
