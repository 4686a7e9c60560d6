"""The structure of a Matroska or WebM file (RFC 8794, RFC 9559): is every element whole?

FFmpeg skips what it cannot parse and looks for the next cluster, so a damaged file would lose frames
without a word. Here every element must lie within its parent and fill it; checksums are compared.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from worldgen.errors import SourceError

_HEADER: Final = 0x1A45DFA3
_SEGMENT: Final = 0x18538067
_TRACKS: Final = 0x1654AE6B
_TRACK: Final = 0xAE
_TRACK_NUMBER: Final = 0xD7
_TRACK_TYPE: Final = 0x83
_VIDEO: Final = 1
_LACING: Final = 0x06
"""Bits of a block's flags that say that several frames share it."""
_CLUSTER: Final = 0x1F43B675
_BLOCK_GROUP: Final = 0xA0
_BLOCKS: Final = frozenset({0xA3, 0xA1})
_CRC: Final = 0xBF
_VOID: Final = 0xEC
_IN_SEGMENT: Final = frozenset(
    {_TRACKS, _CLUSTER, 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, _CRC, _VOID}
)
_IN_CLUSTER: Final = frozenset({_BLOCK_GROUP, 0xA3, 0xE7, 0x5854, 0xA7, 0xAB, 0xAF, _CRC, _VOID})
_LARGEST_CHECKED: Final = 64 << 20


class Element(NamedTuple):
    """One element: its ID, where its content begins and ends; end is None for unknown lengths."""

    number: int
    start: int
    end: int | None


def check_structure(file: BinaryIO, size: int, name: str) -> int | None:
    """Walk all elements down to the blocks; returns how many the first video track has.

    Raises:
        SourceError: truncated when the segment is longer than the file; damaged when elements do not fit.
    """
    header = _element(file, 0, size, name)
    if header.number != _HEADER or header.end is None or header.end > size:
        raise _damaged(name, 0)
    segment = _element(file, header.end, size, name)
    if segment.number != _SEGMENT:
        raise _damaged(name, header.end)
    if segment.end is not None and segment.end > size:
        message = f"{name} ends too early: {segment.end - size} of {segment.end} bytes are missing"
        raise SourceError(message, reason="truncated", hint="copy or download the file again")
    tracks = _Tracks(name)
    at, end = segment.start, size if segment.end is None else segment.end
    while at < end:
        element = _element(file, at, end, name)
        if element.number not in _IN_SEGMENT:
            raise _damaged(name, at)
        if element.number == _TRACKS and element.end is not None:
            tracks.read(file, element.start, element.end)
        if element.number == _CLUSTER:
            at = _check_cluster(file, element, end, tracks)
        elif element.end is None:
            raise _damaged(name, at)
        else:
            _check_sum(file, element.start, element.end, name)
            at = element.end
    return tracks.frames


class _Tracks:
    """The tracks of a file, and how many blocks each has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._is_video: dict[int, bool] = {}
        self._blocks: dict[int, int] = {}

    @property
    def frames(self) -> int | None:
        """Blocks of the first video track; each holds one frame."""
        return next((self._blocks.get(n, 0) for n, is_video in self._is_video.items() if is_video), None)

    def read(self, file: BinaryIO, start: int, end: int) -> None:
        """Take the track entries: their numbers and types."""
        for track in _children(file, start, end, self.name):
            if track.number != _TRACK or track.end is None:
                continue
            fields = {c.number: c for c in _children(file, track.start, track.end, self.name)}
            if _TRACK_NUMBER not in fields or _TRACK_TYPE not in fields:
                raise _damaged(self.name, track.start)
            number = _unsigned(file, fields[_TRACK_NUMBER])
            self._is_video[number] = _unsigned(file, fields[_TRACK_TYPE]) == _VIDEO

    def count(self, file: BinaryIO, block: Element) -> None:
        """Count one block; it must be of a known track, and frames of video do not share one."""
        file.seek(block.start)
        head = file.read(12)
        number, width = vint(head, 0)
        flags = head[width + 2] if len(head) > width + 2 else _LACING
        if number not in self._is_video or (self._is_video[number] and flags & _LACING):
            raise _damaged(self.name, block.start)
        self._blocks[number] = self._blocks.get(number, 0) + 1


def _check_cluster(file: BinaryIO, cluster: Element, end: int, tracks: _Tracks) -> int:
    """Check the children of a cluster; returns where it ends, which a live one does not say."""
    at, stop = cluster.start, end if cluster.end is None else cluster.end
    while at < stop:
        child = _element(file, at, stop, tracks.name)
        if cluster.end is None and child.number in (_IN_SEGMENT - _IN_CLUSTER):
            return at
        if child.number not in _IN_CLUSTER or child.end is None:
            raise _damaged(tracks.name, at)
        if child.number in _BLOCKS:
            tracks.count(file, child)
        if child.number == _BLOCK_GROUP:
            for inner in _children(file, child.start, child.end, tracks.name):
                if inner.number in _BLOCKS:
                    tracks.count(file, inner)
        at = child.end
    if cluster.end is not None:
        _check_sum(file, cluster.start, cluster.end, tracks.name)
    return stop


def _children(file: BinaryIO, start: int, end: int, name: str) -> Iterator[Element]:
    at = start
    while at < end:
        child = _element(file, at, end, name)
        if child.end is None:
            raise _damaged(name, at)
        yield child
        at = child.end


def _unsigned(file: BinaryIO, element: Element) -> int:
    file.seek(element.start)
    return int.from_bytes(file.read(min(8, (element.end or element.start) - element.start)), "big")


def _check_sum(file: BinaryIO, start: int, end: int, name: str) -> None:
    """Compare an element's CRC-32, which comes as its first child and covers the others."""
    if end - start < 6 or end - start > _LARGEST_CHECKED:
        return
    file.seek(start)
    content = file.read(end - start)
    if content[0] == _CRC and content[1] == 0x84:
        promised = int.from_bytes(content[2:6], "little")
        if zlib.crc32(content[6:]) != promised:
            raise _damaged(name, start)


def _element(file: BinaryIO, at: int, limit: int, name: str) -> Element:
    """Read one element's ID and length; it must end within `limit` (a segment's end is checked later)."""
    file.seek(at)
    head = file.read(12)
    if not head or head[0] < 0x10:
        raise _damaged(name, at)
    id_width = 9 - head[0].bit_length()
    number = int.from_bytes(head[:id_width], "big")
    length, width = vint(head, id_width)
    start = at + id_width + width
    if length == (1 << (7 * width)) - 1:
        return Element(number, start, None)
    if start + length > limit and number != _SEGMENT:
        raise _damaged(name, at)
    return Element(number, start, start + length)


def vint(data: bytes, at: int) -> tuple[int, int]:
    """Read one variable-length integer: its value and its width in bytes."""
    if at >= len(data) or data[at] == 0:
        return 0, 1
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big") & ((1 << (7 * width)) - 1)
    return value, width


def _damaged(name: str, at: int) -> SourceError:
    message = f"{name} is damaged at byte {at}: its elements do not fit together"
    return SourceError(message, reason="damaged", hint="copy or download the file again")
