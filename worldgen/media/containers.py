"""Containers by their first bytes, and whether a file ends before its container says it does.

The demuxer is chosen by magic bytes, never by a name or by FFmpeg's own guess: a concat script, an HLS
playlist or an image pattern renamed .mp4 would make FFmpeg open other files.
"""

from pathlib import Path
from typing import BinaryIO, Final

from worldgen.errors import SourceError
from worldgen.media import ebml
from worldgen.media.movtables import boxes, check_fragments, check_tables

DEMUXERS: Final = {"mov": "mov,mp4,m4a,3gp,3g2,mj2", "matroska": "matroska,webm", "avi": "avi"}
"""Our name of a container -> FFmpeg's name of its demuxer."""
READS: Final = "mp4, mov, mkv, webm and avi"

_MOV_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_SCRIPTS: Final = (
    (b"#EXTM3U", "an HLS playlist"),
    (b"ffconcat", "an FFmpeg concat script"),
    (b"file ", "an FFmpeg concat script"),
    (b"<MPD", "a DASH manifest"),
    (b"v=0", "an SDP session"),
    (b"[playlist]", "a playlist"),
    (b"[InternetShortcut]", "a shortcut"),
)
_OTHERS: Final = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP picture"),
    (b"II*\0", "a TIFF picture"),
    (b"OggS", "an Ogg file"),
    (b"FLV", "an FLV file"),
    (b"\x30\x26\xb2\x75", "a WMV or ASF file"),
    (b"\0\0\1\xba", "an MPEG program stream"),
    (b"\0\0\0\1", "a raw H.264 or HEVC stream without a container"),
    (b"YUV4MPEG2", "a Y4M file"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"ID3", "an MP3 file"),
    (b"fLaC", "a FLAC file"),
    (b"%PDF", "a PDF"),
)


def container_of(path: Path) -> str:
    """Name the container of a file: mov, matroska or avi.

    Raises:
        SourceError: not_found, empty, not_a_video, or refused_format with what it is instead.
    """
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {path}", reason="not_found") from error
    except IsADirectoryError as error:
        raise SourceError(f"{path} is a folder, not a video file", reason="not_a_video") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}", reason="not_found") from error
    if not head:
        raise SourceError(f"{path.name} is empty (0 bytes)", reason="empty")
    if len(head) >= 12 and head[4:8] in _MOV_BOXES:
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    raise _refusal(path, head)


def _refusal(path: Path, head: bytes) -> SourceError:
    hint = f"worldgen reads {READS}"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _SCRIPTS:
        if text.startswith(magic) or (magic == b"<MPD" and magic in head):
            message = f"{path.name} is {name}, which would make the reader open other files; it is not opened"
            return SourceError(message, reason="refused_format", hint=hint)
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return SourceError(f"{path.name} is {name}", reason="refused_format", hint=hint)
    if head[:1] == b"G" and head[188:189] == b"G":
        return SourceError(f"{path.name} is an MPEG transport stream", reason="refused_format", hint=hint)
    is_text = all(byte >= 32 or byte in b"\t\r\n" for byte in head)
    what = "a text file" if is_text else "not a video that worldgen knows"
    return SourceError(f"{path.name} is {what}", reason="not_a_video", hint=hint)


def check_structure(path: Path, container: str) -> int | None:
    """Refuse a file that ends before its container says it does, or whose structure contradicts itself.

    Returns:
        How many frames the structure holds, where FFmpeg does not count them (matroska); else None.

    Raises:
        SourceError: truncated, with how many bytes are missing where that is known; count_mismatch; damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if container == "mov":
            missing = _missing_mov(file, size, path.name)
        elif container == "matroska":
            return ebml.check_structure(file, size, path.name)
        else:
            head = file.read(8)
            missing = int.from_bytes(head[4:8], "little") + 8 - size
    if missing > 0:
        message = f"{path.name} ends too early: {missing} of {size + missing} bytes are missing"
        raise SourceError(message, reason="truncated", hint="copy or download the file again")
    return None


def _missing_mov(file: BinaryIO, size: int, name: str) -> int:
    """Walk the top-level boxes (ISO/IEC 14496-12, 4.2): none may reach past the end, moov must be there."""
    found = list(boxes(file, 0, size))
    kinds = {box.kind for box in found}
    if b"moov" not in kinds:
        message = f"{name} has no index (moov box): it was cut off, or never finished"
        raise SourceError(message, reason="truncated", hint="copy or download the file again")
    missing = found[-1].end - size
    if missing <= 0:
        check_tables(file, size, name)
        if b"moof" in kinds:
            check_fragments(file, size, name)
    return missing
