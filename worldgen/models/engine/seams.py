"""Seams: how much a picture jumps where one chunk ends and the next begins."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

NEIGHBOURS: Final = 8
"""Frame differences on either side that a seam is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """One boundary between chunks."""

    frame: int
    """First frame of the later chunk."""
    difference: float
    """Mean absolute difference to the frame before, 0..255."""
    usual: float
    """Median of the same between the neighbouring frames, without any seam."""

    @property
    def ratio(self) -> float:
        """How many times the usual change; changes below one grey level count as one."""
        return self.difference / max(self.usual, 1.0)


def measure_seams(frames: npt.NDArray[np.uint8], starts: tuple[int, ...]) -> tuple[Seam, ...]:
    """Measure the seams of a clip.

    Args:
        frames: [t, h, w, 3].
        starts: First frame of each chunk after the first.
    """
    inner = [start for start in starts if 0 < start < len(frames)]
    if not inner:
        return ()
    changes = {
        i: float(np.abs(frames[i].astype(np.int16) - frames[i - 1]).mean())
        for i in sorted({j for s in inner for j in range(s - NEIGHBOURS, s + NEIGHBOURS + 1)})
        if 0 < i < len(frames)
    }
    seams = []
    for start in inner:
        near = [d for i, d in changes.items() if abs(i - start) <= NEIGHBOURS and i not in inner]
        usual = float(np.median(near)) if near else 0.0
        seams.append(Seam(frame=start, difference=changes[start], usual=usual))
    return tuple(seams)
