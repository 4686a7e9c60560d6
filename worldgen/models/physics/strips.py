"""Strips: rows of a picture that are worked on while the processor's cache holds them."""

from collections.abc import Iterator, Sequence
from typing import Final

_BYTES: Final = 320 << 10
"""Of three float32 channels: with two more operands it fits into a second-level cache of 1 MB."""


def strips(shape: Sequence[int]) -> Iterator[slice]:
    """Cut a picture of shape (h, w, ...) into strips of rows.

    What takes several passes pixel by pixel goes strip by strip: a frame of 1280x720 in float32 (11 MB)
    leaves the second-level cache between two passes, and fetching it again costs as much as the sum.
    """
    height, width = shape[:2]
    rows = max(1, _BYTES // (12 * width))
    for first in range(0, height, rows):
        yield slice(first, min(height, first + rows))
