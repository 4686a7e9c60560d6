"""Pictures: a folder of them, in natural order, decoded like the frames of a video.

The same decoders, colour conversion, limits and bounded process as for video files.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import av
from av.video.codeccontext import VideoCodecContext

from worldgen.errors import SourceError
from worldgen.media.colour import ToRgb, orientation
from worldgen.media.decode import Sink
from worldgen.media.limits import Limits, check_enough, check_length, check_size
from worldgen.media.packets import error_text

DECODERS: Final = {".png": "png", ".jpg": "mjpeg", ".jpeg": "mjpeg", ".bmp": "bmp", ".webp": "webp"}
"""Suffix -> FFmpeg's decoder."""


def list_images(folder: Path) -> tuple[Path, ...]:
    """List the pictures of a folder in natural order: frame2 before frame10. Hidden files are left out."""
    names = (p for p in folder.iterdir() if p.suffix.lower() in DECODERS and not p.name.startswith("."))
    return tuple(sorted((p for p in names if p.is_file()), key=lambda p: natural_key(p.name)))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that compares runs of digits as numbers."""
    parts = re.split(r"(\d+)", name.lower())
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def picture_size(path: Path) -> tuple[int, int]:
    """Read width and height from a picture's header, without decoding it.

    Raises:
        SourceError: empty, not_found or damaged.
    """
    try:
        with path.open("rb") as file:
            size = _header_size(file)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}", reason="not_found") from error
    if size is None:
        reason = "empty" if path.stat().st_size == 0 else "damaged"
        raise SourceError(f"{path.name} is not a picture that can be read", reason=reason)
    return size


def check_sizes(paths: Sequence[Path], limits: Limits) -> tuple[int, int]:
    """Check every header: one size, within limits. Returns width and height as stored."""
    check_length(len(paths), 0.0, limits)
    check_enough(len(paths), paths[0].parent.name if paths else "the folder", limits)
    first = picture_size(paths[0])
    check_size(*first, limits)
    for path in paths[1:]:
        size = picture_size(path)
        if size != first:
            message = f"{path.name} is {size[0]}x{size[1]}, {paths[0].name} is {first[0]}x{first[1]}"
            raise SourceError(message, reason="mixed_sizes", hint="one folder must hold frames of one camera")
    return first


def decode_images(paths: Sequence[Path], sink: Sink, *, limits: Limits) -> tuple[int, int]:
    """Decode pictures into `sink`, one frame each; returns the upright width and height.

    Raises:
        SourceError: damaged with the file's name, mixed_sizes, too_large.
    """
    to_rgb, size, total = ToRgb(), (0, 0), 0
    for path in paths:
        frame = _decode_one(path, limits)
        rgb = to_rgb(frame, orientation(frame))
        found = (int(rgb.shape[1]), int(rgb.shape[0]))
        if size not in ((0, 0), found):
            message = f"{path.name} is {found[0]}x{found[1]}, the others {size[0]}x{size[1]}"
            raise SourceError(message, reason="mixed_sizes")
        size = found
        total += rgb.nbytes
        if total > limits.max_bytes:
            message = f"the pictures decode to more than {limits.max_bytes} bytes"
            raise SourceError(message, reason="too_large", hint="split the folder")
        sink(rgb)
    return size


def _decode_one(path: Path, limits: Limits) -> av.VideoFrame:
    check_size(*picture_size(path), limits)
    context = av.CodecContext.create(DECODERS[path.suffix.lower()], "r")
    assert isinstance(context, VideoCodecContext)  # noqa: S101 -- by its codec
    context.thread_count = 1
    context.options = {"max_pixels": str(limits.max_pixels + (1 << 20))}
    try:
        frames = [*context.decode(av.Packet(path.read_bytes())), *context.decode(None)]
    except Exception as error:
        raise SourceError(f"{path.name} cannot be decoded: {error_text(error)}", reason="damaged") from error
    if len(frames) != 1 or frames[0].is_corrupt:
        raise SourceError(f"{path.name} cannot be decoded whole", reason="damaged")
    return frames[0]


def _header_size(file: BinaryIO) -> tuple[int, int] | None:
    head = file.read(32)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head.startswith(b"BM"):
        width, height = (int.from_bytes(head[at : at + 4], "little", signed=True) for at in (18, 22))
        return width, abs(height)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp_size(head)
    if head.startswith(b"\xff\xd8"):
        return next(_jpeg_sizes(file), None)
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """Read the size from the first chunk (RFC 9649)."""
    chunk = head[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def _jpeg_sizes(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Walk the markers to the start of frame (ITU-T T.81, B.2.2)."""
    file.seek(2)
    while True:
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return
        length = int.from_bytes(head[2:4], "big")
        if 0xC0 <= head[1] <= 0xCF and head[1] not in (0xC4, 0xC8, 0xCC):
            body = file.read(5)
            if len(body) == 5:
                yield int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
            return
        file.seek(length - 2, 1)
