"""Named situations of the critic: one drive, honest changes of it, and defects planted into it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from worldgen.datatypes import Case, Clip, Condition, Geometry, Labels, Spec
from worldgen.media.scratch import Scratch
from worldgen.models.physics.renderer import render_frames
from worldgen.sources.proving_ground.drive import render_drive

FRAMES = 12
FOG = Spec(seed=1, fog_mor_m=150.0)
NIGHT = Spec(seed=1, sun_elevation_deg=-20.0)


@dataclass(frozen=True)
class Drive:
    """A small drive with its truth."""

    clip: Clip
    geometry: Geometry
    labels: Labels
    condition: Condition


@lru_cache(maxsize=1)
def drive() -> Drive:
    """Render once for all tests: a village street, 256x144."""
    made = render_drive(7001, frames=FRAMES)
    return Drive(made.clip, made.geometry, made.labels, made.condition)


_WEATHERED: dict[str, np.ndarray] = {}


def weathered(spec: Spec) -> np.ndarray:
    """Put the drive under a condition with physics, once."""
    if spec.identity not in _WEATHERED:
        d = drive()
        frames = list(render_frames(d.clip, d.geometry, spec, d.condition, spec.seed))
        _WEATHERED[spec.identity] = np.stack(frames)
    return _WEATHERED[spec.identity]


def with_frames(frames: np.ndarray) -> Clip:
    """The drive's clip with other frames."""
    return Clip(
        frames=np.ascontiguousarray(frames),
        timestamps_seconds=drive().clip.timestamps_seconds[: len(frames)].copy(),
        fps=10.0,
    )


def case_of(
    scratch: Scratch,
    frames: np.ndarray,
    spec: Spec | None,
    *,
    labels: Labels | None = None,
    geometry: bool = True,
) -> Case:
    """A case whose candidate holds `frames`, written as a file."""
    d = drive()
    return Case(
        source=scratch.put_clip(d.clip),
        geometry=scratch.put_geometry(d.geometry) if geometry else None,
        candidate=scratch.put_clip(with_frames(frames)),
        spec=spec,
        condition=d.condition,
        labels=labels,
    )


def new_scratch(folder: Path) -> Scratch:
    """A scratch store in a test's own folder."""
    return Scratch(folder / "scratch")


def erased(frames: np.ndarray) -> np.ndarray:
    """A third of the picture's middle is painted over from its border."""
    mask = np.zeros(frames.shape[1:3], np.uint8)
    mask[50:95, 90:150] = 1
    return np.stack([cv2.inpaint(f, mask, 3, cv2.INPAINT_TELEA) for f in frames])


def inserted(frames: np.ndarray) -> np.ndarray:
    """A board with stripes stands in the road."""
    out = frames.copy()
    out[:, 80:115, 110:150] = (np.indices((35, 40)).sum(0) // 5 % 2 * 160 + 40)[None, :, :, None]
    return out


def shifted(frames: np.ndarray) -> np.ndarray:
    """Everything sits three pixels to the right."""
    return np.roll(frames, 3, axis=2)


def breathing(frames: np.ndarray) -> np.ndarray:
    """Geometry waves by three pixels."""
    rows, columns = np.mgrid[: frames.shape[1], : frames.shape[2]].astype(np.float32)
    waves = [3 * np.sin(rows / 15 + i * 0.8).astype(np.float32) for i in range(len(frames))]
    return np.stack(
        [
            cv2.remap(f, columns + w, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
            for f, w in zip(frames, waves, strict=True)
        ]
    )


def frozen(frames: np.ndarray) -> np.ndarray:
    """Four frames repeat the third."""
    out = frames.copy()
    out[3:7] = out[3]
    return out


def swapped(frames: np.ndarray) -> np.ndarray:
    """Two neighbours change places."""
    out = frames.copy()
    out[[5, 6]] = out[[6, 5]]
    return out


def blank(frames: np.ndarray) -> np.ndarray:
    """One frame is black."""
    out = frames.copy()
    out[4] = 0
    return out


def flickering(frames: np.ndarray) -> np.ndarray:
    """Every second frame is a tenth darker."""
    gains = np.where(np.arange(len(frames)) % 2, 0.9, 1.0)[:, None, None, None]
    return (frames * gains).astype(np.uint8)


def boiling(frames: np.ndarray) -> np.ndarray:
    """Blobs of two pixels come and go."""
    rng = np.random.default_rng(0)
    noise = [cv2.GaussianBlur(rng.standard_normal(f.shape[:2]).astype(np.float32), (0, 0), 2) for f in frames]
    return np.stack(
        [
            np.clip(f + (n / n.std() * 16)[..., None], 0, 255).astype(np.uint8)
            for f, n in zip(frames, noise, strict=True)
        ]
    )


def stuck(frames: np.ndarray) -> np.ndarray:
    """The same dirt lies over every frame."""
    noise = cv2.GaussianBlur(
        np.random.default_rng(0).standard_normal(frames.shape[1:3]).astype(np.float32), (0, 0), 1
    )
    return np.clip(frames + (noise / noise.std() * 18)[None, ..., None], 0, 255).astype(np.uint8)


def recoloured(frames: np.ndarray) -> np.ndarray:
    """A patch turns green."""
    out = frames.astype(np.float32)
    out[:, 60:90, 60:100] *= np.array([0.4, 1.3, 0.4], np.float32)
    return np.clip(out, 0, 255).astype(np.uint8)


def half(frames: np.ndarray) -> np.ndarray:
    """The left half has the source's weather."""
    out = frames.copy()
    out[:, :, :120] = drive().clip.frames[:, :, :120]
    return out


DEFECTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "erased": (erased, "structure."),
    "inserted": (inserted, "structure."),
    "shifted": (shifted, "alignment.whole"),
    "breathing": (breathing, "alignment."),
    "frozen": (frozen, "temporal.still"),
    "swapped": (swapped, "temporal.order"),
    "blank": (blank, "technical.blank"),
    "mirrored": (lambda f: f[:, :, ::-1], "technical.mirrored"),
    "flickering": (flickering, "temporal.flicker"),
    "boiling": (boiling, "temporal.boiling"),
    "stuck": (stuck, "temporal.stuck"),
    "recoloured": (recoloured, "colour.local"),
}
"""Defect -> how to plant it, and the start of the check's name that must find it."""
