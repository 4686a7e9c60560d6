"""Narrower limits: only what the condition disturbs may differ, and only where depth and tags are true."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests import situations_critic as situations
from worldgen.critic.checks.banding import not_banded
from worldgen.critic.checks.detail import nothing_shines_through
from worldgen.critic.checks.objects import patterns_kept
from worldgen.critic.checks.skyline import sky_empty
from worldgen.critic.disturbance import LEAST, MOST, disturbances
from worldgen.critic.evidence import Evidence
from worldgen.critic.panel import PANEL
from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Geometry, Spec, Tag
from worldgen.datatypes.tags import VEHICLES

WET = Spec(seed=1, wetness=0.6)


def evidence_of(frames: np.ndarray, spec: Spec, geometry: Geometry | None = None) -> Evidence:
    d = situations.drive()
    return Evidence(
        source=View(d.clip, 640, 1.0),
        candidate=View(situations.with_frames(frames), 640, 1.0),
        geometry=geometry or d.geometry,
        spec=spec,
        condition=d.condition,
        labels=d.labels,
        thresholds=Thresholds(),
    )


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (None, set()),
        (Spec(seed=1, clouds_okta=0), set()),
        (WET, {"wet"}),
        (Spec(seed=1, fog_mor_m=80, clouds_okta=8), {"haze", "clouds"}),
        (Spec(seed=1, rain_mm_h=4, wetness=0.5, clouds_okta=8), {"rain"}),
        (Spec(seed=1, rain_mm_h=4, clouds_okta=8, sun_elevation_deg=6), {"rain", "sun"}),
        (Spec(seed=1, snow_cover=0.5, sun_elevation_deg=-20), {"snow", "night"}),
        (Spec(seed=1, sun_elevation_deg=6, sun_azimuth_deg=0), {"sun"}),
        (Spec(seed=1, sun_elevation_deg=0), {"dusk"}),
    ],
)
def test_what_a_condition_disturbs(spec, found):
    assert disturbances(spec) == found


@pytest.mark.parametrize("field", ["dust_mor_m", "sand_cover", "exposure_stops"])
def test_what_no_goods_were_made_of_keeps_the_loosest_limits(field):
    spec = Spec(seed=1, wetness=0.6, **{field: 0.5 if field != "dust_mor_m" else 200.0})
    assert disturbances(spec) is None
    same = situations.drive().clip.frames
    assert evidence_of(same, spec).at_most("structure.objects", 0.76) == 0.76


def test_a_wet_road_is_held_to_less_than_a_wet_road_at_night():
    same = situations.drive().clip.frames
    night = Spec(seed=1, wetness=0.6, sun_elevation_deg=-20.0)
    assert evidence_of(same, WET).at_most("structure.objects", 0.76) == MOST["structure.objects"]["wet"]
    assert evidence_of(same, night).at_most("structure.objects", 0.76) == 0.76
    assert evidence_of(same, WET).narrower("objects.pattern", least=True) == LEAST["objects.pattern"]["wet"]


def test_estimated_tags_keep_the_loosest_limits():
    geometry = situations.drive().geometry
    guessed = replace(geometry, origins=geometry.origins.model_copy(update={"tags": "estimated"}))
    found = evidence_of(situations.drive().clip.frames, WET, guessed)
    assert found.at_most("structure.objects", 0.76) == 0.76


def test_an_honest_wet_road_passes_all_of_them():
    found = evidence_of(situations.weathered(WET), WET)
    failed = [f.check for check in PANEL for f in check(found) if f.passed is False]
    assert failed == []


def test_coarse_levels_and_a_second_picture_are_rejected_on_a_wet_road():
    wet = situations.weathered(WET)
    coarse = (wet // 24 * 24 + 12).astype(np.uint8)
    (banded,) = not_banded(evidence_of(coarse, WET))
    assert (banded.passed, banded.severity) == (False, "reject")
    both = (0.7 * wet + 0.3 * np.roll(wet, 60, axis=2)).astype(np.uint8)
    (second,) = nothing_shines_through(evidence_of(both, WET))
    assert (second.passed, second.severity) == (False, "reject")


def test_a_part_that_turns_against_the_source_is_rejected_on_a_wet_road_and_reviewed_under_clouds():
    instances = situations.drive().geometry.instances
    cars = np.isin(situations.drive().geometry.tags, list(VEHICLES))
    largest = np.bincount(instances[cars]).argmax()
    for spec, severity in ((WET, "reject"), (Spec(seed=1, clouds_okta=8), "review")):
        frames = situations.weathered(spec).copy()
        for image, body in zip(frames, instances == largest, strict=True):
            rows = np.flatnonzero(body.any(axis=1))
            upper = body.copy()
            upper[int(np.median(rows)) if len(rows) else 0 :] = False
            image[upper] = 255 - image[upper]
        found = {f.check: f for f in patterns_kept(evidence_of(frames, spec))}["objects.parts"]
        assert (found.passed, found.severity) == (False, severity)


def test_a_thing_that_turns_against_the_source_is_rejected_under_clouds_and_reviewed_in_rain():
    instances, tags = situations.drive().geometry.instances, situations.drive().geometry.tags
    largest = np.bincount(instances[np.isin(tags, list(VEHICLES))]).argmax()
    body = np.stack([cv2.dilate(b.astype(np.uint8), np.ones((7, 7))) > 0 for b in instances == largest])
    for spec, severity in ((Spec(seed=1, clouds_okta=8), "reject"), (Spec(seed=1, rain_mm_h=8), "review")):
        frames = situations.weathered(spec).copy()
        frames[body] = 255 - frames[body]
        found = {f.check: f for f in patterns_kept(evidence_of(frames, spec))}["objects.pattern"]
        assert (found.passed, found.severity) == (False, severity)


@pytest.mark.parametrize("spec", [WET, situations.FOG, situations.NIGHT], ids=["wet", "fog", "night"])
def test_an_honest_sky_stays_empty(spec):
    (found,) = sky_empty(evidence_of(situations.weathered(spec), spec))
    assert found.passed


def test_a_sky_with_drops_before_it_is_not_judged():
    rain = Spec(seed=1, rain_mm_h=4.0, lens_drops=0.3)
    assert sky_empty(evidence_of(situations.weathered(rain), rain)) == ()


def test_something_in_the_sky_is_found_where_it_is():
    frames = situations.weathered(WET).copy()
    sky = situations.drive().geometry.tags == Tag.SKY
    top, left = 10, 100
    assert sky[:, top : top + 20, left : left + 30].all()
    frames[:, top : top + 20, left : left + 30] = (40, 60, 40)
    (found,) = sky_empty(evidence_of(frames, WET))
    assert found.passed is False
    box = found.places[0].box2d
    assert box is not None
    assert box.left < left + 30
    assert box.right > left
    assert box.top < top + 20
