"""Presence: how surely every thing is there, and how large one must be for its absence to be noticed.

Of luma alone: after coding, the noise of three channels is one. A thing is taken with one pixel around it,
against the mean of the ring beyond; a small thing is little but its step to what surrounds it.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from worldgen.critic.evidence import Evidence
from worldgen.critic.redrawn import redrawn
from worldgen.imaging.visibility import ROSE, vanished_pixels, vanished_signal

Row = Float32[npt.NDArray[np.float32], " things"]

_SOFT = 0.18
"""What a Gaussian of 0.7 pixels leaves of white noise's variance, 1 / (4 pi 0.49)."""
_TELLS = 10 * ROSE
"""Signal over noise from which a thing says what the condition leaves of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """One thing over the frames in which it is seen."""

    index: int
    """Place in `Evidence.objects`."""
    frames: tuple[int, ...]
    pixels: float
    """Per frame, working size, mean."""
    found: float
    """Signal over noise of the source's pattern in the candidate."""
    due: float
    """The same as it should be."""
    asked: float
    """Least of `found` with which it counts as there."""
    least_pixels: float
    """Per frame, working size: of a smaller thing it could not be told whether it is there."""
    contrast: float
    """Root mean square against the surround that should be left, levels."""

    @property
    def is_told(self) -> bool:
        """Whether it can be told if the thing is there: it is found, or its absence would show."""
        return max(self.found, self.due) >= ROSE

    @property
    def is_missing(self) -> bool:
        """Whether what should show does not."""
        return self.due >= ROSE and self.found < self.asked


def presence(evidence: Evidence) -> tuple[Presence, ...]:
    """Measure every thing that has an instance. Only for comparable cases with instances."""
    assert evidence.objects is not None  # noqa: S101 -- the caller asked
    limits = evidence.thresholds.objects
    pixels, source, candidate, shared = (v.sum(axis=0) for v in _moments(evidence))
    own = shared / np.maximum(source, 1e-3)
    rest = np.maximum(candidate - shared * own, 0) / np.maximum(pixels, 1)
    floor = float(evidence.candidate.noise.mean()) ** 2 * _SOFT + limits.rounding
    seen = np.flatnonzero((pixels > 0) & (source > 0))
    # Flakes, streaks and codecs leave more than flat areas show; what replaces one thing does not count.
    usual_rest = float(np.median(rest[seen])) if len(seen) else 0.0
    variance = np.maximum(floor, np.minimum(rest, usual_rest))
    clear = _clearness(evidence, len(pixels))
    counts = evidence.object_pixels
    contrast = np.sqrt(source / np.maximum(pixels, 1))
    tells = [i for i in seen if vanished_signal(contrast[i], 1.0, variance[i], pixels[i]) >= _TELLS]
    is_changed = evidence.spec is not None and bool(evidence.spec.changes)
    found = []
    for i in seen:
        others = [own[k] / max(clear[k], 0.02) for k in tells if k != i]
        usual = float(np.median(others)) if others else _structure_left(evidence)
        left = limits.usual_share * float(np.clip(usual, 0, 1.5)) * float(clear[i])
        # Eight bits and a codec round away what is fainter than a level, whatever its size.
        left = left if contrast[i] * left >= limits.present_levels else 0.0
        frames = tuple(int(f) for f in np.flatnonzero(counts[:, i]))
        mean = float(counts[:, i].sum()) / max(len(frames), 1)
        # The ring is part of the pattern and not of the thing's size.
        scale = mean * len(frames) / float(pixels[i])
        due = vanished_signal(contrast[i], left, variance[i], pixels[i])
        # A codec smooths away a part of what is small and faint.
        is_plain = not is_changed and due >= _TELLS
        share = limits.present_share if is_plain else limits.present_share_changed
        found.append(
            Presence(
                index=int(i),
                frames=frames,
                pixels=mean,
                found=vanished_signal(contrast[i], float(own[i]), variance[i], pixels[i]),
                due=due,
                # What fills the place of a thing is like its surround, and so a little like the thing.
                asked=max(ROSE / 2, share * due),
                least_pixels=scale * vanished_pixels(contrast[i], left, variance[i], max(len(frames), 1)),
                contrast=float(contrast[i]) * left,
            )
        )
    return tuple(found)


def side_of(evidence: Evidence, pixels: float) -> float:
    """Side of a square of so many working pixels, pixels of the file."""
    return math.sqrt(pixels) / evidence.candidate.scale


def _moments(evidence: Evidence) -> tuple[npt.NDArray[np.float64], ...]:
    """Pixels, and second moments of source, candidate and both, about the surround; [t, things] each."""
    assert evidence.objects is not None and evidence.source is not None  # noqa: S101, PT018 -- asked for before
    ids, things = evidence.objects
    count, rows = len(ids), []
    for i, plane in enumerate(things):
        # Haze may turn a contrast over (white before black); where its fit is known, so is that.
        hazed = evidence.haze_luma(i)
        before, after = evidence.source.luma[i] if hazed is None else hazed, evidence.candidate.luma[i]
        away = redrawn(evidence, i)
        closed = (after >= 250) | (before >= 252)
        if away is not None:
            closed |= away
        small = plane.astype(np.uint16)
        near, wide = (cv2.dilate(small, np.ones((side, side), np.uint8)) for side in (3, 7))
        on = np.flatnonzero(np.where(closed, 0, near))
        around = np.flatnonzero(np.where(near > 0, 0, wide))
        index, ring = near.ravel()[on], wide.ravel()[around]
        per = np.maximum(np.bincount(ring, minlength=count), 1)
        centred = []
        for fine in (_fine(before), _fine(after)):
            mean = np.bincount(ring, fine.ravel()[around], minlength=count) / per
            centred.append(fine.ravel()[on] - mean[index])
        a, b = centred
        sums = [np.bincount(index, v, minlength=count) for v in (np.ones(len(on)), a * a, b * b, a * b)]
        for row in sums:
            row[0] = 0
        rows.append(sums)
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def _fine(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Leave out what is slow: glare, glow and cones of light are, things are not."""
    side = max(25, plane.shape[1] // 10 | 1)
    soft = cv2.GaussianBlur(plane, (0, 0), 0.7)
    return np.asarray(soft - cv2.blur(soft, (side, side)), np.float32)


def _clearness(evidence: Evidence, count: int) -> Row:
    """Light that haze lets through from each thing, on average; 1 where the pattern has it already."""
    if evidence.haze_light is None or evidence.objects is None or evidence.is_haze_known:
        return np.ones(count, np.float32)
    things = evidence.objects[1].ravel()
    total = np.bincount(things, evidence.haze_light.ravel(), minlength=count)
    return np.asarray(total / np.maximum(np.bincount(things, minlength=count), 1), np.float32)


def _structure_left(evidence: Evidence) -> float:
    """Contrast left of the whole picture's structure, where no other thing tells."""
    survey = evidence.survey
    left = float((survey.expected * survey.energy).sum() / max(float(survey.energy.sum()), 1e-6))
    return min(left, 1.0)
