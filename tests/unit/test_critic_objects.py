"""Things follow the source's pattern: an honest change passes, a thing gone or without its parts does not."""

import cv2
import numpy as np
import pytest

from tests import situations_critic as situations
from worldgen.critic.checks.objects import patterns_kept
from worldgen.critic.evidence import Evidence
from worldgen.critic.signature import PARTS, measure
from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Finding, Spec
from worldgen.datatypes.tags import FLAT


def findings(frames: np.ndarray, spec: Spec | None = None) -> dict[str, Finding]:
    d, thresholds = situations.drive(), Thresholds()
    evidence = Evidence(
        source=View(d.clip, 640, 1.0),
        candidate=View(situations.with_frames(frames), 640, 1.0),
        geometry=d.geometry,
        spec=spec,
        condition=d.condition,
        labels=d.labels,
        thresholds=thresholds,
    )
    return {f.check: f for f in patterns_kept(evidence)}


def largest() -> tuple[int, np.ndarray]:
    instances = situations.drive().geometry.instances
    ids, counts = np.unique(instances[instances > 0], return_counts=True)
    thing = int(ids[counts.argmax()])
    return thing, instances == thing


@pytest.mark.parametrize("spec", [None, situations.FOG, situations.NIGHT], ids=["same", "fog", "night"])
def test_an_honest_candidate_keeps_every_pattern(spec):
    frames = situations.drive().clip.frames if spec is None else situations.weathered(spec)
    assert all(f.passed is not False for f in findings(frames, spec).values())


def test_darkening_and_fading_do_not_change_a_pattern():
    faded = (situations.drive().clip.frames * 0.5 + 60).astype(np.uint8)
    found = findings(faded)
    assert found["objects.pattern"].passed
    assert found["objects.parts"].passed


def test_a_thing_painted_over_is_named():
    frames = situations.drive().clip.frames
    thing, mask = largest()
    wide = [cv2.dilate(m.astype(np.uint8), np.ones((5, 5), np.uint8)) for m in mask]
    gone = np.stack([cv2.inpaint(f, m, 3, cv2.INPAINT_TELEA) for f, m in zip(frames, wide, strict=True)])
    found = findings(gone)["objects.pattern"]
    assert (found.passed, found.severity) == (False, "reject")
    assert found.places[0].object_id == thing


def test_a_thing_that_is_a_little_off_asks_for_a_look_and_one_that_is_gone_does_not():
    frames = situations.drive().clip.frames
    _, mask = largest()
    upside_down = frames[:, ::-1].astype(np.float32)
    seen = []
    for share in (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0):
        other = np.where(mask[..., None], (1 - share) * frames + share * upside_down, frames)
        found = findings(other.astype(np.uint8))["objects.pattern"]
        seen.append("fine" if found.passed else found.severity)
    assert seen[0] == "fine"
    assert seen[-1] == "reject"
    assert "review" in seen
    assert seen == sorted(seen, key=["fine", "review", "reject"].index)


def test_what_night_draws_anew_is_not_judged_and_says_so():
    found = findings(situations.weathered(situations.NIGHT), situations.NIGHT)["objects.pattern"]
    assert found.passed is None
    assert found.severity == "info"


def test_a_part_that_shows_another_pattern_fails():
    frames = situations.drive().clip.frames.copy()
    _, mask = largest()
    for frame, m in zip(frames, mask, strict=True):
        rows, _ = np.nonzero(m)
        if not len(rows):
            continue
        upper = m.copy()
        upper[(rows.min() + rows.max()) // 2 :] = False
        frame[upper] = 255 - frame[upper]
    assert findings(frames)["objects.parts"].passed is False


def test_moments_of_a_copy_are_equal():
    d = situations.drive()
    view = View(d.clip, 640, 1.0)
    things = (d.geometry.instances == largest()[0]).astype(np.int32)
    moments = measure(view, view, things, 2)
    assert moments.source.shape == (len(d.clip), 2 * PARTS)
    assert np.allclose(moments.source, moments.shared)
    assert np.allclose(moments.source, moments.candidate)


WET = Spec(seed=1, wetness=0.85)
DUSK = Spec(seed=1, sun_elevation_deg=-4.0)


def test_mirror_images_at_the_foot_of_a_thing_take_no_part():
    frames = situations.weathered(WET).copy()
    d = situations.drive()
    ground = np.isin(d.geometry.tags, list(FLAT))
    rng = np.random.default_rng(0)
    frames[ground] = rng.integers(0, 255, (int(ground.sum()), 3))
    assert all(f.passed is not False for f in findings(frames, WET).values())


@pytest.mark.parametrize("spec", [WET, DUSK], ids=["wet", "dusk"])
def test_a_thing_turned_over_fails_where_its_outline_is_not_asked(spec):
    frames = situations.weathered(spec).copy()
    assert all(f.passed is not False for f in findings(frames, spec).values())
    thing, mask = largest()
    frames = frames.copy()  # a clip keeps its frames from being written to
    for frame, m in zip(frames, mask, strict=True):
        if not m.any():
            continue
        inside = frame[m].astype(np.int32)
        frame[m] = np.clip(2 * inside.mean(axis=0) - inside, 0, 255).astype(np.uint8)
    found = findings(frames, spec)["objects.pattern"]
    assert found.passed is False
    assert found.places[0].object_id == thing
