"""The shelf of sources: each kept once, playable, so that a folder of results can be moved as a whole."""

from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from worldgen.catalog.files import (
    commit_folder,
    copy_file,
    partial_folder,
    replace_json,
    sha256_of,
    write_json,
)
from worldgen.catalog.preview import is_playable, write_preview
from worldgen.datatypes import Source, VideoRef, digest
from worldgen.errors import SourceError


class SourceShelf:
    """Sources by content, and the look-up from a file's name to its content.

    Args:
        root: `sources` of the catalogue.
        partial: Where unfinished folders live.
    """

    def __init__(self, root: Path, *, partial: Path) -> None:
        self.root = root
        self._partial = partial

    def keep(self, source: Source, video: VideoRef | None) -> Path:
        """Keep a source and a copy of it that a browser plays; labels stay with the variants.

        Args:
            source: What the user gave.
            video: Its frames as one file that is readable now; None keeps the description alone.
        """
        place = self.root / source.sha256[:16]
        if (place / "source.mp4").exists() or (video is None and place.exists()):
            return place
        self.root.mkdir(parents=True, exist_ok=True)
        if place.exists() and video is not None:
            self._add_video(place, video)
            return place
        with partial_folder(self._partial, f"source-{source.sha256[:12]}") as folder:
            write_json(folder / "source.json", source.model_copy(update={"labels": None}))
            if video is not None:
                _put_video(Path(video.uri), folder / "source.mp4")
            commit_folder(folder, place, stage="source")
        return place

    def find(self, sha256: str) -> Source | None:
        """Read the description of a source; None when it is not on the shelf."""
        path = self.root / sha256[:16] / "source.json"
        return Source.model_validate_json(path.read_bytes()) if path.exists() else None

    def video(self, sha256: str) -> Path | None:
        """Find the playable copy."""
        path = self.root / sha256[:16] / "source.mp4"
        return path if path.exists() else None

    def remember(self, uri: str, size_bytes: int, stamp: str, sha256: str) -> None:
        """Note a file's content, so that a resume need not read it again.

        Args:
            uri: A path or an object's address.
            size_bytes: Of the file.
            stamp: What changes with the content: modification time in nanoseconds, or an etag.
            sha256: Of the content.
        """
        replace_json(self._digest_path(uri, size_bytes, stamp), {"uri": uri, "sha256": sha256})

    def digest_of(self, uri: str, size_bytes: int, stamp: str) -> str | None:
        """Look a file's content up; None when this state of it was never read."""
        try:
            return _Known.model_validate_json(self._digest_path(uri, size_bytes, stamp).read_bytes()).sha256
        except (OSError, ValidationError):
            return None

    def _digest_path(self, uri: str, size_bytes: int, stamp: str) -> Path:
        return self.root / "digests" / f"{digest(uri, size_bytes, stamp)[:32]}.json"

    def _add_video(self, place: Path, video: VideoRef) -> None:
        with partial_folder(self._partial, "source-video") as folder:
            _put_video(Path(video.uri), folder / "source.mp4")
            if (folder / "source.mp4").exists():
                (folder / "source.mp4").replace(place / "source.mp4")


class FileDigests:
    """Names files by content, reading each only when this state of it was never read before.

    What was read is noted when `keep` is called, and not before: bad input writes nothing.

    Args:
        shelf: Where files are looked up and noted.
    """

    def __init__(self, shelf: SourceShelf) -> None:
        self._shelf = shelf
        self._read: dict[tuple[str, int, str], str] = {}

    def __call__(self, path: Path) -> str:
        """Return a file's sha256."""
        about = path.stat()
        state = (str(path.resolve()), about.st_size, str(about.st_mtime_ns))
        known = self._shelf.digest_of(*state)
        if known is None:
            known = self._read[state] = sha256_of(path)
        return known

    def keep(self) -> None:
        """Note what was read."""
        for state, sha256 in self._read.items():
            self._shelf.remember(*state, sha256)
        self._read.clear()


class _Known(BaseModel):
    uri: str
    sha256: str


def _put_video(origin: Path, place: Path) -> None:
    # A copy, not a hard link: tools that write a clip again in place would change it under the results.
    # A source that cannot be shown (its labels and variants still can) is kept as a description.
    with suppress(SourceError):
        if is_playable(origin):
            copy_file(origin, place)
        else:
            write_preview(origin, place)
