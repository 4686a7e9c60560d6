"""Appearance: what weather and light do to pictures, as a few numbers per clip.

Everything is measured on at most nine frames (three runs of three neighbours) at 256 pixels width, and
particles at 480. Luminance is linear, 1 is white; sRGB is undone first.
"""

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, UInt8

from worldgen.datatypes import Clip, Geometry, Tag
from worldgen.datatypes.digest import Value
from worldgen.datatypes.tags import EGO, FLAT
from worldgen.imaging.channels import smallest, total
from worldgen.imaging.noise import noise_sigma
from worldgen.imaging.sky import sky_mask

WIDTH = 256
PARTICLE_WIDTH = 480
WEIGHTS = np.array([0.2126, 0.7152, 0.0722], np.float32)
LINEAR = np.array(
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
    """Standard deviation of the sky's luminance over its mean."""
    sky_mottle: float
    """The same after a quadratic surface is taken away: broken cloud raises it, a clear sky is smooth."""
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
    ground_blueness: float
    """log2 of blue over red on the ground: asphalt is grey, so this is mostly the camera's own tint."""
    road_streakiness: float
    """log2 of vertical over horizontal structure on the ground: mirror images are drawn out vertically."""
    road_spread: float
    """log2 of the 95th over the 50th percentile of the ground's luminance: mirrors and shadows widen it."""
    road_mirror: float
    """Correlation -1..1 of the ground with the scene above it, mirrored about the line where they meet."""
    road_smoothness: float
    """log2 of the ground's fine (under 2 px) over its coarse structure: water and snow smooth asphalt."""
    shadow_share: float
    """Share of the ground that is under 0.62 of its median luminance, sharply edged, of one colour."""
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
    triples = triples_of(len(clip))
    rows: list[dict[str, float]] = []
    for triple in triples:
        middle = triple[1]
        frame = shrunk(clip.frames[middle], WIDTH)
        areas = Areas.of(frame, geometry, middle)
        rows.append(
            {**_light(frame, areas), **_haze(frame, areas), **_ground(frame, areas), **_lamps(frame, areas)}
        )
        rows[-1].update(_particles([clip.frames[i] for i in triple], areas))
    drops = _drops([shrunk(clip.frames[t[1]], WIDTH) for t in triples])
    medians = {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
    return Appearance(**{k: round(v, 6) for k, v in {**medians, "drops": drops}.items()})


def triples_of(count: int) -> list[tuple[int, int, int]]:
    """Choose three runs of three neighbouring frames, at 15, 50 and 85% of a clip."""
    centres = np.unique(np.clip(np.round(np.array([0.15, 0.5, 0.85]) * (count - 1)), 1, max(1, count - 2)))
    return [(max(0, int(c) - 1), min(int(c), count - 1), min(int(c) + 1, count - 1)) for c in centres]


def shrunk(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], width: int) -> UInt8[npt.NDArray[np.uint8], "h w 3"]:
    """Shrink a frame to a width, if it is wider."""
    h, w = frame.shape[:2]
    if w <= width:
        return frame
    size = (width, max(2, round(h * width / w)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


class Areas:
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
    ) -> "Areas":
        """Take them from geometry, or find them in the picture."""
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
            depth = nearest(geometry.depth_m[at], (w, h))
            sky = ~np.isfinite(depth)
            ground = (rows > 0.5 * h) & ~sky
            if geometry.tags is not None:
                tags = nearest(geometry.tags[at], (w, h))
                sky |= tags == Tag.SKY
                flat = np.isin(tags, list(FLAT))
                ground = flat if flat.mean() > 0.02 else ground
                ego = tags == EGO
            if geometry.ego_mask is not None:
                ego |= nearest(geometry.ego_mask.astype(np.uint8), (w, h)) > 0
            finite = depth[~sky & ~ego]
            near_m, far_m = np.percentile(finite, [33, 75]) if finite.size else (10.0, 50.0)
            near, far = (depth <= near_m) & ~sky, (depth >= far_m) & ~sky
        ground = ground & ~sky & ~ego
        found = bool(sky.mean() > 0.01)
        if not found:
            sky = rows < h / 6
        return cls(sky, ground, ego, near & ~ego, far & ~ego & ~sky, found=found)


def nearest(plane: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resize a plane of any kind by taking the nearest value."""
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST))


def _mean(values: npt.NDArray[Any], default: float = 0.0) -> float:
    return float(values.mean()) if values.size else default


def _median(values: npt.NDArray[Any], default: float = 0.0) -> float:
    return float(np.median(values)) if values.size else default


def _log_ratio(top: float, bottom: float) -> float:
    return math.log2((top + 1e-4) / (bottom + 1e-4))


def _light(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], areas: Areas) -> dict[str, float]:
    linear = LINEAR[frame]
    luminance = linear @ WEIGHTS
    seen = luminance[~areas.ego]
    p05, p50, p95 = np.percentile(seen, [5, 50, 95])
    sky = linear[areas.sky]
    r, g, b = (float(c) for c in sky.mean(axis=0)) if sky.size else (0.0, 0.0, 0.0)
    scene = linear[areas.scene].mean(axis=0) if areas.scene.any() else np.zeros(3)
    hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)
    sky_luminance = float(np.dot((r, g, b), WEIGHTS))
    blurred = cv2.GaussianBlur(luminance, (0, 0), 8)
    top = float(blurred[areas.sky].max()) if areas.sky.any() else 0.0
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    clipped = np.asarray(smallest(frame) >= 250, np.bool_)
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
        "sky_mottle": _mottle(luminance, areas.sky) / (sky_luminance + 1e-4),
        "warmth": _log_ratio(float(scene[0]), float(scene[2])),
        "saturation": _mean(hsv[..., 1][areas.scene].astype(np.float32)) / 255,
        "saturated": float(clipped[~areas.ego].mean()) if seen.size else 0.0,
        "glare": float(((soft > 0.05) & (luminance > 0.5)).mean()),
        "noise": noise_sigma(grey),
    }


def _mottle(luminance: Plane, sky: Mask) -> float:
    """Deviation of the sky's luminance from the quadratic surface that fits it best."""
    inner = cv2.erode(sky.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    v, u = np.nonzero(inner)
    if len(v) < 100:
        return 0.0
    v, u = v[::7], u[::7]
    x, y = u / luminance.shape[1] - 0.5, v / luminance.shape[0] - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    seen = luminance[v, u].astype(np.float64)
    fit, *_ = np.linalg.lstsq(terms, seen, rcond=None)
    # The middle half of the residuals: a lamp, a wire or the sun's disc is not cloud.
    low, high = np.percentile(seen - terms @ fit, [25, 75])
    return float(high - low) / 1.35


def _haze(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], areas: Areas) -> dict[str, float]:
    linear = LINEAR[frame]
    luminance = linear @ WEIGHTS
    mean = cv2.blur(luminance, (9, 9))
    spread = np.sqrt(np.maximum(cv2.blur(luminance * luminance, (9, 9)) - mean * mean, 0))
    contrast = spread / (mean + 1e-3)
    dark = cv2.erode(smallest(linear), np.ones((9, 9), np.uint8))
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


def _ground(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], areas: Areas) -> dict[str, float]:
    if areas.ground.sum() < 50:
        return dict.fromkeys(_GROUND_FIELDS, 0.0)
    linear = LINEAR[frame]
    luminance = linear @ WEIGHTS
    on = luminance[areas.ground]
    middle = _median(on)
    upright = _median(luminance[areas.upright])
    saturation = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV)[..., 1]
    bright = (luminance > 1.5 * upright) & (luminance > 0.12) & (saturation < 46)
    inner = cv2.erode(areas.ground.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    inner = inner if inner.any() else areas.ground
    log = np.log2(luminance + 0.01).astype(np.float32)
    smooth = cv2.GaussianBlur(log, (0, 0), 1.5)
    across = np.abs(cv2.Sobel(smooth, cv2.CV_32F, 1, 0))
    along = np.abs(cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    fine = np.abs(log - cv2.GaussianBlur(log, (0, 0), 1.0))
    coarse = np.abs(smooth - cv2.GaussianBlur(log, (0, 0), 6.0))
    r, _, b = linear[areas.ground].mean(axis=0)
    return {
        "ground_luminance": middle,
        "white_ground": float(bright[areas.ground].mean()),
        "ground_brightness": _log_ratio(middle, upright),
        "ground_blueness": _log_ratio(float(b), float(r)),
        "road_streakiness": _log_ratio(_mean(across[inner]), _mean(along[inner])),
        "road_spread": _log_ratio(float(np.percentile(on, 95)), middle),
        "road_mirror": _mirror(log, areas),
        "road_smoothness": _log_ratio(_mean(fine[inner]), _mean(coarse[inner])),
        "shadow_share": _shadows(linear, luminance, middle, areas.ground),
    }


_GROUND_FIELDS = (
    "ground_luminance",
    "white_ground",
    "ground_brightness",
    "ground_blueness",
    "road_streakiness",
    "road_spread",
    "road_mirror",
    "road_smoothness",
    "shadow_share",
)


def _mirror(log: Plane, areas: Areas) -> float:
    """Correlate the ground with what stands above it, column by column, mirrored about the contact line."""
    h = len(log)
    has = areas.ground.any(axis=0)
    contact = np.where(has, areas.ground.argmax(axis=0), h)
    reach = h // 6
    steps = np.arange(2, reach)
    columns = np.flatnonzero(has & (contact > reach) & (contact + reach < h))
    if columns.size < 20:
        return 0.0
    raw = log - cv2.GaussianBlur(log, (0, 0), 12)
    detail = cv2.GaussianBlur(raw, (0, 0), sigmaX=1.0, sigmaY=3.0)
    above = detail[contact[columns][:, None] - steps, columns[:, None]]
    below = detail[contact[columns][:, None] + steps, columns[:, None]]
    seen = areas.ground[contact[columns][:, None] + steps, columns[:, None]]
    if seen.sum() < 100:
        return 0.0
    a, b = above[seen] - above[seen].mean(), below[seen] - below[seen].mean()
    return float((a * b).sum() / (np.sqrt((a * a).sum() * (b * b).sum()) + 1e-6))


def _shadows(linear: npt.NDArray[np.float32], luminance: Plane, middle: float, ground: Mask) -> float:
    """Share of the ground in hard shadow: dark, of the ground's colour, and sharply edged."""
    chroma = linear[..., 0] / (total(linear) + 1e-3)
    typical = _median(chroma[ground])
    dark = ground & (luminance < 0.62 * middle) & (np.abs(chroma - typical) < 0.04)
    step = np.abs(cv2.Sobel(luminance, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(luminance, cv2.CV_32F, 0, 1))
    edged = (
        (step > 1.2 * middle)
        & cv2.dilate(dark.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        & ground
    )
    # Every dark patch counts as far as its edge is sharp: a soft one has few steep pixels for its size.
    outline = cv2.dilate(dark.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~dark & ground
    sharp = float(edged.sum()) / (float(outline.sum()) + 1.0)
    return float(dark[ground].mean()) * min(1.0, sharp)


def _lamps(frame: UInt8[npt.NDArray[np.uint8], "h w 3"], areas: Areas) -> dict[str, float]:
    luminance = (LINEAR[frame] @ WEIGHTS).astype(np.float32)
    around = cv2.medianBlur((luminance * 255).astype(np.uint8), 21).astype(np.float32) / 255
    spots = (luminance > 4 * around + 0.15) & areas.scene
    return {"lamps": float(spots.mean())}


def _particles(frames: list[UInt8[npt.NDArray[np.uint8], "h w 3"]], areas: Areas) -> dict[str, float]:
    """Measure what is brighter (before the scene) or darker (before the sky) than in both neighbours.

    The neighbours are widened by a few pixels first, so that ordinary motion explains itself. The ground
    and the recording vehicle move most and are left out.
    """
    before, now, after = (
        cv2.cvtColor(shrunk(f, PARTICLE_WIDTH), cv2.COLOR_RGB2GRAY).astype(np.float32) for f in frames
    )
    h, w = now.shape
    sky = nearest(areas.sky.astype(np.uint8), (w, h)) > 0
    upright = nearest((areas.upright & ~areas.near).astype(np.uint8), (w, h)) > 0
    size = max(3, round(w / 90)) | 1
    kernel = np.ones((size, size), np.uint8)
    brighter = now - np.maximum(cv2.dilate(before, kernel), cv2.dilate(after, kernel))
    darker = np.minimum(cv2.erode(before, kernel), cv2.erode(after, kernel)) - now
    fresh = np.where(upright, np.maximum(brighter - 2, 0), np.where(sky, np.maximum(darker - 2, 0), 0))
    seen = float((upright | sky).mean()) + 1e-3
    tone = float(now[upright | sky].mean()) + 4.0 if (upright | sky).any() else 64.0
    gx, gy = cv2.Sobel(fresh, cv2.CV_32F, 1, 0), cv2.Sobel(fresh, cv2.CV_32F, 0, 1)
    vertical = float(np.abs(gx).sum()) / (float(np.abs(gx).sum() + np.abs(gy).sum()) + 1e-6)
    energy = 100 * float(fresh.mean()) / seen / tone
    drawn_out = min(1.0, max(0.0, (vertical - 0.52) / 0.16))
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
