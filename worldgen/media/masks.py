"""Masks on disk: one grey picture for all frames, or a folder of pictures or a video with one for each."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from worldgen.datatypes import MaskRef
from worldgen.datatypes.digest import digest
from worldgen.errors import SourceError
from worldgen.media.images import check_sizes, list_images
from worldgen.media.limits import Limits
from worldgen.media.video import probe, read_clip, read_images, sha256_of

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SUFFIXES: Final = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi"})


def mask_of(path: Path, *, frames: int, size: tuple[int, int]) -> MaskRef:
    """Refer to a mask by its content, when it fits a clip.

    Args:
        path: A grey PNG for all frames; a folder of pictures or a video, one for each frame.
        frames: Of the clip.
        size: Width and height of the clip.

    Raises:
        SourceError: `not_found`, or `refused_format` for what is no mask of that size and count; what reading
            pictures or videos raises.
    """
    if not path.exists():
        message = f"there is no mask {path}"
        raise SourceError(message, reason="not_found")
    if path.is_dir():
        return _folder(path, frames, size)
    with path.open("rb") as file:
        head = file.read(24)
    if head.startswith(_PNG):
        return _picture(path, head, size)
    if path.suffix.lower() in _SUFFIXES:
        return _video(path, frames, size)
    message = f"the mask {path} must be a PNG, a folder of pictures or a video"
    raise SourceError(message, reason="refused_format")


def read_mask(ref: MaskRef) -> UInt8[NDArray[np.uint8], "t h w"]:
    """Read a mask: black 0, white 255; one picture, or one for each frame.

    Raises:
        SourceError: `not_found` or `damaged` when it is gone, cannot be read, or has changed since.
    """
    path = Path(ref.uri)
    if not path.exists() or _content(path) != ref.sha256:
        message = f"the mask {path} is gone, or has changed since it was planned with"
        raise SourceError(message, reason="not_found")
    if path.is_dir():
        return _grey(read_images(list_images(path), fps=1.0).frames)
    if path.suffix.lower() in _SUFFIXES:
        return _grey(read_clip(path).frames)
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        message = f"the mask {path} cannot be read"
        raise SourceError(message, reason="damaged")
    return np.asarray(picture, np.uint8)[None]


def _picture(path: Path, head: bytes, size: tuple[int, int]) -> MaskRef:
    # The size is in the header, so that nothing large is decoded to find out that it does not fit.
    _check_size(path, (int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")), size)
    if cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) is None:
        message = f"the mask {path} cannot be read"
        raise SourceError(message, reason="refused_format")
    return _ref(path)


def _folder(path: Path, frames: int, size: tuple[int, int]) -> MaskRef:
    pictures = list_images(path)
    _check_count(path, len(pictures), frames)
    _check_size(path, check_sizes(pictures, Limits()), size)
    return _ref(path)


def _video(path: Path, frames: int, size: tuple[int, int]) -> MaskRef:
    info = probe(path)
    _check_size(path, (info.width, info.height), size)
    _check_count(path, info.frames, frames)
    return _ref(path)


def _ref(path: Path) -> MaskRef:
    return MaskRef(uri=str(path.resolve()), sha256=_content(path))


def _check_size(path: Path, have: tuple[int, int], want: tuple[int, int]) -> None:
    if have != want:
        message = f"the mask {path} is {have[0]}x{have[1]}, the clip {want[0]}x{want[1]}"
        raise SourceError(message, reason="refused_format")


def _check_count(path: Path, have: int, want: int) -> None:
    if have != want:
        message = f"the mask {path} has {have} pictures, the clip {want} frames"
        raise SourceError(message, reason="refused_format", hint="or one PNG for all frames")


def _content(path: Path) -> str:
    if path.is_dir():
        return digest({"pictures": [[picture.name, sha256_of(picture)] for picture in list_images(path)]})
    return sha256_of(path)


def _grey(frames: UInt8[NDArray[np.uint8], "t h w 3"]) -> UInt8[NDArray[np.uint8], "t h w"]:
    return np.stack([np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)) for frame in frames])
