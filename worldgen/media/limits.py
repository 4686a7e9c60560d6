"""Limits: how much of a stranger's file may be looked at, checked before anything is decoded."""

from pydantic import Field

from worldgen.datatypes.digest import Value
from worldgen.errors import SourceError


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


def check_size(width: int, height: int, limits: Limits) -> None:
    """Refuse pictures that are too large, or have no size."""
    if width <= 0 or height <= 0:
        raise SourceError("the header gives no picture size", reason="damaged")
    if width * height > limits.max_pixels:
        message = f"frames are {width}x{height} = {width * height} pixels; {limits.max_pixels} are allowed"
        raise SourceError(message, reason="too_large", hint="scale the clip down first")


def check_length(frames: int, seconds: float, limits: Limits) -> None:
    """Refuse clips that are too long. Zero stands for not known."""
    if frames > limits.max_frames:
        message = f"the clip has {frames} frames; {limits.max_frames} are allowed"
        raise SourceError(message, reason="too_large", hint="cut the clip into pieces")
    if seconds > limits.max_seconds:
        message = f"the clip lasts {seconds:.0f} s; {limits.max_seconds:.0f} s are allowed"
        raise SourceError(message, reason="too_large", hint="cut the clip into pieces")


def check_enough(frames: int, name: str, limits: Limits) -> None:
    """Refuse clips that are too short."""
    if frames < limits.min_frames:
        message = f"{name} has {frames} frame{'s' * (frames != 1)}; at least {limits.min_frames} are needed"
        raise SourceError(message, reason="too_short")
