"""Masks: where in the picture a control map counts, and how much. Beside a clip, as depth or labels are."""

from collections.abc import Mapping
from pathlib import Path

import cv2

from worldgen.datatypes import ControlKind, MaskRef, Source
from worldgen.errors import SourceError
from worldgen.media.video import sha256_of


def with_masks(source: Source, masks: Mapping[ControlKind, Path]) -> Source:
    """Put masks beside a source.

    Args:
        source: Of any kind.
        masks: Control kind -> a grey PNG of the source's size: white 1, black 0, for every frame.

    Raises:
        SourceError: `not_found`, or `refused_format` for what is no PNG of that size.
    """
    return source.model_copy(update={"masks": {kind: _read(path, source) for kind, path in masks.items()}})


def _read(path: Path, source: Source) -> MaskRef:
    if not path.is_file():
        message = f"there is no mask {path}"
        raise SourceError(message, reason="not_found")
    with path.open("rb") as file:
        head = file.read(24)
    size = (int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"))
    # The size is in the header, so that nothing large is decoded to find out that it does not fit.
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or size != (source.width, source.height):
        message = f"the mask {path} must be a PNG of the clip's size, {source.width}x{source.height}"
        raise SourceError(message, reason="refused_format")
    if cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) is None:
        message = f"the mask {path} cannot be read"
        raise SourceError(message, reason="refused_format")
    return MaskRef(uri=str(path.resolve()), sha256=sha256_of(path))
