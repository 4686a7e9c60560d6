"""Geometry from the clip itself, without any weights."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float32, UInt8

from worldgen.controls.camera import assumed_camera, vanishing_row
from worldgen.controls.ego import find_ego
from worldgen.controls.evidence import Evidence, Plane, carried, evidence_of
from worldgen.controls.free_space import GroundColour, contact_rows, distance_bands, joined_to
from worldgen.controls.relative import road_prior
from worldgen.controls.settings import DEFAULT_GEOMETRY, GeometrySettings
from worldgen.controls.travel import Pair, common_focus, pair_frames, refine_horizon, with_scale
from worldgen.datatypes import Camera, Clip, Geometry, Origins, Tag
from worldgen.datatypes.tags import EGO
from worldgen.imaging.flow import DenseFlow
from worldgen.imaging.ground import horizon_row, inverse_ground_depth, pitch_for_horizon
from worldgen.imaging.sky import sky_mask
from worldgen.imaging.spread import spread, upsample_along

_BATCH: Final = 8
_KEYFRAMES_PER_SECOND: Final = 7.0


@dataclass
class _View:
    """A clip at working sizes, and what is known of its camera so far."""

    clip: Clip
    greys: list[UInt8[npt.NDArray[np.uint8], "h w"]]
    small: UInt8[npt.NDArray[np.uint8], "t h w 3"]
    small_greys: list[UInt8[npt.NDArray[np.uint8], "h w"]]
    camera: Camera
    """At the size of `greys`."""
    ego: Bool[npt.NDArray[np.bool_], "h w"] | None = None
    """At the small size."""
    notes: list[str] = field(default_factory=list)

    @property
    def small_camera(self) -> Camera:
        height, width = self.small.shape[1:3]
        return self.camera.scaled(width, height)


def estimate_geometry(
    clip: Clip, *, calibration: Camera | None = None, settings: GeometrySettings = DEFAULT_GEOMETRY
) -> Geometry:
    """Estimate metric depth, sky, ground and pose of a clip.

    Args:
        clip: RGB frames.
        calibration: The camera, if known; its mounting height then gives the scale.
        settings: What is assumed otherwise.
    """
    view = _look(clip, calibration, settings)
    pairs = _travel(view, calibrated=calibration is not None)
    fields = _evidence(view, pairs)
    skies = _skies(view)
    colour = _learn_ground(view, fields, skies)
    width, height = clip.size
    depth = np.empty((len(clip), height, width), np.float32)
    tags = np.zeros((len(clip), height, width), np.uint8)
    for start in range(0, len(clip), _BATCH):
        frames = range(start, min(start + _BATCH, len(clip)))
        _solve(view, frames, fields, skies, colour, settings, depth, tags)
    full = view.camera.scaled(width, height)
    moved = bool(pairs)
    return Geometry(
        depth_m=depth,
        origins=Origins(
            depth="from_motion" if moved else "assumed",
            scale="sidecar" if calibration else "assumed",
            tags="estimated",
            camera="sidecar" if calibration else "assumed",
        ),
        camera=full,
        scale_interval=(0.85, 1.2) if calibration else settings.camera_height_interval,
        tags=tags,
        ego_mask=_enlarged(view.ego, width, height),
        notes=tuple(view.notes),
    )


def _look(clip: Clip, calibration: Camera | None, settings: GeometrySettings) -> _View:
    width, height = clip.size
    middle_w = min(settings.work_width, width)
    middle_h = max(16, round(height * middle_w / width))
    small_w = min(settings.work_width // 2, width)
    small_h = max(16, round(height * small_w / width))
    greys, small, small_greys = [], [], []
    for frame in clip.frames:
        middle = cv2.resize(frame, (middle_w, middle_h), interpolation=cv2.INTER_AREA)
        little = cv2.resize(middle, (small_w, small_h), interpolation=cv2.INTER_AREA)
        greys.append(cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY))
        small.append(little)
        small_greys.append(cv2.cvtColor(little, cv2.COLOR_RGB2GRAY))
    given = calibration.scaled(middle_w, middle_h) if calibration else None
    camera = given or assumed_camera(middle_w, middle_h, settings)
    return _View(clip, greys, np.stack(small), small_greys, camera)


def _travel(view: _View, *, calibrated: bool) -> list[Pair]:
    """Find how the camera travelled, where the horizon is and where the recording vehicle is seen."""
    count, (height, width) = len(view.greys), view.greys[0].shape
    usable = np.broadcast_to(np.arange(height)[:, None] < 0.78 * height, (height, width)).copy()
    probe = sorted({round(i * (count - 1) / 5) for i in range(6)})
    first = pair_frames(view.greys, probe, view.camera, usable)
    focus = common_focus(first, view.camera)
    if focus is not None:
        view.ego = _ego(view, first, focus)
    if not calibrated:
        row = focus[1] if focus else vanishing_row(view.greys[:: max(1, count // 8)])
        if row is None:
            row = 0.5 * height
            view.notes.append("Neither motion nor lines showed a horizon; it was put at half height.")
        view.camera = view.camera.model_copy(update={"pitch_rad": pitch_for_horizon(view.camera, row)})
    if focus is None:
        view.notes.append("The camera hardly moves, so nothing could be triangulated: depth stands on contacts.")
        return []
    if view.ego is not None:
        usable = cv2.resize(view.ego.astype(np.uint8), (width, height)) == 0
        usable = cv2.erode(usable.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    else:
        usable[:] = True
        usable[-4:] = False
    stride = max(1, round(view.clip.fps / _KEYFRAMES_PER_SECOND))
    keyframes = list(range(0, count, stride))
    pairs = pair_frames(view.greys, keyframes, view.camera, usable, horizon=horizon_row(view.camera))
    if not calibrated:
        view.camera = refine_horizon(pairs, view.camera)
    return with_scale(pairs, view.camera)


def _ego(
    view: _View, pairs: list[Pair], focus: tuple[float, float]
) -> Bool[npt.NDArray[np.bool_], "h w"] | None:
    """Look for a bonnet on frames about equally far apart on the road."""
    at = np.array([p.first for p in pairs], np.float64)
    speed = np.array([p.motion.flow_px / abs(p.second - p.first) for p in pairs])
    path = np.cumsum(np.interp(np.arange(len(view.greys)), at, speed))
    wanted = np.linspace(path[0], path[-1], 24)
    picked = sorted(set(np.searchsorted(path, wanted).clip(0, len(path) - 1).tolist()))
    ratio = view.small.shape[2] / view.greys[0].shape[1]
    sample = np.stack([view.small_greys[i] for i in picked]).astype(np.float32)
    mask = find_ego(sample, (focus[0] * ratio, focus[1] * ratio))
    if mask is not None:
        mask = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return mask


def _evidence(view: _View, pairs: list[Pair]) -> list[Evidence]:
    """Gather the evidence of all keyframes and carry each some way forth and back in time."""
    flow = DenseFlow("fast")
    small = view.small_camera
    greys = view.small_greys
    own = [evidence_of(p, view.camera, small, greys[p.first], greys[p.second], flow, view.ego) for p in pairs]
    speed = _speeds(pairs, view.camera)
    forth = _accumulated(own, greys, speed, flow)
    back = _accumulated(own[::-1], greys, speed, flow)[::-1]
    return [_summed(a, b, c) for a, b, c in zip(own, forth, back, strict=True)]


def _speeds(pairs: list[Pair], camera: Camera) -> dict[int, float]:
    """Metres per frame at each keyframe."""
    return {p.first: p.step_over_height * camera.height_m / abs(p.second - p.first) for p in pairs}


def _accumulated(
    own: list[Evidence], greys: list[UInt8[npt.NDArray[np.uint8], "h w"]], speed: dict[int, float], flow: DenseFlow
) -> list[tuple[Plane, Plane, Plane]]:
    """What each keyframe inherits from those before it in the list, fading."""
    inherited: list[tuple[Plane, Plane, Plane]] = []
    for i, here in enumerate(own):
        if i == 0:
            zero = np.zeros_like(here.trust)
            inherited.append((zero, zero, zero))
            continue
        before = own[i - 1]
        trust, weighted, ground = inherited[i - 1]
        trust = before.trust + trust
        weighted = before.trust * before.inverse + weighted
        memory = Evidence(
            before.frame, trust, weighted / np.maximum(trust, 1e-6), before.ground + ground
        )
        way = flow(greys[here.frame], greys[before.frame])
        advance = (here.frame - before.frame) * 0.5 * (speed[here.frame] + speed[before.frame])
        got = carried(memory, way, advance)
        inherited.append((got[0] * 0.6, got[1] * 0.6, got[2] * 0.5))
    return inherited


def _summed(
    own: Evidence, forth: tuple[Plane, Plane, Plane], back: tuple[Plane, Plane, Plane]
) -> Evidence:
    trust = own.trust + forth[0] + back[0]
    weighted = own.trust * own.inverse + forth[1] + back[1]
    ground = np.clip(own.ground + forth[2] + back[2], -4.0, 4.0)
    return Evidence(own.frame, np.minimum(trust, 6.0), weighted / np.maximum(trust, 1e-6), ground)


def _skies(view: _View) -> Bool[npt.NDArray[np.bool_], "t h w"]:
    horizon = horizon_row(view.small_camera)
    return np.stack([sky_mask(frame, horizon) for frame in view.small])


def _learn_ground(
    view: _View, fields: list[Evidence], skies: Bool[npt.NDArray[np.bool_], "t h w"]
) -> GroundColour:
    """Learn the colours of the ground on keyframes."""
    height, width = view.small.shape[1:3]
    colour = GroundColour(distance_bands(inverse_ground_depth(view.small_camera)))
    prior = road_prior(height, width).astype(np.float32)
    above = (np.arange(height)[:, None] < horizon_row(view.small_camera) - 2) * np.ones((1, width), np.float32)
    clear = np.ones((height, width), np.float32)
    if view.ego is not None:
        clear -= cv2.dilate(view.ego.astype(np.float32), np.ones((7, 7), np.uint8))
    frames = {f.frame: f for f in fields} or dict.fromkeys(range(0, len(view.small), max(1, len(view.small) // 12)))
    for frame, known in frames.items():
        ground, other = prior * clear, above * (1.0 - skies[frame]) * 0.5
        if known is not None:
            ground = clear * np.maximum(0.7 * ground * (known.ground > -0.3), np.clip(known.ground, 0, 2))
            other = other + clear * np.clip(-known.ground, 0, 2) * (1 - above)
        colour.learn(view.small[frame], ground.astype(np.float32), other.astype(np.float32))
    return colour


def _near_fields(
    view: _View, frame: int, fields: list[Evidence], flow: DenseFlow, speed: float
) -> tuple[Plane, Plane, Plane]:
    """Blend the evidence of the keyframes before and after a frame, carried to it."""
    shape = view.small.shape[1:3]
    zero = np.zeros(shape, np.float32)
    if not fields:
        return zero, zero, zero
    number = [f.frame for f in fields]
    after = int(np.searchsorted(number, frame))
    around = [i for i in (after - 1, after) if 0 <= i < len(fields)]
    if after < len(fields) and number[after] == frame:
        around = [after]
    gaps = [abs(number[i] - frame) for i in around]
    parts = []
    for i, gap in zip(around, gaps, strict=True):
        share = 1.0 if len(around) == 1 else 1.0 - gap / sum(gaps)
        source = fields[i]
        if gap == 0:
            got = (source.trust, source.trust * source.inverse, source.ground)
        else:
            way = flow(view.small_greys[frame], view.small_greys[source.frame])
            got = carried(source, way, (frame - source.frame) * speed)
        parts.append(tuple(share * g for g in got))
    return tuple(np.asarray(sum(p), np.float32) for p in zip(*parts, strict=True))  # type: ignore[return-value]


def _solve(
    view: _View,
    frames: range,
    fields: list[Evidence],
    skies: Bool[npt.NDArray[np.bool_], "t h w"],
    colour: GroundColour,
    settings: GeometrySettings,
    depth: Float32[npt.NDArray[np.float32], "t h w"],
    tags: UInt8[npt.NDArray[np.uint8], "t h w"],
) -> None:
    flow = DenseFlow("ultrafast")
    camera = view.small_camera
    plane = inverse_ground_depth(camera)
    height, width = plane.shape
    rows = np.arange(height)[:, None]
    horizon = horizon_row(camera)
    prior = road_prior(height, width)
    # Near the camera nearly everything below the horizon is ground: log-odds grow as the ground comes near.
    place = 1.0 * np.clip(plane * 6.0, 0.0, 1.0) + np.where(prior, 0.4, 0.0) - 0.2
    # The horizon is known to a few rows, so far ground is known badly and takes the depth of what stands on it.
    unsure = 3.0 / (camera.fy * camera.height_m)
    firm = np.clip((plane / unsure - 1.5) / 2.0, 0.0, 1.0) ** 2
    values, trusts, solid = [], [], []
    for frame in frames:
        trust, weighted, moving = _near_fields(view, frame, fields, flow, 0.0)
        picture = cv2.GaussianBlur(view.small[frame], (3, 3), 0)
        score = 1.4 * colour(picture) + np.clip(moving, -3.0, 0.8) + 0.6 * place
        score = cv2.blur(score.astype(np.float32), (3, 3))
        score[plane <= 1.0 / settings.far_m] = -3
        score[skies[frame]] = -3
        is_ground = cv2.morphologyEx((score > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
        is_ground = joined_to(is_ground, prior, min_area=height * width // 400)
        if view.ego is not None:
            is_ground |= view.ego
        sure = np.clip(np.abs(score) / 1.5, 0.15, 1.0)
        foot = contact_rows(is_ground)
        has_foot = (foot < height) & ~is_ground & ~skies[frame]
        at_foot = np.take_along_axis(plane, np.minimum(foot, height - 1), axis=0)
        at_foot = np.maximum(at_foot, 1.0 / settings.far_m)
        tall = (foot - rows) / camera.fy / at_foot
        contact = np.where(has_foot, 0.6 * np.exp(-((tall / 1.5) ** 2)) * sure, 0.0)
        # Points seen "through" something that stands in front belong to it (a car's windows), or are moving.
        inverse = weighted / np.maximum(trust, 1e-6)
        # What is nearer than its own foot floats: allowed for crowns and gantries only, not near the ground.
        lifted = camera.height_m - plane * camera.height_m / np.maximum(inverse, 1e-4)
        floats = (foot < height) & (inverse > 1.5 * at_foot + 0.004) & (lifted < 2.3)
        hidden = (has_foot & (tall < 1.7) & (inverse < 0.6 * at_foot)) | floats
        trust = np.where(hidden | is_ground, 0.0, trust)
        weighted = trust * inverse
        trust, weighted = (cv2.GaussianBlur(np.asarray(a, np.float32), (0, 0), 1.2) * 8 for a in (trust, weighted))
        inverse = weighted / np.maximum(trust, 1e-6)
        trust = np.where(is_ground, 0.0, np.minimum(trust, 4.0))
        value, total = trust * inverse, trust.copy()
        value += contact * at_foot
        total += contact
        ground_trust = np.where(is_ground, firm, 0.0)
        value += ground_trust * np.maximum(plane, 1.0 / settings.far_m)
        total += ground_trust
        sky_trust = np.where(skies[frame], 2.0, 0.0)
        value *= ~skies[frame]
        total = np.where(skies[frame], sky_trust, total)
        weak = 0.002
        value += weak / 150.0
        total += weak
        if view.ego is not None:
            total[view.ego] = 1e-4
            value[view.ego] = 1e-4 * plane[view.ego]
        values.append((value / np.maximum(total, 1e-9)).astype(np.float32))
        trusts.append(total.astype(np.float32))
        solid.append(is_ground)
    guide = np.stack([cv2.GaussianBlur(view.small[f], (3, 3), 0) for f in frames])
    solved = spread(np.stack(values), np.stack(trusts), guide)
    full_w, full_h = view.clip.size
    for i, frame in enumerate(frames):
        inverse = np.where(rows > horizon, np.maximum(solved[i], np.maximum(plane, 0)), solved[i])
        inverse = np.where(solid[i], firm * plane + (1 - firm) * inverse, inverse)
        sky = skies[frame].astype(np.float32)
        luma = cv2.cvtColor(view.clip.frames[frame], cv2.COLOR_RGB2GRAY).astype(np.float32)
        small_luma = view.small_greys[frame].astype(np.float32)
        large = upsample_along(inverse.astype(np.float32), small_luma, luma)
        heaven = upsample_along(sky, small_luma, luma) > 0.5
        np.clip(large, 1 / settings.far_m, 1 / settings.near_m, out=large)
        np.divide(1.0, large, out=depth[frame])
        ground = cv2.resize(solid[i].astype(np.uint8), (full_w, full_h), interpolation=cv2.INTER_LINEAR) > 0
        tags[frame][ground] = Tag.ROAD
        depth[frame][heaven] = np.inf
        tags[frame][heaven] = Tag.SKY
    ego = _enlarged(view.ego, full_w, full_h)
    if ego is not None:
        for frame in frames:
            depth[frame][ego] = 2.0
            tags[frame][ego] = EGO


def _enlarged(
    mask: Bool[npt.NDArray[np.bool_], "h w"] | None, width: int, height: int
) -> Bool[npt.NDArray[np.bool_], "h w"] | None:
    if mask is None:
        return None
    large = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large > 0.5)
