"""The sample tables of an mp4 or mov file (ISO/IEC 14496-12, 8.6 and 8.7): do they agree on a count?

FFmpeg believes the table of sizes alone. A table of times or of composition offsets that promises another
count means that the header lies, or was damaged.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from worldgen.errors import SourceError

_NESTED = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"})
_NEEDED = ((b"tkhd",), (b"mdhd",), (b"stsd",), (b"stts",), (b"stsc",), (b"stsz", b"stz2"), (b"stco", b"co64"))
"""Boxes that every video track has (8.3 to 8.7); of some there are two kinds."""
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
    """Check that the video tracks have all their tables, and compare the counts in them.

    Raises:
        SourceError: damaged when a table is missing or does not fit; count_mismatch, with both counts.
    """
    for tables in _video_tracks(file, size, name):
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


def check_fragments(file: BinaryIO, size: int, name: str) -> None:
    """Check that the fragments of a fragmented file count up one by one (8.8.5).

    Raises:
        SourceError: damaged, naming the fragment that is missing.
    """
    last: int | None = None
    for moof in boxes(file, 0, size):
        if moof.kind != b"moof":
            continue
        mfhd = next((b for b in boxes(file, moof.start, min(moof.end, size)) if b.kind == b"mfhd"), None)
        number = int.from_bytes(_read(file, mfhd)[4:8], "big") if mfhd else -1
        if mfhd is None or (last is not None and number != last + 1):
            message = (
                f"{name}: after fragment {last} comes {number}"
                if mfhd
                else f"{name}: a fragment has no number"
            )
            raise SourceError(message, reason="damaged", hint="copy or download the file again")
        last = number


def check_edits(path: Path) -> None:
    """Check an edit list that cuts frames away: its parts must last as long as the track, within the media.

    Called only when frames are cut, because writers are careless where it has no consequence.

    Raises:
        SourceError: damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        moov = next((b for b in boxes(file, 0, size) if b.kind == b"moov"), None)
        mvhd = next((b for b in _leaves(file, moov, path.name) if b.kind == b"mvhd"), None) if moov else None
        movie_ticks = _header_times(_read(file, mvhd))[0] if mvhd else 0
        for tables in _video_tracks(file, size, path.name):
            if b"elst" not in tables:
                continue
            edits = _edits(_read(file, tables[b"elst"]))
            track = _track_duration(_read(file, tables[b"tkhd"]))
            ticks, media = _header_times(_read(file, tables[b"mdhd"]))
            longest = int(_pairs(_read(file, tables[b"stts"]))[:, 1].max(initial=0))
            lasts = sum(duration for duration, _ in edits)
            reach = max(start + duration * ticks / max(1, movie_ticks) for duration, start in edits)
            # Reordered frames may be shown a few frames later than they are decoded: sixteen at most (H.264).
            if abs(lasts - track) > len(edits) + 1 or reach > media + 17 * longest:
                message = f"{path.name}: its edit list does not fit the track"
                raise SourceError(message, reason="damaged", hint="copy or download the file again")


def _edits(table: bytes) -> list[tuple[int, int]]:
    """Read (duration in movie ticks, start in media ticks) of every edit (8.6.6)."""
    count, is_wide = int.from_bytes(table[4:8], "big"), table[:1] == b"\1"
    width = 20 if is_wide else 12
    count = min(count, (len(table) - 8) // width)
    rows = (table[8 + i * width : 8 + (i + 1) * width] for i in range(count))
    half = 8 if is_wide else 4
    return [
        (int.from_bytes(row[:half], "big"), int.from_bytes(row[half : 2 * half], "big", signed=True))
        for row in rows
    ] or [(0, 0)]


def _header_times(header: bytes) -> tuple[int, int]:
    """Read ticks per second and duration of mvhd or mdhd (8.2.2, 8.4.2)."""
    if header[:1] == b"\1":
        return int.from_bytes(header[20:24], "big"), int.from_bytes(header[24:32], "big")
    return int.from_bytes(header[12:16], "big"), int.from_bytes(header[16:20], "big")


def _track_duration(header: bytes) -> int:
    """Read the duration of tkhd in movie ticks (8.3.2)."""
    return int.from_bytes(header[28:36] if header[:1] == b"\1" else header[20:24], "big")


def _check_times(stts: bytes, ctts: bytes, name: str) -> None:
    """Refuse two frames that are shown at the same time."""
    steps = np.repeat(*_pairs(stts).T[::-1])
    offsets = np.repeat(*_pairs(ctts).T[::-1]).astype(np.int32).astype(np.int64)
    shown = np.cumsum(steps) - steps + offsets
    if len(np.unique(shown)) != len(shown):
        message = f"{name}: the header gives two frames the same time"
        raise SourceError(message, reason="damaged", hint="copy or download the file again")


def _video_tracks(file: BinaryIO, size: int, name: str) -> Iterator[dict[bytes, Box]]:
    """Yield the tables of every video track by kind."""
    for moov in boxes(file, 0, size):
        if moov.kind != b"moov":
            continue
        for trak in boxes(file, moov.start, min(moov.end, size)):
            if trak.kind != b"trak":
                continue
            tables = {box.kind: box for box in _leaves(file, trak, name)}
            if b"hdlr" not in tables or _read(file, tables[b"hdlr"])[8:12] != b"vide":
                continue
            missing = [kinds[0] for kinds in _NEEDED if not tables.keys() & set(kinds)]
            if missing:
                message = f"{name}: its video track has no {missing[0].decode()} box"
                raise SourceError(message, reason="damaged", hint="copy or download the file again")
            yield tables


def _leaves(file: BinaryIO, parent: Box, name: str) -> Iterator[Box]:
    for box in boxes(file, parent.start, parent.end):
        if box.end > parent.end:
            message = f"{name}: a box of its header reaches outside the one around it"
            raise SourceError(message, reason="damaged", hint="copy or download the file again")
        if box.kind in _NESTED:
            yield from _leaves(file, box, name)
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
