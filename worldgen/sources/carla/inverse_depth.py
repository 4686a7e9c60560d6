"""Metres from CARLA's depth control: relative inverse depth, 8 bit, min-max over the clip.

The control holds c = 255 (1/d - a) / (b - a): 1/d = a + s c with two unknowns, the inverse of the farthest
depth (a) and the step (s). Both follow from anything whose distance is known: the road under a camera of
known height, or the boxes of the scene package. Without either there is no scale, and that is said.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64, UInt8

from worldgen.datatypes import Camera, Origin
from worldgen.datatypes.scene import SceneBox, array_of
from worldgen.imaging.boxes import corners_of, outline_of
from worldgen.imaging.projection import rays
from worldgen.sources.carla.encodings import FAR_METRES
from worldgen.sources.carla.truth import meet_box

_FRAMES_USED: Final = 12
_ROAD_SAMPLES: Final = 20_000
_ROUNDS: Final = 300
_MIN_SHARE: Final = 0.25
_MIN_BOXES: Final = 3
_MIN_BOX_PIXELS: Final = 12
_UNKNOWN_NEAR_M: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How codes become metres: 1 / metres = far + step * code."""

    far: float
    step: float
    origin: Origin
    interval: tuple[float, float]
    note: str

    def metres(self, codes: UInt8[npt.NDArray[np.uint8], "..."]) -> Float32[npt.NDArray[np.float32], "..."]:
        """Turn codes into metres; 1000 m and beyond are +inf."""
        inverse = self.far + self.step * np.arange(256)
        with np.errstate(divide="ignore"):
            table = np.where(inverse > 1.0005 / FAR_METRES, 1 / np.maximum(inverse, 1e-9), np.inf)
        return np.asarray(table.astype(np.float32)[codes])

    def error_m(self, depth_m: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Half a step of the code, in metres at that depth: grows with the square of the depth."""
        finite = np.minimum(depth_m, np.float32(FAR_METRES))
        return np.asarray(finite * finite * np.float32(self.step / 2))


def find_scale(
    codes: UInt8[npt.NDArray[np.uint8], "t h w"],
    camera: Camera,
    *,
    camera_height_m: float | None,
    boxes: tuple[tuple[SceneBox, ...], ...] = (),
    poses: Float64[npt.NDArray[np.float64], "t 4 4"] | None = None,
) -> Scale:
    """Find the scale of a depth control.

    Args:
        codes: The control's grey values.
        camera: With pitch and roll against the road.
        camera_height_m: Above the road; None when it is not known.
        boxes: Actors per frame in world axes.
        poses: world_from_camera, needed with boxes.
    """
    chosen = np.unique(np.linspace(0, len(codes) - 1, min(len(codes), _FRAMES_USED)).astype(int))
    by_box = _box_samples(codes, camera, boxes, poses, chosen) if boxes and poses is not None else None
    road = None
    if camera_height_m is not None and camera_height_m > 0.2:
        known, seen = _road_samples(codes, camera, camera_height_m, chosen)
        road = _fit_line(known, seen)
    if road is not None:
        far, step, spread = road
        origin: Origin = "sidecar"
        note = (
            "Depth is CARLA's relative inverse depth; its scale is from the camera's height of "
            f"{camera_height_m:.2f} m over a road taken as flat."
        )
        agreed = _agreement(by_box, far, step)
        if agreed is not None and 0.85 < agreed < 1.18:
            origin = "simulator"
            note += f" The boxes of the scene package confirm it within {abs(agreed - 1):.0%}."
        elif agreed is not None:
            note += f" The boxes of the scene package say {agreed:.2f} times as far."
            spread = max(spread, abs(agreed - 1))
        return Scale(far=far, step=step, origin=origin, interval=_interval(spread), note=note)
    if by_box is not None and len(by_box[0]) >= _MIN_BOXES:
        far = 1 / FAR_METRES
        ratios = (by_box[0] - far) / by_box[1]
        step = float(np.median(ratios))
        spread = float(np.median(np.abs(ratios / step - 1))) * 2.5
        note = "Depth is CARLA's relative inverse depth; its scale is from the boxes of the scene package."
        return Scale(far=far, step=step, origin="simulator", interval=_interval(max(spread, 0.05)), note=note)
    note = (
        "Depth is CARLA's relative inverse depth and its scale is unknown (no road under a camera of known "
        "height, no boxes): near and far are in order, metres are not; the nearest point is taken to be "
        f"{_UNKNOWN_NEAR_M:g} m away."
    )
    step = (1 / _UNKNOWN_NEAR_M - 1 / FAR_METRES) / 255
    return Scale(far=1 / FAR_METRES, step=step, origin="absent", interval=(0.1, 10.0), note=note)


def _interval(spread: float) -> tuple[float, float]:
    wide = max(spread, 0.02)
    return (1 / (1 + wide), 1 + wide)


def _road_samples(
    codes: npt.NDArray[np.uint8], camera: Camera, height_m: float, chosen: npt.NDArray[np.int_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pair 1/z of a flat road with the codes ahead of the car, below the horizon."""
    directions = rays(camera).astype(np.float64)
    down = np.array(
        [
            np.cos(camera.pitch_rad) * np.sin(camera.roll_rad),
            np.cos(camera.pitch_rad) * np.cos(camera.roll_rad),
            np.sin(camera.pitch_rad),
        ]
    )
    # A ray (x, y, 1) meets the ground where z * (ray . down) = height.
    inverse = directions @ down / np.maximum(directions[..., 2], 1e-6) / height_m
    columns = np.abs(np.arange(camera.width) - camera.cx) < 0.2 * camera.width
    usable = (inverse > 1 / 60.0) & columns[None, :]
    rows, cols = np.nonzero(usable)
    if len(rows) == 0:
        return np.zeros(0), np.zeros(0)
    stride = max(1, len(rows) * len(chosen) // _ROAD_SAMPLES)
    rows, cols = rows[::stride], cols[::stride]
    known = np.tile(inverse[rows, cols], len(chosen))
    return known, codes[chosen][:, rows, cols].reshape(-1).astype(np.float64)


def _fit_line(
    known: npt.NDArray[np.float64], seen: npt.NDArray[np.float64]
) -> tuple[float, float, float] | None:
    """Fit 1/z = far + step * code to the samples of the road, many of which may be cars.

    RANSAC (Fischler and Bolles 1981), then least squares over those that agree.

    Returns:
        far, step and the relative spread of the samples that agree; None when no line holds for enough.
    """
    saturated = (seen <= 1) | (seen >= 254)
    known, seen = known[~saturated], seen[~saturated]
    if len(known) < 200 or np.ptp(seen) < 12:
        return None
    chance = np.random.default_rng(20260826)
    best, best_count = (0.0, 0.0), 0
    pairs = chance.integers(0, len(known), size=(_ROUNDS, 2))
    for i, j in pairs:
        if abs(seen[i] - seen[j]) < 6:
            continue
        step = (known[i] - known[j]) / (seen[i] - seen[j])
        far = known[i] - step * seen[i]
        if step <= 0 or not -0.002 < far < 0.02:
            continue
        count = int((np.abs(far + step * seen - known) < np.maximum(step, 0.03 * known)).sum())
        if count > best_count:
            best, best_count = (far, step), count
    if best_count < _MIN_SHARE * len(known):
        return None
    far, step = best
    for _ in range(3):
        agrees = np.abs(far + step * seen - known) < np.maximum(step, 0.03 * known)
        design = np.stack((np.ones(int(agrees.sum())), seen[agrees]), axis=1)
        weight = 1 / known[agrees]
        far, step = np.linalg.lstsq(design * weight[:, None], np.ones(int(agrees.sum())), rcond=None)[0]
        # No depth is beyond the far plane; and a far end that cannot be told from it is the sky.
        if far < 1 / FAR_METRES + step:
            far = 1 / FAR_METRES
            step = float(
                (weight**2 * seen[agrees] * (known[agrees] - far)).sum()
                / (weight**2 * seen[agrees] ** 2).sum()
            )
    errors = np.abs((far + step * seen[agrees]) / known[agrees] - 1)
    return float(far), float(step), float(np.quantile(errors, 0.9))


def _box_samples(
    codes: npt.NDArray[np.uint8],
    camera: Camera,
    boxes: tuple[tuple[SceneBox, ...], ...],
    poses: npt.NDArray[np.float64],
    chosen: npt.NDArray[np.int_],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pair the inverse depth of each box's near side with the median code inside its outline."""
    known, seen = [], []
    directions = rays(camera)
    for frame in chosen:
        camera_from_world = np.linalg.inv(poses[frame])
        for box in boxes[frame]:
            pose = camera_from_world @ array_of(box.world_from_box)
            outline = outline_of(corners_of(box.size_m, pose), camera)
            if outline is None or pose[2, 3] < 3:
                continue
            low, high = outline.min(axis=0), outline.max(axis=0)
            left, top = np.maximum(low + 0.3 * (high - low), 0).astype(int)
            right, bottom = np.minimum(high - 0.3 * (high - low), (camera.width, camera.height)).astype(int)
            if right <= left or bottom <= top or (right - left) * (bottom - top) < _MIN_BOX_PIXELS:
                continue
            part = directions[top:bottom, left:right]
            enter, leave = meet_box(part, pose, box.size_m)
            hit = leave > enter
            code = float(np.median(codes[frame, top:bottom, left:right][hit])) if hit.any() else 0.0
            if code > 2:
                known.append(float(np.median(1 / (enter * part[..., 2])[hit])))
                seen.append(code)
    return np.array(known), np.array(seen)


def _agreement(
    samples: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None, far: float, step: float
) -> float | None:
    """Measure how many times as far as the road's scale says the boxes are; None with too few of them."""
    if samples is None or len(samples[0]) < _MIN_BOXES:
        return None
    known, seen = samples
    return float(np.median((far + step * seen) / known))
