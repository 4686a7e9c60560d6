"""Signatures: how well the inside of every thing, and of its parts, follows the source along its track.

A thing and a ring around it are cut into three by three parts of its own box, so that a part keeps its place
on the thing while both move. Within a part source and candidate are compared by covariance, which needs
neither equal brightness nor equal contrast; sums over frames and channels make small things tell.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.critic.view import View

Table = Float32[npt.NDArray[np.float32], "t parts"]

SIDE = 3
"""A thing's box is cut into SIDE x SIDE parts."""
PARTS = SIDE * SIDE
_RING = 5
_CHANNELS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Signatures:
    """Second moments of source and candidate in every part, summed over colour channels.

    All [t, things * PARTS], squared levels; thing 0 is the background, and its parts are left empty.
    """

    pixels: Table
    source: Table
    """The source's variance times pixels."""
    candidate: Table
    shared: Table
    """The covariance of both times pixels."""
    noise: Table
    """What white noise of the candidate adds to `candidate`."""

    def over(self, frames: int) -> "Signatures":
        """Sum over every run of `frames` frames."""
        return Signatures(*(_runs(getattr(self, n), frames) for n in self.__dataclass_fields__))

    def of_things(self) -> "Signatures":
        """Sum the parts of each thing."""
        return Signatures(
            *(
                getattr(self, n).reshape(len(self.pixels), -1, PARTS).sum(axis=-1)
                for n in self.__dataclass_fields__
            )
        )


def measure(
    source: View,
    candidate: View,
    things: npt.NDArray[np.int32],
    count: int,
    redrawn: Callable[[int], npt.NDArray[np.bool_] | None] = lambda _: None,
    hazed: Callable[[int], npt.NDArray[np.float32] | None] = lambda _: None,
) -> Signatures:
    """Take the moments of every part in every frame.

    Args:
        source: As filmed.
        candidate: Of the same size and count.
        things: [t, h, w] places in a list of things, 0 for none, each < count.
        count: Length of that list.
        redrawn: Pixels of a frame that take no part.
        hazed: The source as haze should show it, levels [h, w, 3]; None: as filmed. A white car in white fog
            is bright before a dark road near by, and dark before the fog far away.
    """
    rows = []
    for i, plane in enumerate(things):
        parts = _parts(plane, count)
        shown = hazed(i)
        before, after = _fine(source.rgb[i] if shown is None else shown), _fine(candidate.rgb[i])
        open_ = (candidate.luma[i] < 250) & (source.luma[i] < 252)
        away = redrawn(i)
        if away is not None:
            open_ &= ~away
        rows.append(_moments(parts, before, after, open_, count * PARTS, float(candidate.noise[i])))
    return Signatures(*(np.stack(column) for column in zip(*rows, strict=True)))


def _fine(frame: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Leave out what is slow: glare, glow and cones of light are, things are not."""
    side = max(25, frame.shape[1] // 10 | 1)
    soft = cv2.GaussianBlur(frame, (0, 0), 0.7).astype(np.float32)
    return np.asarray(soft - cv2.blur(soft, (side, side)), np.float32)


def _parts(plane: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.intp]:
    wide = cv2.dilate(plane.astype(np.uint16), np.ones((_RING, _RING), np.uint8)).astype(np.intp)
    rows, columns = np.nonzero(wide)
    thing = wide[rows, columns]
    part = np.zeros(wide.shape, np.intp)
    place = np.zeros(len(rows), np.intp)
    for step, axis in ((SIDE, rows), (1, columns)):
        low, high = np.full(count, 1 << 30), np.zeros(count, np.int64)
        np.minimum.at(low, thing, axis)
        np.maximum.at(high, thing, axis)
        place += step * ((axis - low[thing]) * SIDE // (high[thing] - low[thing] + 1))
    part[rows, columns] = thing * PARTS + place
    return part


def _moments(
    parts: npt.NDArray[np.intp],
    before: npt.NDArray[np.float32],
    after: npt.NDArray[np.float32],
    open_: npt.NDArray[np.bool_],
    length: int,
    sigma: float,
) -> tuple[npt.NDArray[np.float32], ...]:
    on = (parts >= PARTS) & open_
    index = parts[on]
    pixels = np.bincount(index, minlength=length).astype(np.float64)
    per = np.maximum(pixels, 1)
    sums = np.zeros((3, length))
    for channel in range(_CHANNELS):
        a, b = before[..., channel][on].astype(np.float64), after[..., channel][on].astype(np.float64)
        mean_a, mean_b = (np.bincount(index, v, minlength=length) / per for v in (a, b))
        a, b = a - mean_a[index], b - mean_b[index]
        for row, product in enumerate((a * a, b * b, a * b)):
            sums[row] += np.bincount(index, product, minlength=length)
    # A Gaussian of 0.7 pixels leaves 1 / (4 pi 0.49) of white noise's variance.
    noise = _CHANNELS * sigma * sigma * pixels * 0.18
    return tuple(v.astype(np.float32) for v in (pixels, *sums, noise))


def _runs(table: Table, frames: int) -> Table:
    total = np.concatenate([np.zeros((1, table.shape[1])), np.cumsum(table, axis=0, dtype=np.float64)])
    return np.asarray(total[frames:] - total[:-frames], np.float32)
