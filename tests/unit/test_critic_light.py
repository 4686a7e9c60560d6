"""What light, haze and ground explain: where limits are tight, where they are not, and what is left out."""

import numpy as np
import pytest

from tests import situations_critic as situations
from worldgen.critic.checks.labels import ignore_regions
from worldgen.critic.checks.structure import nothing_new, objects_kept
from worldgen.critic.evidence import Evidence
from worldgen.critic.shares import smooth_share
from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Spec
from worldgen.models.physics import render_frames

FOG = Spec(seed=1, fog_mor_m=100.0)
LOW_SUN = Spec(seed=1, sun_elevation_deg=6.0)


def evidence_of(frames: np.ndarray, spec: Spec | None) -> Evidence:
    d, limits = situations.drive(), Thresholds()
    return Evidence(
        source=View(d.clip, limits.working_width, limits.gradient_sigma),
        candidate=View(situations.with_frames(frames), limits.working_width, limits.gradient_sigma),
        geometry=d.geometry,
        spec=spec,
        condition=d.condition,
        labels=d.labels,
        thresholds=limits,
    )


@pytest.fixture(scope="module")
def foggy() -> np.ndarray:
    d = situations.drive()
    return np.stack(list(render_frames(d.clip, d.geometry, FOG, d.condition, 1)))


def test_haze_that_is_seen_explains_what_it_swallows(foggy):
    found = evidence_of(foggy, FOG)
    assert found.is_haze_known
    assert found.is_plain
    shown = found.haze_luma(3)
    assert shown is not None
    assert np.abs(shown - found.candidate.luma[3]).mean() < 12
    assert objects_kept(found)[0].value < 0.3
    assert nothing_new(found)[0].value < 0.05


def test_a_thing_taken_out_of_fog_is_missed(foggy):
    d = situations.drive()
    assert d.geometry.instances is not None
    sizes = np.bincount(d.geometry.instances[d.geometry.instances > 0])
    thing = d.geometry.instances == int(sizes.argmax())
    gone = foggy.copy()
    for frame, mask in zip(gone, thing, strict=True):
        if mask.any():
            frame[mask] = np.median(frame[~mask], axis=0).astype(np.uint8)
    assert objects_kept(evidence_of(gone, FOG))[0].passed is False


def test_limits_are_tight_only_where_light_and_ground_are_the_sources():
    frames = np.asarray(situations.drive().clip.frames)
    assert evidence_of(frames, None).is_plain
    assert not evidence_of(frames, LOW_SUN).is_plain
    assert not evidence_of(frames, Spec(seed=1, wetness=0.6)).is_plain
    assert not evidence_of(frames, Spec(seed=1, clouds_okta=8)).is_plain


def test_light_may_draw_edges_only_where_surfaces_bend():
    rows = np.arange(40, dtype=np.float32)[:, None] + np.zeros((1, 60), np.float32)
    ground = 1 / (0.002 * (rows + 5))
    wall = np.where(np.arange(60)[None] < 30, ground, 8.0).astype(np.float32)
    share = smooth_share(LOW_SUN, np.stack([wall]))
    assert share is not None
    assert share[0, 20, 30] < 0.5
    assert share[0, 20, 10] == share[0, 20, 50] == 1
    assert smooth_share(FOG, np.stack([wall])) is None


def test_what_a_light_veils_is_an_ignore_region():
    frames = np.asarray(situations.drive().clip.frames).copy()
    height = frames.shape[1]
    veil = np.s_[:, height // 2 : height // 2 + 48, 60:140]
    frames[veil] = (0.15 * frames[veil] + 0.85 * 205).astype(np.uint8)
    regions = [r for _, r in ignore_regions(evidence_of(frames, LOW_SUN)) if r.reason == "glare"]
    assert regions
    assert all(r.box2d.left < 150 and r.box2d.right > 50 for r in regions)
    plain = ignore_regions(evidence_of(np.asarray(situations.drive().clip.frames), LOW_SUN))
    assert not [r for _, r in plain if r.reason == "glare"]
