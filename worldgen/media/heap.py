"""The heap: memory that was freed is kept for the next frame instead of being given back to the system."""

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1
_TOP_PAD: Final = -2
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_LARGEST: Final = 32 << 20
"""Arrays of whole clips are larger and still go back at once; planes of one frame (4K: 33 MB) are not."""
_KEPT: Final = 256 << 20


def keep_freed_memory() -> bool:
    """Let this process keep up to 256 MB that it freed, in one heap for all threads.

    A frame is worked on in a dozen arrays of 4 to 11 MB. The C library of GNU/Linux gives such memory back
    as soon as it is freed, and the system has to find and clear pages anew for every array: a quarter of a
    night frame's time (`mallopt(3)`). Call it before threads start. Elsewhere nothing happens.

    Returns:
        Whether the C library took it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    wanted = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _KEPT), (_TOP_PAD, _KEPT // 4))
    taken = [mallopt(name, value) == 1 for name, value in wanted]
    return all(taken)
