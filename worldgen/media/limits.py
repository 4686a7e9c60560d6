"""Limits: how much of a stranger's file may be looked at, checked before anything is decoded."""

from pydantic import Field

from worldgen.datatypes.digest import Value


class Limits(Value):
    """What a file may cost. A file beyond one of these is refused with `source.too_large`."""

    max_pixels: int = Field(default=4096 * 2304, gt=0)
    """Per frame, width times height."""
    max_frames: int = Field(default=3000, gt=0)
    min_frames: int = Field(default=2, gt=0)
    """A single frame has no motion, so nothing temporal could be made or judged."""
    max_seconds: float = Field(default=600.0, gt=0)
    """Of playing time."""
    max_bytes: int = Field(default=8 << 30, gt=0)
    """Of the file, and of its decoded RGB frames: neither may be larger."""
    decode_seconds: float = Field(default=600.0, gt=0)
    """Wall clock for one decode or probe; the decoding process is killed after it."""
    decode_memory_bytes: int = Field(default=4 << 30, gt=0)
    """Address space of the decoding process, without the frames that it hands over."""


OWN_FILES = Limits(
    max_pixels=1 << 28,
    max_frames=10**6,
    min_frames=1,
    max_seconds=86400.0,
    max_bytes=1 << 40,
)
"""For files that worldgen wrote itself: only what protects against mistakes."""
