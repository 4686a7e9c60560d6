"""How the candidate's weather and light differ from the source's: a few plain numbers."""

from dataclasses import dataclass

import cv2
import numpy as np

from worldgen.critic.view import View


@dataclass(frozen=True, slots=True)
class Appearance:
    """Differences of the candidate from the source."""

    stops: float
    """Mean linear light, log2 of candidate over source."""
    contrast: float
    """Local contrast left, ratio of gradient energy in luma (median over blocks with structure)."""
    far_contrast: float
    """The same in the band just around the horizon (middle third of rows)."""
    particles: float
    """Fine change from frame to frame that was not in the source, in levels."""
    veil: float
    """Rise of the darkest twentieth, in levels."""
    warmth: float
    """Change of log2(R / B)."""
    saturation: float
    """Ratio of mean saturation."""
    ground: float
    """Brightness of the lower third against the rest, log2, candidate minus source."""


def differ(source: View, candidate: View) -> Appearance:
    """Measure every third frame (at least three)."""
    frames = np.unique(np.linspace(0, len(source) - 1, min(len(source), 9)).round().astype(int))
    a, b = _linear(source.small[frames]), _linear(candidate.small[frames])
    rows = a.shape[1]
    ratios, far = [], []
    for i in frames:
        gs, gc = source.gradient(int(i)).magnitude, candidate.gradient(int(i)).magnitude
        s, c = _blocks(gs), _blocks(gc)
        seen = s > 1.0
        ratio = c / np.maximum(s, 1e-3)
        ratios.append(np.median(ratio[seen]) if seen.any() else 1.0)
        third = slice(len(s) // 3, 2 * len(s) // 3)
        far.append(np.median(ratio[third][seen[third]]) if seen[third].any() else 1.0)
    low = slice(2 * rows // 3, None)
    up = slice(0, 2 * rows // 3)
    grey_a, grey_b = a.mean(axis=-1), b.mean(axis=-1)
    return Appearance(
        stops=float(np.log2((b.mean() + 1e-4) / (a.mean() + 1e-4))),
        contrast=float(np.median(ratios)),
        far_contrast=float(np.median(far)),
        particles=_particles(candidate, frames) - _particles(source, frames),
        veil=float(np.quantile(candidate.small[frames], 0.05) - np.quantile(source.small[frames], 0.05)),
        warmth=float(_ratio(b[..., 0], b[..., 2]) - _ratio(a[..., 0], a[..., 2])),
        saturation=float((_saturation(b) + 1e-3) / (_saturation(a) + 1e-3)),
        ground=float(_ratio(grey_b[:, low], grey_b[:, up]) - _ratio(grey_a[:, low], grey_a[:, up])),
    )


def _linear(small: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return (small / 255.0) ** 2.2


def _ratio(x: np.ndarray, y: np.ndarray) -> float:  # type: ignore[type-arg]
    return float(np.log2((x.mean() + 1e-4) / (y.mean() + 1e-4)))


def _saturation(rgb: np.ndarray) -> float:  # type: ignore[type-arg]
    top, low = rgb.max(axis=-1), rgb.min(axis=-1)
    return float(((top - low) / (top + 1e-3)).mean())


def _blocks(plane: np.ndarray, tile: int = 16) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(
        cv2.resize(
            plane,
            (max(1, plane.shape[1] // tile), max(1, plane.shape[0] // tile)),
            interpolation=cv2.INTER_AREA,
        )
    )


def _particles(view: View, frames: np.ndarray) -> float:  # type: ignore[type-arg]
    """Mean of what a frame has above both its neighbours: bright things seen for one frame only."""
    middle = [int(i) for i in frames if 0 < i < len(view) - 1]
    if not middle:
        return 0.0
    flash = [
        np.maximum(view.luma[i] - np.maximum(view.luma[i - 1], view.luma[i + 1]), 0).mean() for i in middle
    ]
    return float(np.median(flash))
