"""The sample tables of an mp4 or mov file (ISO/IEC 14496-12, 8.6 and 8.7): do they agree on a count?

FFmpeg believes the table of sizes alone. A table of times or of composition offsets that promises another
count means that the header lies, or was damaged.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from worldgen.errors import SourceError

_NESTED = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_LARGEST_TABLE = 64 << 20
_MOST_SAMPLES = 1 << 22


class Box(NamedTuple):
    """One box: its kind, where its content begins, and where it ends."""

    kind: bytes
    start: int
    end: int


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """Walk the boxes between two offsets; stops at one that reaches outside, which is yielded last."""
    at = start
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        length, body = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, body = int.from_bytes(head[8:16], "big"), at + 16
        elif length == 0:
            length = end - at
        if length < body - at:
            return
        yield Box(head[4:8], body, at + length)
        at += length


def check_tables(file: BinaryIO, size: int, name: str) -> None:
    """Compare the sample counts of every video track.

    Raises:
        SourceError: count_mismatch, with both counts.
    """
    for trak in _tracks(file, 0, size):
        tables = {box.kind: box for box in _leaves(file, trak)}
        if b"hdlr" not in tables or _read(file, tables[b"hdlr"])[8:12] != b"vide":
            continue
        sizes = _sample_count(file, tables)
        for kind, what in ((b"stts", "times"), (b"ctts", "composition offsets")):
            if kind not in tables:
                continue
            runs = int(_pairs(_read(file, tables[kind]))[:, 0].sum())
            if sizes != runs:
                message = f"{name}: the header promises {sizes} frames by size, but {runs} by {what}"
                raise SourceError(message, reason="count_mismatch", hint="copy or download the file again")
        if b"ctts" in tables and 0 < sizes <= _MOST_SAMPLES:
            _check_times(_read(file, tables[b"stts"]), _read(file, tables[b"ctts"]), name)


def _check_times(stts: bytes, ctts: bytes, name: str) -> None:
    """Refuse two frames that are shown at the same time."""
    steps = np.repeat(*_pairs(stts).T[::-1])
    offsets = np.repeat(*_pairs(ctts).T[::-1]).astype(np.int32).astype(np.int64)
    shown = np.cumsum(steps) - steps + offsets
    if len(np.unique(shown)) != len(shown):
        message = f"{name}: the header gives two frames the same time"
        raise SourceError(message, reason="damaged", hint="copy or download the file again")


def _tracks(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    for box in boxes(file, start, end):
        if box.kind == b"moov":
            yield from (b for b in boxes(file, box.start, min(box.end, end)) if b.kind == b"trak")


def _leaves(file: BinaryIO, parent: Box) -> Iterator[Box]:
    for box in boxes(file, parent.start, parent.end):
        if box.kind in _NESTED:
            yield from _leaves(file, box)
        else:
            yield box


def _sample_count(file: BinaryIO, tables: dict[bytes, Box]) -> int:
    for kind in (b"stsz", b"stz2"):
        if kind in tables:
            return int.from_bytes(_read(file, tables[kind])[8:12], "big")
    return 0


def _pairs(table: bytes) -> npt.NDArray[np.int64]:
    """Read a run-length table: version, number of runs, then (count, value) pairs; int64 [n, 2]."""
    runs = min(int.from_bytes(table[4:8], "big"), (len(table) - 8) // 8)
    return np.frombuffer(table, ">u4", count=max(0, 2 * runs), offset=8).reshape(-1, 2).astype(np.int64)


def _read(file: BinaryIO, box: Box) -> bytes:
    file.seek(box.start)
    return file.read(max(0, min(box.end - box.start, _LARGEST_TABLE)))
