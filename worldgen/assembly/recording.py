"""Recordings and control maps on disk, for people who want the parts and not the whole."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from worldgen.assembly.specs import specs_of
from worldgen.assembly.wiring import assembled
from worldgen.datatypes import CONTROL_KINDS, Spec
from worldgen.errors import ConfigError, OutputError
from worldgen.sources import proving_ground
from worldgen.sources.open import open_source


def size_of(text: str) -> tuple[int, int]:
    """Read ``WIDTHxHEIGHT``.

    Raises:
        ConfigError: Not a size, or outside 64x36 to 1280x720.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        message = f"{text!r} is not WIDTHxHEIGHT, such as 640x360"
        raise ConfigError(message, reason="invalid")
    size = int(width), int(height)
    if not (64 <= size[0] <= 1280 and 36 <= size[1] <= 720):
        message = f"the proving ground renders 64x36 to 1280x720, got {text}"
        raise ConfigError(message, reason="invalid")
    return size


def record(
    folder: str | Path,
    *,
    seed: int = 1,
    frames: int = 33,
    size: str = "640x360",
    fps: float = 10.0,
    spec: str | Spec | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Drive the proving ground and write the recording in the sensor-dump layout.

    Raises:
        OutputError: The folder exists and is not empty.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"{folder} exists already; a recording needs a new folder"
        raise OutputError(message, reason="not_writable")
    folder.parent.mkdir(parents=True, exist_ok=True)
    asked = spec if isinstance(spec, Spec) or spec is None else specs_of(spec, seed=seed)[0]
    written = proving_ground.record(
        seed, folder, frames=frames, size=size_of(size), fps=fps, spec=asked, progress=progress
    )
    return {"folder": str(written), "frames": frames, "size": size, "fps": fps, "seed": seed}


def write_controls(
    path: str | Path,
    out: str | Path,
    kinds: Sequence[str],
    *,
    camera: str | None = None,
    calibration: str | Path | None = None,
) -> dict[str, Any]:
    """Make control maps of a source and write them lossless.

    Raises:
        ConfigError: An unknown kind.
        ExtractError: A kind needs geometry that this source does not have.
    """
    wanted = frozenset(k.strip() for k in kinds if k.strip())
    unknown = wanted - set(CONTROL_KINDS)
    if unknown or not wanted:
        message = f"unknown control {', '.join(sorted(unknown))!r}; there are: {', '.join(CONTROL_KINDS)}"
        raise ConfigError(message, reason="invalid")
    source = open_source(Path(path), camera=camera, calibration=Path(calibration) if calibration else None)
    with assembled() as assembly:
        material = assembly.extractor.extract(source, frozenset(k for k in CONTROL_KINDS if k in wanted))
        out = Path(out)
        out.mkdir(parents=True, exist_ok=True)
        rows = []
        for control in material.controls:
            target = out / f"{control.kind}.mp4"
            # Scratch and results may be on different file systems, so copy beside and rename.
            partial = target.with_suffix(".part")
            partial.write_bytes(Path(control.video.uri).read_bytes())
            os.replace(partial, target)  # noqa: PTH105 -- the atomic call by its name
            rows.append(
                {
                    "kind": control.kind,
                    "origin": control.origin,
                    "video": str(target),
                    "frames": control.video.frames,
                    "parameters": dict(control.parameters),
                }
            )
    notes = list(material.geometry.notes) if material.geometry else []
    return {"controls": rows, "notes": notes, "frames": source.frames}
