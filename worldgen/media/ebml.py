"""The structure of a Matroska or WebM file (RFC 8794, RFC 9559): is every element whole?

FFmpeg skips what it cannot parse and looks for the next cluster, so a damaged file would lose frames
without a word. Here every element must lie within its parent and fill it; checksums are compared.
"""

import zlib
from typing import BinaryIO, Final, NamedTuple

from worldgen.errors import SourceError

_HEADER: Final = 0x1A45DFA3
_SEGMENT: Final = 0x18538067
_TRACKS: Final = 0x1654AE6B
_TRACK: Final = 0xAE
_TRACK_NUMBER: Final = 0xD7
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


def check_structure(file: BinaryIO, size: int, name: str) -> None:
    """Walk all elements down to the blocks.

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
    tracks: frozenset[int] = frozenset()
    at, end = segment.start, size if segment.end is None else segment.end
    while at < end:
        element = _element(file, at, end, name)
        if element.number not in _IN_SEGMENT:
            raise _damaged(name, at)
        if element.number == _TRACKS and element.end is not None:
            tracks = _track_numbers(file, element.start, element.end, name)
        if element.number == _CLUSTER:
            at = _check_cluster(file, element, end, name, tracks)
        elif element.end is None:
            raise _damaged(name, at)
        else:
            _check_sum(file, element.start, element.end, name)
            at = element.end


def _check_cluster(file: BinaryIO, cluster: Element, end: int, name: str, tracks: frozenset[int]) -> int:
    """Check the children of a cluster; returns where it ends, which a live one does not say."""
    at, stop = cluster.start, end if cluster.end is None else cluster.end
    while at < stop:
        child = _element(file, at, stop, name)
        if cluster.end is None and child.number in (_IN_SEGMENT - _IN_CLUSTER):
            return at
        if child.number not in _IN_CLUSTER or child.end is None:
            raise _damaged(name, at)
        if child.number in _BLOCKS:
            _check_block(file, child, name, tracks)
        if child.number == _BLOCK_GROUP:
            _check_group(file, child, name, tracks)
        at = child.end
    if cluster.end is not None:
        _check_sum(file, cluster.start, cluster.end, name)
    return stop


def _check_group(file: BinaryIO, group: Element, name: str, tracks: frozenset[int]) -> None:
    at = group.start
    while group.end is not None and at < group.end:
        child = _element(file, at, group.end, name)
        if child.end is None:
            raise _damaged(name, at)
        if child.number in _BLOCKS:
            _check_block(file, child, name, tracks)
        at = child.end


def _check_block(file: BinaryIO, block: Element, name: str, tracks: frozenset[int]) -> None:
    file.seek(block.start)
    number, _ = vint(file.read(8), 0)
    if tracks and number not in tracks:
        raise _damaged(name, block.start)


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


def _track_numbers(file: BinaryIO, start: int, end: int, name: str) -> frozenset[int]:
    numbers = set()
    at = start
    while at < end:
        track = _element(file, at, end, name)
        if track.end is None:
            raise _damaged(name, at)
        inner = track.start
        while track.number == _TRACK and inner < track.end:
            child = _element(file, inner, track.end, name)
            if child.end is None:
                raise _damaged(name, inner)
            if child.number == _TRACK_NUMBER:
                file.seek(child.start)
                numbers.add(int.from_bytes(file.read(child.end - child.start), "big"))
            inner = child.end
        at = track.end
    return frozenset(numbers)


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
