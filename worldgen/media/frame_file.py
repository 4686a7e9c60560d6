"""Frames in memory that has no name: written one by one, then mapped as one array without a copy.

The same for a decoder in this process and for one in another, which gets the descriptor. Nothing is left
behind, whoever is killed.
"""

import mmap
import os
import tempfile
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from worldgen.errors import SourceError


class FrameFile:
    """An anonymous file that grows with every frame.

    Raises:
        OSError: No memory file, nor a temporary one, can be made.
    """

    def __init__(self) -> None:
        if hasattr(os, "memfd_create"):
            self.fd = os.memfd_create("worldgen-frames")
        else:
            self.fd, name = tempfile.mkstemp(prefix="worldgen-")
            Path(name).unlink()

    def __enter__(self) -> Self:
        """Use it for one decode."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give it up; arrays that were mapped stay."""
        os.close(self.fd)

    def frames(self, count: int, height: int, width: int, name: str) -> npt.NDArray[np.uint8]:
        """Map what was written: uint8 [count, height, width, 3], read-only.

        Raises:
            SourceError: count_mismatch when another number of bytes was written.
        """
        shape = (count, height, width, 3)
        size, written = int(np.prod(shape)), os.fstat(self.fd).st_size
        if size == 0 or written != size:
            message = f"{name}: {written} bytes were decoded, {size} expected"
            raise SourceError(message, reason="count_mismatch")
        pixels = mmap.mmap(self.fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        return np.frombuffer(pixels, dtype=np.uint8).reshape(shape)


class FrameSink:
    """Writes frames to a descriptor, each whole: the kernel copies them into the memory behind it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __call__(self, rgb: npt.NDArray[np.uint8]) -> None:
        """Write one frame."""
        view = np.ascontiguousarray(rgb).data.cast("B")
        while view:
            view = view[os.write(self._fd, view) :]
