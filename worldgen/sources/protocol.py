"""What a reader of sources is: it recognises a path, probes it, and reads it when asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from worldgen.datatypes import Clip, ControlKind, Geometry, Scene, Source
from worldgen.errors import SourceError
from worldgen.media.limits import Limits
from worldgen.media.video import sha256_of

CAMERA: Final = "camera"
"""The name of the one camera of what has no names."""


class Request(NamedTuple):
    """How to open a path, as far as the path itself does not say."""

    camera: str | None = None
    """Which camera; the first when None."""
    fps: float | None = None
    """For what carries no rate: folders of pictures."""
    control: ControlKind | None = None
    """The path is one control video of this kind, not RGB."""
    limits: Limits = Limits()
    digest: Callable[[Path], str] = sha256_of
    """Names a file by its content; a caller that remembers need not read it again."""


class SourceReader(Protocol):
    """One kind of source. Opening probes and never decodes more than a picture; reading decodes."""

    def recognises(self, path: Path, request: Request) -> bool:
        """Tell whether this reader is the one for a path. Cheap; never raises."""
        ...

    def cameras(self, path: Path) -> tuple[str, ...]:
        """Name the cameras, the default one first.

        Raises:
            SourceError: The path cannot be read.
        """
        ...

    def open(self, path: Path, request: Request) -> Source:
        """Probe one camera.

        Raises:
            SourceError: What is wrong, with a stable reason.
        """
        ...

    def read_clip(self, source: Source, limits: Limits) -> Clip:
        """Decode the RGB frames.

        Raises:
            SourceError: The source does not hold what it promised, or has no RGB.
        """
        ...

    def read_geometry(self, source: Source) -> Geometry | None:
        """Read the geometry that lies beside the frames; None when there is none.

        Raises:
            SourceError: It is there and cannot be used.
        """
        ...

    def read_scene(self, source: Source) -> Scene | None:
        """Read map elements and actors; None when there are none."""
        ...


class PlainReader:
    """What readers of plain pictures share: one camera without a name, nothing beside the frames."""

    def cameras(self, path: Path) -> tuple[str, ...]:  # noqa: ARG002 -- the same for every path
        """There is one camera."""
        return (CAMERA,)

    def read_geometry(self, source: Source) -> Geometry | None:  # noqa: ARG002 -- the same for all
        """There is none."""
        return None

    def read_scene(self, source: Source) -> Scene | None:  # noqa: ARG002 -- the same for all
        """There is none."""
        return None


def refuse_unknown_camera(asked: str | None, known: tuple[str, ...]) -> None:
    """Refuse a camera that is not there, naming those that are.

    Raises:
        SourceError: unknown_camera.
    """
    if asked is not None and asked not in known:
        message = f"there is no camera {asked!r}; there is: {', '.join(known)}"
        raise SourceError(message, reason="unknown_camera")
