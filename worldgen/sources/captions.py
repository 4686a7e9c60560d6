"""The caption that lies beside a source: `clip.caption.json` or `.txt`, or `caption.json` in a folder."""

from pathlib import Path
from typing import Final

from worldgen.errors import SourceError
from worldgen.prompts import MAX_CHARACTERS, check_caption

_SUFFIXES: Final = (".json", ".txt")


def caption_beside(path: Path) -> Path | None:
    """Return the caption file that belongs to a source by its name; None when there is none."""
    places = (
        [path / f"caption{suffix}" for suffix in _SUFFIXES]
        if path.is_dir()
        else [path.with_name(f"{path.stem}.caption{suffix}") for suffix in _SUFFIXES]
    )
    return next((place for place in places if place.is_file()), None)


def read_caption(path: Path) -> str:
    """Read a caption, in words or as Cosmos 3's JSON.

    Raises:
        SourceError: `not_found`, or `bad_caption` saying what is wrong.
    """
    try:
        with path.open("rb") as file:
            content = file.read(4 * MAX_CHARACTERS + 1)
    except OSError as exc:
        message = f"cannot read the caption {path}: {exc.strerror}"
        raise SourceError(message, reason="not_found") from exc
    try:
        return check_caption(content.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        message = f"{path} is not text"
        raise SourceError(message, reason="bad_caption") from exc
    except SourceError as exc:
        message = f"{path}: {exc.message}"
        raise SourceError(message, reason=exc.reason) from exc
