"""Chroma: colour lies on the shapes that it belongs to."""

import cv2
import numpy as np
import numpy.typing as npt

from worldgen.critic.evidence import Evidence
from worldgen.critic.view import View
from worldgen.datatypes import Finding, Place

Map = npt.NDArray[np.float32]

_WIDTH = 320
"""Colour is coarse: codecs keep it at half size."""


def colour_in_place(evidence: Evidence) -> tuple[Finding, ...]:
    """The candidate's colour must fit the source's best where it is, not beside it.

    Both pictures' colour (difference from grey over luma, without its slow part) is correlated over shifts.
    """
    source, view = evidence.source, evidence.candidate
    if not evidence.comparable or source is None:
        return ()
    limits = evidence.thresholds.detail
    total: Map | None = None
    power = [0.0, 0.0]
    for i in np.unique(np.linspace(0, len(view) - 1, min(len(view), 6)).round().astype(int)):
        for a, b in zip(_colour(source, int(i)), _colour(view, int(i)), strict=True):
            fa, fb = np.fft.rfft2(a), np.fft.rfft2(b)
            shared = np.asarray(np.fft.irfft2(np.conj(fa) * fb, a.shape), np.float32)
            total = shared if total is None else total + shared
            power[0] += float((a * a).sum())
            power[1] += float((b * b).sum())
    assert total is not None  # noqa: S101 -- a clip has frames
    map_ = total / max(float(np.sqrt(power[0] * power[1])), 1e-6)
    reach = max(4, map_.shape[1] // 12)
    near = np.roll(map_, (reach, reach), axis=(0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    row, column = (int(v) for v in np.unravel_index(int(near.argmax()), near.shape))
    dy, dx = row - reach, column - reach
    own, best = float(near[reach, reach]), float(near[row, column])
    scale = view.clip.size[0] / map_.shape[1]
    off = float(np.hypot(dx, dy)) * scale
    value = best - own if max(abs(dx), abs(dy)) >= 2 else 0.0
    if best < limits.colour_told:
        value = 0.0  # too little of the source's colour is left to say where it lies
    passed = value <= limits.colour_beside
    return (
        Finding(
            check="colour.beside",
            passed=passed,
            value=value,
            threshold=limits.colour_beside,
            unit="correlation",
            reason=(
                "colour lies on the shapes that it belongs to"
                if passed
                else f"colour lies {off:.0f} px beside the shapes that it belongs to"
            ),
            places=() if passed else (Place(first_frame=0, last_frame=len(view) - 1),),
        ),
    )


def _colour(view: View, frame: int) -> tuple[Map, Map]:
    """Red and blue against luma, relative to brightness, without the slow part."""
    width = min(_WIDTH, view.size[0])
    height = round(view.size[1] * width / view.size[0])
    rgb = cv2.resize(view.rgb[frame], (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    grey = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    out = []
    for channel in (0, 2):
        plane = (rgb[..., channel] - grey) / (grey + 24)
        fine = plane - cv2.GaussianBlur(plane, (0, 0), width / 32)
        out.append(np.asarray(np.clip(fine, -0.3, 0.3), np.float32))
    return out[0], out[1]
