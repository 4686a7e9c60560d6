"""A reference to a video that stays on disk."""

from worldgen.datatypes.digest import Value


class VideoRef(Value):
    """Where a video is and what is in it: what travels instead of pixels."""

    uri: str
    """A path on this machine's file system, or an object's address."""
    sha256: str
    frames: int
    width: int
    height: int
    fps: float
    size_bytes: int = 0
