"""Masks: where in the picture a control map counts, and how much. Beside a clip, as depth or labels are."""

from collections.abc import Mapping
from pathlib import Path

from worldgen.datatypes import ControlKind, Source
from worldgen.media.masks import mask_of


def with_masks(source: Source, masks: Mapping[ControlKind, Path]) -> Source:
    """Put masks beside a source.

    Args:
        source: Of any kind.
        masks: Control kind -> a grey PNG of the source's size, white 1, black 0, for every frame; or a folder
            of pictures or a video with one for each frame.

    Raises:
        SourceError: As `worldgen.media.masks.mask_of`.
    """
    size = (source.width, source.height)
    read = {kind: mask_of(path, frames=source.frames, size=size) for kind, path in masks.items()}
    return source.model_copy(update={"masks": read})
