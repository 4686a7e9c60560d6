"""What changed in appearance: paint on the road, lamps, colours of things, the sky. Edits are of pixels."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from worldgen.critic.checks import drift, ground, ground_light, lamps, markings, sky, skyline, tracks
from worldgen.critic.evidence import Evidence
from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Finding, Spec, Tag
from worldgen.models.physics.renderer import render_frames
from worldgen.sources.proving_ground import Drive, render_drive

CHECKS = (
    drift.colour_steady,
    ground.nothing_on_ground,
    ground_light.ground_steady,
    markings.paint_kept,
    lamps.lights_kept,
    lamps.rear_lamps_kept,
    sky.sky_whole,
    skyline.things_hide_sky,
    tracks.things_steady,
)
OVERCAST = Spec(seed=1, clouds_okta=8)
FOG = Spec(seed=1, fog_mor_m=120.0)
WET = Spec(seed=1, wetness=0.6)
DUSK = Spec(seed=1, sun_elevation_deg=-3.0)
SNOW = Spec(seed=1, snow_mm_h=1.6, snow_cover=0.65, clouds_okta=8)


@lru_cache(maxsize=1)
def drive() -> Drive:
    """A street with lines, cars ahead and green traffic lights, 256x144."""
    return render_drive(2001, frames=12, size=(256, 144), fps=10.0)


@lru_cache(maxsize=1)
def source() -> View:
    limits = Thresholds()
    return View(drive().clip, limits.working_width, limits.gradient_sigma)


_WEATHERED: dict[str, np.ndarray] = {}


def weathered(spec: Spec) -> np.ndarray:
    """Weather physics on the drive, made once per spec."""
    if spec.identity not in _WEATHERED:
        _WEATHERED[spec.identity] = _render(spec)
    return _WEATHERED[spec.identity]


def _render(spec: Spec) -> np.ndarray:
    d = drive()
    return np.stack(list(render_frames(d.clip, d.geometry, spec, d.condition, spec.seed)))


def evidence(frames: np.ndarray, spec: Spec | None) -> Evidence:
    d, limits = drive(), Thresholds()
    clip = replace(d.clip, frames=frames)
    return Evidence(
        source=source(),
        candidate=View(clip, limits.working_width, limits.gradient_sigma),
        geometry=d.geometry,
        spec=spec,
        condition=d.condition,
        labels=d.labels,
        thresholds=limits,
    )


def findings(frames: np.ndarray, spec: Spec | None) -> dict[str, Finding]:
    seen = evidence(frames, spec)
    return {f.check: f for check in CHECKS for f in check(seen)}


def failed(frames: np.ndarray, spec: Spec | None) -> set[str]:
    return {name for name, f in findings(frames, spec).items() if f.passed is False}


def tagged(tag: Tag) -> np.ndarray:
    tags = drive().geometry.tags
    assert tags is not None
    return np.asarray(tags == tag)


def largest_car() -> np.ndarray:
    """Where the car is that is seen in all frames and largest in its smallest, [t, h, w]."""
    instances = drive().geometry.instances
    assert instances is not None
    ids = np.unique(instances[tagged(Tag.CAR)])
    least = [(instances == i).sum(axis=(1, 2)).min() for i in ids]
    return np.asarray(instances == ids[int(np.argmax(least))])


def yellow_lines(frames: np.ndarray) -> np.ndarray:
    soft = np.stack([cv2.GaussianBlur(m.astype(np.float32), (0, 0), 0.6) for m in tagged(Tag.ROAD_LINE)])
    painted = frames * np.array([1.0, 0.85, 0.3])
    return (frames * (1 - soft[..., None]) + painted * soft[..., None]).astype(np.uint8)


def lines_gone(frames: np.ndarray) -> np.ndarray:
    out = []
    for frame, lines in zip(frames, tagged(Tag.ROAD_LINE), strict=True):
        wide = cv2.dilate(lines.astype(np.uint8), np.ones((3, 5), np.uint8)) > 0
        bare = (~wide).astype(np.float32)[..., None]
        around = cv2.blur(frame * bare, (21, 5)) / np.maximum(cv2.blur(bare, (21, 5))[..., None], 0.02)
        out.append(np.where(wide[..., None], around, frame))
    return np.clip(out, 0, 255).astype(np.uint8)


def new_line(frames: np.ndarray) -> np.ndarray:
    """A line along the way, a lane's quarter beside the camera, placed by the true depth and poses."""
    geometry = drive().geometry
    assert geometry.pose is not None
    camera, start = geometry.camera, geometry.pose[0]
    columns = (np.arange(camera.width) - camera.cx) / camera.fx
    rows = (np.arange(camera.height) - camera.cy) / camera.fy
    rays = np.stack(np.broadcast_arrays(columns[None], rows[:, None], 1.0), axis=-1)
    out = frames.astype(np.float32)
    road = tagged(Tag.ROAD) & (geometry.depth_m < 40)
    for i in range(len(frames)):
        depth = np.where(road[i], geometry.depth_m[i], 0)[..., None]
        places = (rays * depth) @ geometry.pose[i, :3, :3].T + geometry.pose[i, :3, 3]
        aside = (places - start[:3, 3]) @ start[:3, 0]
        line = (road[i] & (np.abs(aside - 0.8) < 0.12)).astype(np.float32)
        share = cv2.GaussianBlur(line, (0, 0), 0.5)[..., None]
        out[i] = out[i] * (1 - share) + np.minimum(out[i] * 1.5 + 30, 255) * share
    return out.astype(np.uint8)


def red_lights(frames: np.ndarray) -> np.ndarray:
    """Every green lamp of a traffic light shines red."""
    out = frames.copy()
    heads = tagged(Tag.TRAFFIC_LIGHT)
    was = drive().clip.frames.astype(np.int16)
    green = heads & (was[..., 1] - was[..., 0] > 15)
    out[green] = (235, 30, 20)
    return out


def rear_lamps(frames: np.ndarray) -> np.ndarray:
    out = frames.copy()
    for frame, car in zip(out, largest_car(), strict=True):
        ys, xs = np.nonzero(car)
        if not len(ys):
            continue
        y, side = int(np.median(ys)), max(2, np.ptp(xs) // 7)
        for x in (xs.min() + 1, xs.max() - side):
            frame[y : y + side, x : x + side] = (235, 25, 20)
    return out


def other_paint(frames: np.ndarray) -> np.ndarray:
    tinted = np.clip(frames * np.array([1.2, 0.5, 0.5]), 0, 255).astype(np.uint8)
    return np.where(largest_car()[..., None], tinted, frames)


def drifting_paint(frames: np.ndarray) -> np.ndarray:
    share = np.clip((np.arange(len(frames)) - 4) / 6, 0, 1)[:, None, None, None]
    tinted = np.clip(frames * (1 - share * np.array([-0.3, 0.6, 0.6])), 0, 255).astype(np.uint8)
    return np.where(largest_car()[..., None], tinted, frames)


def vanishing(frames: np.ndarray) -> np.ndarray:
    out = frames.copy()
    for i in range(len(frames) // 2, len(frames)):
        hole = cv2.dilate(largest_car()[i].astype(np.uint8), np.ones((5, 5), np.uint8))
        out[i] = cv2.inpaint(frames[i], hole, 3, cv2.INPAINT_TELEA)
    return out


def houses_gone(frames: np.ndarray) -> np.ndarray:
    """The sky right above goes on where houses stand."""
    out = frames.copy()
    for image, sky_here, houses in zip(out, tagged(Tag.SKY), tagged(Tag.BUILDING), strict=True):
        for x in np.flatnonzero(sky_here.any(axis=0)):
            image[houses[:, x], x] = image[np.flatnonzero(sky_here[:, x]).max() - 1, x]
    return out


def dry_at_first(frames: np.ndarray) -> np.ndarray:
    return np.concatenate([np.asarray(drive().clip.frames)[:4], frames[4:]])


def two_skies(frames: np.ndarray) -> np.ndarray:
    half = tagged(Tag.SKY)
    columns = np.flatnonzero(half.any(axis=(0, 1)))
    half[..., : int(np.median(columns))] = False
    return np.clip(frames.astype(np.int16) - 20 * half[..., None], 0, 255).astype(np.uint8)


def smear(frames: np.ndarray) -> np.ndarray:
    """A red smear that lies on the road, carried along by the true motion."""
    flow = drive().geometry.flow
    assert flow is not None
    out = frames.copy()
    x, y = 128.0, 100.0
    for i, frame in enumerate(out):
        cv2.ellipse(frame, (int(x), int(y)), (16, 8), 0.0, 0, 360, (235, 80, 40), -1, cv2.LINE_AA)
        if i + 1 < len(out):
            dx, dy = flow[i, int(np.clip(y, 0, 143)), int(np.clip(x, 0, 255))]
            x, y = x + float(dx), y + float(dy)
    return out


DEFECTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "yellow_lines": (yellow_lines, "markings.colour"),
    "lines_gone": (lines_gone, "markings.kept"),
    "new_line": (new_line, "markings.added"),
    "red_lights": (red_lights, "lamps.traffic_light"),
    "rear_lamps": (rear_lamps, "lamps.rear"),
    "other_paint": (other_paint, "colour.things"),
    "drifting_paint": (drifting_paint, "colour.track"),
    "vanishing": (vanishing, "objects.steady"),
    "smear": (smear, "ground.colour"),
    "two_skies": (two_skies, "sky.seam"),
}


@pytest.mark.parametrize(
    "spec", [None, OVERCAST, FOG, DUSK, SNOW], ids=["unchanged", "overcast", "fog", "dusk", "snow"]
)
def test_honest_changes_pass(spec):
    frames = np.asarray(drive().clip.frames) if spec is None else weathered(spec)
    assert not failed(frames, spec)


def test_grading_passes():
    frames = 255 * (np.asarray(drive().clip.frames) / 255.0) ** 1.08 * np.array([0.96, 0.94, 0.9])
    assert not failed(frames.astype(np.uint8), None)


@pytest.mark.parametrize("name", sorted(DEFECTS))
def test_a_changed_appearance_is_found_by_its_check(name):
    edit, check = DEFECTS[name]
    found = findings(edit(weathered(OVERCAST)), OVERCAST)
    assert found[check].passed is False, {k: (f.value, f.threshold) for k, f in found.items()}
    assert found[check].places


@pytest.mark.parametrize("spec", [OVERCAST, DUSK], ids=["overcast", "dusk"])
def test_houses_that_show_the_sky_behind_them_are_found(spec):
    found = findings(houses_gone(weathered(spec)), spec)["sky.through"]
    assert found.passed is False
    box = found.places[0].box2d
    assert box is not None
    houses = np.argwhere(tagged(Tag.BUILDING).any(axis=0))
    assert houses[:, 0].min() - 4 <= box.top < box.bottom <= houses[:, 0].max() + 4


def test_a_road_that_is_dry_at_first_is_found():
    assert findings(dry_at_first(weathered(WET)), WET)["ground.step"].passed is False
    assert "ground.step" not in failed(weathered(WET), WET)


def test_only_the_changed_thing_is_named():
    found = findings(other_paint(weathered(OVERCAST)), OVERCAST)["colour.things"]
    instances = drive().geometry.instances
    assert instances is not None
    assert found.places[0].object_id == int(np.unique(instances[largest_car()])[0])


@pytest.mark.parametrize(
    ("spec", "check"), [(SNOW, "markings.kept"), (DUSK, "lamps.rear"), (FOG, "lamps.rear")]
)
def test_nothing_is_said_where_the_condition_hides_it(spec, check):
    assert check not in findings(weathered(spec), spec)


def test_lines_gone_are_found_behind_fog_and_at_dusk():
    for spec in (FOG, DUSK):
        assert "markings.kept" in failed(lines_gone(weathered(spec)), spec)


def test_checks_do_without_geometry():
    d, limits = drive(), Thresholds()
    view = View(replace(d.clip, frames=weathered(FOG)), limits.working_width, limits.gradient_sigma)
    bare = Evidence(
        source=source(),
        candidate=view,
        geometry=None,
        spec=FOG,
        condition=d.condition,
        labels=None,
        thresholds=limits,
    )
    assert [f for check in CHECKS for f in check(bare)] == []
