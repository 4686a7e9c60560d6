"""Scripts, style and icon of the page: shared ones are the report's own files, joined in order."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from worldgen.report.page import TEMPLATE

_OWN: Final = Path(__file__).parent / "static"

_BUNDLES: Final[dict[str, tuple[str, tuple[Path, ...]]]] = {
    "theme.js": ("text/javascript", (TEMPLATE / "theme.js",)),
    "page.css": ("text/css", (TEMPLATE / "report.css", _OWN / "page.css")),
    "page.js": ("text/javascript", (TEMPLATE / "core.js", _OWN / "page.js")),
    "submit.js": ("text/javascript", (_OWN / "submit.js",)),
    "hash.js": ("text/javascript", (_OWN / "hash.js",)),
    "queue.js": ("text/javascript", (_OWN / "queue.js",)),
    "job.js": ("text/javascript", (_OWN / "job.js",)),
    "variant.js": (
        "text/javascript",
        (
            *(TEMPLATE / name for name in ("data.js", "pair.js", "overlay.js", "panel.js", "audits.js")),
            *(_OWN / "posted.js", TEMPLATE / "player.js", _OWN / "variant.js"),
        ),
    ),
    "wall.js": ("text/javascript", (_OWN / "wall.js",)),
    "htmx.js": ("text/javascript", (_OWN / "htmx.min.js",)),
    "icon.svg": ("image/svg+xml", (_OWN / "icon.svg",)),
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """What is sent under one name."""

    content: bytes
    media_type: str

    @property
    def version(self) -> str:
        """Changes with the content."""
        return hashlib.sha256(self.content).hexdigest()[:12]


@cache
def static_files() -> dict[str, StaticFile]:
    """Read all files once."""
    return {
        name: StaticFile(b"\n".join(path.read_bytes() for path in paths), media_type)
        for name, (media_type, paths) in _BUNDLES.items()
    }


def address_of(name: str) -> str:
    """Address a file so that it may be cached for ever."""
    return f"/static/{static_files()[name].version}/{name}"
