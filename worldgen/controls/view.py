"""A clip at working sizes, with what is known of its camera: where the horizon is, what is the car itself."""

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, UInt8

from worldgen.controls.camera import assumed_camera, vanishing_row
from worldgen.controls.ego import find_ego
from worldgen.controls.settings import GeometrySettings
from worldgen.controls.travel import Pair, common_focus, pair_frames, with_scale
from worldgen.datatypes import Camera, Clip
from worldgen.imaging.ground import horizon_row, pitch_for_horizon

_KEYFRAMES_PER_SECOND: Final = 7.0
_FEW: Final = 8
"""Clips of fewer frames make every frame a keyframe; in longer ones neighbours tell enough."""
_PROBES: Final = 6
_EGO_FRAMES: Final = 24
_AGREE: Final = 0.02
"""Horizons by motion and by lines that differ by less than this share of the height are averaged."""
_BORDER: Final = 12
"""Rows at the bottom in which a point's surroundings leave the picture at once."""
_ABOVE_BONNET: Final = 0.78
"""Until the bonnet is known, points are taken above this share of the height only."""


@dataclass
class View:
    """Frames at two sizes: one to follow points on, a smaller one to solve surfaces on."""

    greys: list[UInt8[npt.NDArray[np.uint8], "h w"]]
    small: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    small_greys: list[UInt8[npt.NDArray[np.uint8], "h w"]]
    camera: Camera
    """At the size of `greys`."""
    fps: float
    ego: Bool[npt.NDArray[np.bool_], "h w"] | None = None
    """The recording vehicle, at the small size."""
    notes: list[str] = field(default_factory=list)

    @property
    def small_camera(self) -> Camera:
        """The camera at the small size."""
        height, width = self.small.shape[1:3]
        return self.camera.scaled(width, height)

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.small)


def look(clip: Clip, calibration: Camera | None, settings: GeometrySettings) -> View:
    """Bring a clip to its working sizes."""
    width, height = clip.size
    middle_w = min(settings.work_width, width)
    middle_h = max(16, round(height * middle_w / width))
    small_w = min(settings.work_width // 2, width)
    small_h = max(16, round(height * small_w / width))
    greys, small, small_greys = [], [], []
    for frame in clip.frames:
        middle = cv2.resize(frame, (middle_w, middle_h), interpolation=cv2.INTER_AREA)
        little = cv2.resize(middle, (small_w, small_h), interpolation=cv2.INTER_AREA)
        greys.append(np.asarray(cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY), np.uint8))
        small.append(little)
        small_greys.append(np.asarray(cv2.cvtColor(little, cv2.COLOR_RGB2GRAY), np.uint8))
    given = calibration.scaled(middle_w, middle_h) if calibration else None
    camera = given or assumed_camera(middle_w, middle_h, settings)
    return View(greys, np.stack(small).astype(np.uint8, copy=False), small_greys, camera, clip.fps)


def orient(view: View, *, calibrated: bool) -> list[Pair]:
    """Find how the camera travelled, where the horizon is and where the recording vehicle is seen.

    Returns:
        Pairs of frames with parallax and scale; empty when the camera hardly moved.
    """
    count, (height, width) = len(view), view.greys[0].shape
    usable = np.broadcast_to(np.arange(height)[:, None] < _ABOVE_BONNET * height, (height, width)).copy()
    probe = sorted({round(i * (count - 1) / (_PROBES - 1)) for i in range(_PROBES)})
    first = pair_frames(view.greys, probe, view.camera, usable)
    focus = common_focus(first, view.camera)
    if focus is not None:
        view.ego = _ego(view, first, focus)
    if not calibrated:
        _set_horizon(view, focus)
    if focus is None:
        view.notes.append(
            "The camera hardly moves, so nothing could be triangulated: things stand on contacts."
        )
        return []
    usable[:] = True
    usable[-_BORDER:] = False
    if view.ego is not None:
        ego = cv2.resize(view.ego.astype(np.uint8), (width, height))
        usable &= cv2.dilate(ego, np.ones((5, 5), np.uint8)) == 0
    stride = max(1 if count < _FEW else 2, round(view.fps / _KEYFRAMES_PER_SECOND))
    keyframes = list(range(0, count, stride))
    pairs = pair_frames(view.greys, keyframes, view.camera, usable, horizon=horizon_row(view.camera))
    return with_scale(pairs, view.camera)


def _set_horizon(view: View, focus: tuple[float, float] | None) -> None:
    """Tilt the assumed camera: a car heads for the horizon, and kerbs and markings point at it."""
    height = view.greys[0].shape[0]
    row = vanishing_row(view.greys[:: max(1, round(len(view) / 6))])
    if focus is not None:
        agree = row is not None and abs(row - focus[1]) < _AGREE * height
        row = 0.5 * (row + focus[1]) if agree and row is not None else focus[1]
    if row is None or not 0.05 * height < row < 0.95 * height:
        row = 0.5 * height
        view.notes.append("Neither motion nor lines showed a horizon; it was put at half height.")
    view.camera = view.camera.model_copy(update={"pitch_rad": pitch_for_horizon(view.camera, row)})


def _ego(
    view: View, pairs: list[Pair], focus: tuple[float, float]
) -> Bool[npt.NDArray[np.bool_], "h w"] | None:
    """Look for a bonnet on frames about equally far apart on the road."""
    at = np.array([p.first for p in pairs], np.float64)
    speed = np.array([p.motion.flow_px / abs(p.second - p.first) for p in pairs])
    path = np.cumsum(np.interp(np.arange(len(view)), at, speed))
    wanted = np.linspace(path[0], path[-1], _EGO_FRAMES)
    picked = sorted(set(np.searchsorted(path, wanted).clip(0, len(path) - 1).tolist()))
    ratio = view.small.shape[2] / view.greys[0].shape[1]
    sample = np.stack([view.small_greys[i] for i in picked]).astype(np.float32)
    mask = find_ego(sample, (focus[0] * ratio, focus[1] * ratio))
    if mask is None:
        return None
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
