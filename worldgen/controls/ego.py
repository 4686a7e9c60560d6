"""The recording vehicle itself: a bonnet or dashboard at the bottom of the picture."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32

_TOP: Final = 0.68
"""A bonnet never reaches above this share of the picture's height (from the top)."""
_ENOUGH: Final = 8
_GOOD_PATH: Final = 0.62
"""Mean score of an outline that is accepted; measured: 1.0 on a bonnet, 0.23 and 0.36 without."""
_INSIDE: Final = 0.5
"""Share of the picture's width that an outline must cover; the rest may lie below the picture."""
_HELD: Final = 0.4
"""Score around a column below which the outline has nothing to go by."""
_OUTSIDE: Final = 0.3
_SLOPE: Final = 2
_SMOOTH: Final = 0.015
"""Share of the picture's width over which an outline is smoothed; looked at on the real clips."""
_BORDER: Final = 4
"""Rows at the bottom that encoders and cameras leave dark in every frame."""


def static_edges(
    greys: Float32[npt.NDArray[np.float32], "n h w"], focus: tuple[float, float]
) -> Float32[npt.NDArray[np.float32], "h w"]:
    """Score 0..1 per pixel: how much contrast stays where it is while the camera travels.

    The gradient of what is fixed to the camera stays over time; that of the passing world changes.
    Lines that run towards the focus of expansion (kerbs, lane markings) glide along themselves and look
    fixed too, so only contrast along the direction of flow counts.
    """
    height, width = greys.shape[1:]
    ex = np.arange(width, dtype=np.float32)[None, :] - np.float32(focus[0])
    ey = np.arange(height, dtype=np.float32)[:, None] - np.float32(focus[1])
    length = np.sqrt(ex * ex + ey * ey) + 1.0
    along: list[npt.NDArray[np.float32]] = []
    for grey in greys:
        smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
        gx, gy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        along.append(np.asarray((gx * ex + gy * ey) / (8 * length), np.float32))
    stack = np.stack(along)
    # The median: a marking that stands there in a few frames only must not count.
    kept = np.abs(np.median(stack, axis=0)).astype(np.float32)
    seen = np.abs(stack).mean(axis=0)
    # Only the crest of each edge, so that one outline is not found twice.
    crest = kept >= cv2.dilate(kept, np.ones((5, 1), np.uint8)) - 1e-3
    return np.asarray(np.minimum(kept / 2.0, 1.0) * kept / (seen + 0.25) * crest, np.float32)


def find_ego(
    greys: Float32[npt.NDArray[np.float32], "n h w"], focus: tuple[float, float]
) -> Bool[npt.NDArray[np.bool_], "h w"] | None:
    """Find the bonnet: everything below the topmost outline that stands still from side to side.

    Args:
        greys: Frames of a moving camera (0..255), at about equal distances travelled.
        focus: Column and row of the focus of expansion.

    Returns:
        The mask, or None when there is no such outline or too few frames to tell.
    """
    if len(greys) < _ENOUGH:
        return None
    height, width = greys.shape[1:]
    first = int(_TOP * height)
    score = static_edges(greys, focus)[first : height - _BORDER]
    # One row more, below the picture: where a bonnet has left it at the sides, its outline runs there.
    score = np.concatenate([score, np.full((1, width), _OUTSIDE, np.float32)])
    bottom, columns = len(score) - 1, np.arange(width)
    outline: npt.NDArray[np.intp] | None = None
    limit = np.full(width, bottom + 4)
    for _ in range(6):
        allowed = np.arange(len(score))[:, None] < (limit - 3)[None, :]
        path = _strongest_path(np.where(allowed, score, -1.0))
        inside = path < np.minimum(limit - 3, bottom)
        value = float(score[path, columns][inside].mean()) if inside.any() else 0.0
        if value < _GOOD_PATH or inside.mean() < _INSIDE:
            break
        outline, limit = path, path
    if outline is None:
        return None
    held = cv2.blur(score[outline, columns][None], (15, 1))[0] > _HELD
    if held.any():
        # Where nothing holds the path it wanders; it may sink there, but not climb onto the road.
        outline = np.maximum(outline, np.interp(columns, columns[held], outline[held]).astype(np.intp))
    smooth = cv2.medianBlur(outline.astype(np.float32)[None], 5)
    # Coachwork is smooth; a path over pixels has steps, and fog along them looks cut out with scissors.
    smooth = cv2.GaussianBlur(smooth, (0, 0), _SMOOTH * width, borderType=cv2.BORDER_REPLICATE)[0]
    smooth = smooth + first - 1.5
    smooth[outline >= bottom] = height
    return np.asarray(np.arange(height)[:, None] >= smooth[None, :])


def _strongest_path(score: Float32[npt.NDArray[np.float32], "r w"]) -> npt.NDArray[np.intp]:
    """Row per column of the left-to-right path with the largest sum, steps of at most `_SLOPE` rows."""
    rows, width = score.shape
    total = np.empty((width, rows), np.float64)
    came = np.zeros((width, rows), np.intp)
    total[0] = score[:, 0]
    offsets = np.arange(-_SLOPE, _SLOPE + 1)
    cost = 0.02 * np.abs(offsets)[:, None]
    for x in range(1, width):
        padded = np.pad(total[x - 1], _SLOPE, constant_values=-1e9)
        options = np.stack([padded[_SLOPE + o : _SLOPE + o + rows] for o in offsets]) - cost
        pick = options.argmax(axis=0)
        total[x] = options[pick, np.arange(rows)] + score[:, x]
        came[x] = np.arange(rows) + offsets[pick]
    path = np.empty(width, np.intp)
    path[-1] = int(total[-1].argmax())
    for x in range(width - 1, 0, -1):
        path[x - 1] = came[x, path[x]]
    return path
