"""Appearance: what weather and light do to pictures, as a few numbers per clip.

Everything is measured on at most nine frames (three runs of three neighbours) at 320 pixels width, and
particles at 640. Luminance is linear, 1 is white; sRGB is undone first.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, UInt8

from worldgen.datatypes import Clip, Geometry, Tag
from worldgen.datatypes.digest import Value
from worldgen.datatypes.tags import EGO, FLAT
from worldgen.imaging.noise import noise_sigma
from worldgen.imaging.sky import sky_mask

WIDTH = 320
PARTICLE_WIDTH = 640
_WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)
_LINEAR = np.array(
    [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.arange(256) / 255.0],
    np.float32,
)
"""sRGB to linear light (IEC 61966-2-1)."""

Plane = Float32[npt.NDArray[np.float32], "h w"]
Mask = Bool[npt.NDArray[np.bool_], "h w"]


class Appearance(Value):
    """Scalars of one clip. Medians over the sampled frames unless said otherwise."""

    luminance_p05: float
    luminance_p50: float
    luminance_p95: float
    luminance_mean: float
    """Linear, 0..1, over the whole picture without the recording vehicle."""
    ground_luminance: float
    """Median over the ground."""
    sky_share: float
    sky_luminance: float
    """Mean over the sky; of the top sixth where no sky was found."""
    sky_blueness: float
    """log2 of blue over red in linear light: clear sky 1 and more, cloud near 0, sunset below 0."""
    sky_saturation: float
    sky_gradient: float
    """log2 of the brightest over the mean of the blurred sky: glare and a low sun raise it."""
    sky_texture: float
    """Standard deviation of the sky's luminance over its mean: clouds raise it."""
    warmth: float
    """log2 of red over blue in linear light, outside the sky."""
    saturation: float
    """Mean saturation (HSV) outside the sky."""
    contrast_near: float
    contrast_far: float
    """Local contrast (deviation over mean, linear, 9 px) of the near and the far third outside the sky."""
    dark_channel_near: float
    dark_channel_far: float
    """Darkest channel in a 9 px patch (He et al. 2009) over the sky's luminance, near and far."""
    white_ground: float
    """Share of the ground that is bright for the scene and without colour."""
    ground_brightness: float
    """log2 of the ground's over the walls' and trees' median luminance."""
    road_streakiness: float
    """Vertical against horizontal structure on the ground: mirror images are drawn out vertically."""
    road_spread: float
    """log2 of the 95th over the 50th percentile of the ground's luminance: mirrors and shadows widen it."""
    shadow_hardness: float
    """Share of the ground beside sharp steps in luminance without a step in colour."""
    saturated: float
    """Share of pixels that are clipped."""
    glare: float
    """Share of the picture within a soft bright surround of what is clipped."""
    lamps: float
    """Share of small bright spots in a dark surround."""
    streaks: float
    flakes: float
    """Energy of what is bright in one frame and in neither neighbour: drawn out vertically, or round."""
    drops: float
    """Share of the picture whose fine structure stays at one place while the scene moves."""
    noise: float
    """Standard deviation of white noise, in 8-bit levels."""


def measure_appearance(clip: Clip, geometry: Geometry | None = None) -> Appearance:
    """Measure a clip.

    Args:
        clip: Any size and length.
        geometry: Its depth and tags say where sky and ground are; without it they are found in the picture.
    """
    triples = _triples(len(clip))
    rows: list[dict[str, float]] = []
    for triple in triples:
        middle = triple[1]
        frame = _shrunk(clip.frames[middle], WIDTH)
        areas = _Areas.of(frame, geometry, middle)
        rows.append(
            {**_light(frame, areas), **_haze(frame, areas), **_ground(frame, areas), **_lamps(frame, areas)}
        )
        rows[-1].update(_particles([clip.frames[i] for i in triple], areas))
    drops = _drops([_shrunk(clip.frames[t[1]], WIDTH) for t in triples])
    medians = {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
    return Appearance(**{k: round(v, 6) for k, v in {**medians, "drops": drops}.items()})


def _triples(count: int) -> list[tuple[int, int, int]]:
    centres = np.unique(np.clip(np.round(np.array([0.15, 0.5, 0.85]) * (count - 1)), 1, max(1, count - 2)))
    return [(max(0, int(c) - 1), min(int(c), count - 1), min(int(c) + 1, count - 1)) for c in centres]


def _shrunk(
    frame: UInt8[npt.NDArray[np.uint8], "h w 3"], width: int
) -> UInt8[npt.NDArray[np.uint8], "h w 3"]:
    h, w = frame.shape[:2]
    if w <= width:
        return frame
    size = (width, max(2, round(h * width / w)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


class _Areas:
    """Where sky, ground and the rest are in one small frame."""

    def __init__(self, sky: Mask, ground: Mask, ego: Mask, near: Mask, far: Mask, *, found: bool) -> None:
        self.sky, self.ground, self.ego, self.near, self.far = sky, ground, ego, near, far
        self.found = found
        """Whether the sky was found, and not assumed."""
        self.scene = ~(sky | ego)
        self.upright = self.scene & ~ground
        if not self.upright.any():
            self.upright = self.scene

    @classmethod
    def of(
        cls, frame: UInt8[npt.NDArray[np.uint8], "h w 3"], geometry: Geometry | None, index: int
    ) -> "_Areas":
        h, w = frame.shape[:2]
        rows = np.broadcast_to(np.arange(h)[:, None], (h, w))
        ego = np.zeros((h, w), np.bool_)
        if geometry is None:
            sky = sky_mask(frame, 0.55 * h)
            ground = (rows > 0.62 * h) & (rows < 0.92 * h)
            far = (rows > 0.35 * h) & (rows < 0.55 * h)
            near = ground | (rows > 0.62 * h)
        else:
            at = min(index, len(geometry) - 1)
            depth = _nearest(geometry.depth_m[at], (w, h))
            sky = ~np.isfinite(depth)
            ground = (rows > 0.5 * h) & ~sky
            if geometry.tags is not None:
                tags = _nearest(geometry.tags[at], (w, h))
                sky |= tags == Tag.SKY
                flat = np.isin(tags, list(FLAT))
                ground = flat if flat.mean() > 0.02 else ground
                ego = tags == EGO
            if geometry.ego_mask is not None:
                ego |= _nearest(geometry.ego_mask.astype(np.uint8), (w, h)) > 0
            finite = depth[~sky & ~ego]
            near_m, far_m = np.percentile(finite, [33, 75]) if finite.size else (10.0, 50.0)
            near, far = (depth <= near_m) & ~sky, (depth >= far_m) & ~sky
        ground = ground & ~sky & ~ego
        found = bool(sky.mean() > 0.01)
        if not found:
            sky = rows < h / 6
        return cls(sky, ground, ego, near & ~ego, far & ~ego & ~sky, found=found)


def _nearest(plane: npt.NDArray[np.generic], size: tuple[int, int]) -> npt.NDArray[np.generic]:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST))  # type: ignore[call-overload]  # stubs know no generic arrays


def _mean(values: npt.NDArray[np.float32], default: float = 0.0) -> float:
    return float(values.mean()) if values.size else default


def _median(values: npt.NDArray[np.float32], default: float = 0.0) -> float:
    return float(np.median(values)) if values.size else default


def _log_ratio(top: float, bottom: float) -> float:
    return math.log2((top + 1e-4) / (bottom + 1e-4))


def _light(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], areas: _Areas) -> dict[str, float]:
    linear = _LINEAR[frame]
    luminance = linear @ _WEIGHTS
    seen = luminance[~areas.ego]
    p05, p50, p95 = np.percentile(seen, [5, 50, 95])
    sky = linear[areas.sky]
    r, g, b = (float(c) for c in sky.mean(axis=0)) if sky.size else (0.0, 0.0, 0.0)
    scene = linear[areas.scene].mean(axis=0) if areas.scene.any() else np.zeros(3)
    hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
    sky_luminance = float(np.dot((r, g, b), _WEIGHTS))
    blurred = cv2.GaussianBlur(luminance, (0, 0), 8)
    top = float(blurred[areas.sky].max()) if areas.sky.any() else 0.0
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    clipped = (frame >= 250).all(axis=2)
    soft = cv2.GaussianBlur((clipped & ~areas.ego).astype(np.float32), (0, 0), 6)
    return {
        "luminance_p05": float(p05),
        "luminance_p50": float(p50),
        "luminance_p95": float(p95),
        "luminance_mean": _mean(seen),
        "sky_share": float(areas.sky.mean()) if areas.found else 0.0,
        "sky_luminance": sky_luminance,
        "sky_blueness": _log_ratio(b, r),
        "sky_saturation": _mean(hsv[..., 1][areas.sky].astype(np.float32)) / 255,
        "sky_gradient": _log_ratio(top, sky_luminance),
        "sky_texture": float(luminance[areas.sky].std()) / (sky_luminance + 1e-4),
        "warmth": _log_ratio(float(scene[0]), float(scene[2])),
        "saturation": _mean(hsv[..., 1][areas.scene].astype(np.float32)) / 255,
        "saturated": float(clipped[~areas.ego].mean()) if seen.size else 0.0,
        "glare": float(((soft > 0.05) & (luminance > 0.5)).mean()),
        "noise": noise_sigma(grey),
    }


def _haze(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], areas: _Areas) -> dict[str, float]:
    linear = _LINEAR[frame]
    luminance = linear @ _WEIGHTS
    mean = cv2.blur(luminance, (9, 9))
    spread = np.sqrt(np.maximum(cv2.blur(luminance * luminance, (9, 9)) - mean * mean, 0))
    contrast = spread / (mean + 1e-3)
    dark = cv2.erode(linear.min(axis=2), np.ones((9, 9), np.uint8))
    sky = max(_mean(luminance[areas.sky]), 1e-3)
    # A patch that reaches into the sky shows the sky's edge, not the haze before the scene.
    inner = cv2.erode(areas.scene.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    far = areas.far & inner if (areas.far & inner).sum() > 50 else areas.far
    return {
        "contrast_near": _mean(contrast[areas.near & inner]),
        "contrast_far": _mean(contrast[far]),
        "dark_channel_near": _mean(dark[areas.near & inner]) / sky,
        "dark_channel_far": _mean(dark[far]) / sky,
    }


def _ground(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], areas: _Areas) -> dict[str, float]:
    linear = _LINEAR[frame]
    luminance = linear @ _WEIGHTS
    hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
    on = luminance[areas.ground]
    if on.size < 50:
        keys = ("ground_luminance", "white_ground", "ground_brightness", "road_streakiness", "road_spread")
        return {**dict.fromkeys(keys, 0.0), "shadow_hardness": 0.0}
    upright = _median(luminance[areas.upright])
    bright = (luminance > 1.5 * upright) & (luminance > 0.12) & (hsv[..., 1] < 46)
    inner = cv2.erode(areas.ground.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    log = np.log2(luminance + 0.01).astype(np.float32)
    smooth = cv2.GaussianBlur(log, (0, 0), 1.5)
    across = np.abs(cv2.Sobel(smooth, cv2.CV_32F, 1, 0))
    along = np.abs(cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    chroma = linear / (linear.sum(axis=2, keepdims=True) + 0.02)
    colour_step = np.abs(cv2.Sobel(chroma[..., 0], cv2.CV_32F, 1, 0)) + np.abs(
        cv2.Sobel(chroma[..., 0], cv2.CV_32F, 0, 1)
    )
    step = (across + along > 1.2) & (colour_step < 0.06) & inner
    return {
        "ground_luminance": _median(on),
        "white_ground": float(bright[areas.ground].mean()),
        "ground_brightness": _log_ratio(_median(on), upright),
        "road_streakiness": _log_ratio(_mean(across[inner]), _mean(along[inner])),
        "road_spread": _log_ratio(float(np.percentile(on, 95)), _median(on)),
        "shadow_hardness": float(step[inner].mean()) if inner.any() else 0.0,
    }


def _lamps(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], areas: _Areas) -> dict[str, float]:
    luminance = (_LINEAR[frame] @ _WEIGHTS).astype(np.float32)
    around = cv2.medianBlur((luminance * 255).astype(np.uint8), 21).astype(np.float32) / 255
    spots = (luminance > 4 * around + 0.15) & areas.scene
    return {"lamps": float(spots.mean())}


def _particles(frames: list[UInt8[npt.NDArray[np.uint8], "h w 3"]], areas: _Areas) -> dict[str, float]:
    """Find what is brighter in one frame than anything near it in both neighbours.

    Neighbours are widened by a few pixels, so that ordinary motion explains itself; sky and distance
    move least, so only the upper two thirds count.
    """
    before, now, after = (
        cv2.cvtColor(_shrunk(f, PARTICLE_WIDTH), cv2.COLOR_RGB2GRAY).astype(np.float32) for f in frames
    )
    kernel = np.ones((5, 5), np.uint8)
    explained = np.maximum(cv2.dilate(before, kernel), cv2.dilate(after, kernel))
    fresh = np.maximum(now - np.maximum(explained, 0), 0)
    top = fresh[: int(0.66 * fresh.shape[0])]
    ego = cv2.resize(areas.ego.astype(np.uint8), (fresh.shape[1], fresh.shape[0])) > 0
    top = np.where(ego[: top.shape[0]], 0, top)
    level = float(now.mean()) + 1.0
    gx, gy = cv2.Sobel(top, cv2.CV_32F, 1, 0), cv2.Sobel(top, cv2.CV_32F, 0, 1)
    vertical = float(np.abs(gx).sum()) / (float(np.abs(gx).sum() + np.abs(gy).sum()) + 1e-6)
    energy = 100 * float(top.mean()) / level
    drawn_out = min(1.0, max(0.0, (vertical - 0.55) / 0.2))
    return {"streaks": energy * drawn_out, "flakes": energy * (1 - drawn_out)}


def _drops(frames: list[UInt8[npt.NDArray[np.uint8], "h w 3"]]) -> float:
    """Share of the fine structure that stays at one place of the picture in all sampled frames."""
    if len(frames) < 2:
        return 0.0
    details = []
    for frame in frames:
        grey = np.log2(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) + 4)
        details.append(grey - cv2.GaussianBlur(grey, (0, 0), 4))
    stack = np.stack(details)[:, : int(0.6 * frames[0].shape[0])]
    same = np.abs(stack.mean(axis=0))
    each = np.abs(stack).mean(axis=0)
    return float((same > 0.75 * each)[each > 0.02].mean()) if (each > 0.02).any() else 0.0
