"""Presence: what is gone is noticed, and what is too small to be noticed is named, not passed."""

import math
from functools import lru_cache

import cv2
import numpy as np
import pytest

from tests import situations_critic as situations
from worldgen.critic.checks.presence import things_present
from worldgen.critic.checks.structure import nothing_new
from worldgen.critic.evidence import Evidence
from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Finding, Labels, Spec, Verdict
from worldgen.imaging.visibility import (
    ROSE,
    inserted_side,
    outline_excess,
    vanished_pixels,
    vanished_signal,
)
from worldgen.labelling import labels_of

FAINT = Spec(seed=1, fog_mor_m=15.0)
SMALL = 8
"""A thing of about 44 pixels in every frame."""
_YS, _XS = np.mgrid[:144, :256]
# Plain ground with a checkerboard above it.
_PICTURE = (80 + 60 * ((_YS < 40) & ((_XS // 8 + _YS // 8) % 2 == 0))).astype(np.uint8)
STILL = np.repeat(np.repeat(_PICTURE[None, ..., None], 6, axis=0), 3, axis=3)


@lru_cache(maxsize=1)
def source() -> View:
    return View(situations.drive().clip, 640, 1.0)


def judged(frames: np.ndarray, spec: Spec | None = None, labels: Labels | None = None) -> list[Finding]:
    d = situations.drive()
    evidence = Evidence(
        source=source(),
        candidate=View(situations.with_frames(frames), 640, 1.0),
        geometry=d.geometry,
        spec=spec,
        condition=d.condition,
        labels=labels,
        thresholds=Thresholds(),
    )
    return list(things_present(evidence))


def erased(frames: np.ndarray, thing: int) -> np.ndarray:
    masks = situations.drive().geometry.instances == thing
    wide = [cv2.dilate(m.astype(np.uint8), np.ones((5, 5), np.uint8)) for m in masks]
    return np.stack([cv2.inpaint(f, m, 3, cv2.INPAINT_TELEA) for f, m in zip(frames, wide, strict=True)])


def noisy(frames: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


def flattened(frames: np.ndarray) -> np.ndarray:
    """Only a sixteenth of the contrast is left."""
    return (frames / 16 + 110).astype(np.uint8)


def named(found: list[Finding], check: str) -> set[int | None]:
    return {p.object_id for f in found if f.check == check for p in f.places}


@pytest.mark.parametrize("spec", [None, situations.FOG], ids=["same", "fog"])
def test_every_thing_is_found_and_a_pass_says_what_it_covers(spec):
    frames = situations.drive().clip.frames if spec is None else situations.weathered(spec)
    (found,) = judged(frames, spec)
    assert found.passed is True
    assert found.detectable is not None
    assert f"{found.detectable.side_px:.1f} px" in found.reason


@pytest.mark.parametrize("spec", [None, situations.FOG], ids=["same", "fog"])
def test_a_small_thing_that_is_gone_is_named(spec):
    frames = situations.drive().clip.frames if spec is None else situations.weathered(spec)
    found = judged(erased(frames, SMALL), spec)
    assert [f.passed for f in found if f.check == "objects.present"] == [False]
    assert SMALL in named(found, "objects.present")


def test_noise_that_nobody_asked_for_and_that_hides_an_erased_thing_is_inconclusive():
    frames = noisy(flattened(erased(situations.drive().clip.frames, SMALL)), 30)
    found = judged(frames)
    assert SMALL in named(found, "objects.unproven")
    unproven = next(f for f in found if f.check == "objects.unproven")
    assert unproven.passed is None
    assert unproven.threshold is not None
    assert unproven.value is not None
    assert unproven.value < unproven.threshold
    assert Verdict.of(tuple(found)).state == "inconclusive"


def test_the_same_noise_does_not_pass_for_a_thing_that_is_still_there():
    found = judged(noisy(flattened(situations.drive().clip.frames), 30))
    assert SMALL in named(found, "objects.unproven")


def test_what_its_label_leaves_out_is_not_evidence_missing():
    labels = situations.drive().labels
    ignored = labels.model_copy(
        update={
            "frames": tuple(
                f.model_copy(
                    update={
                        "objects": tuple(
                            o.model_copy(update={"use": "ignore", "reason": "given"}) for o in f.objects
                        )
                    }
                )
                for f in labels.frames
            )
        }
    )
    frames = noisy(flattened(erased(situations.drive().clip.frames, SMALL)), 30)
    found = judged(frames, labels=ignored)
    assert SMALL in named(found, "objects.hidden")
    assert SMALL not in named(found, "objects.unproven")


def test_honest_fog_with_far_things_is_accepted_and_their_labels_are_left_out():
    d = situations.drive()
    found = judged(situations.weathered(FAINT), FAINT, d.labels)
    hidden = named(found, "objects.hidden")
    assert hidden
    assert all(f.passed is not False for f in found)
    verdict = Verdict.of(tuple(found))
    assert verdict.state == "accepted"
    labels = labels_of(d.labels, verdict, FAINT, rendered={}, geometry_ref=None)
    assert labels is not None
    uses = {(o.use, o.reason is None) for f in labels.frames for o in f.objects if o.id in hidden}
    assert uses == {("ignore", False)}


def test_night_draws_things_anew_and_nothing_is_said():
    assert judged(situations.weathered(situations.NIGHT), situations.NIGHT) == []


def test_the_least_size_has_the_signal_that_rose_asks_for():
    least = vanished_pixels(20.0, 0.1, 4.0, 8)
    assert vanished_signal(20.0, 0.1, 4.0, least * 8) == pytest.approx(ROSE)
    assert least == pytest.approx(ROSE**2 * 4 * 4.0 / (8 * 0.1**2 * 20.0**2))
    assert vanished_pixels(20.0, 0.0, 4.0, 8) == math.inf


def test_the_signal_is_what_a_matched_filter_measures():
    rng = np.random.default_rng(0)
    pattern = rng.normal(0, 10, 400)
    sums = [(0.2 * pattern + rng.normal(0, 6, 400)) @ pattern for _ in range(2000)]
    # White noise: four times as many pixels are independent as are counted.
    expected = 2 * vanished_signal(float(np.sqrt((pattern**2).mean())), 0.2, 36.0, 400)
    assert np.mean(sums) / np.std(sums) == pytest.approx(expected, rel=0.06)


def test_an_outline_adds_its_contrast_less_what_is_explained():
    x = np.arange(-20, 20, 0.01)
    for explained in (0.0, 1.0, 5.0, 20.0):
        gradient = 30 / (1.2 * np.sqrt(2 * np.pi)) * np.exp(-(x**2) / (2 * 1.2**2))
        summed = np.maximum(gradient - explained, 0).sum() * 0.01
        value = float(outline_excess(30.0, np.array([explained], np.float32), 1.2)[0])
        assert value == pytest.approx(summed, abs=0.02)
    assert inserted_side(1.0, 576.0, np.array([0.0, 36.0], np.float32)).tolist() == [math.inf, 4.0]


def new_finding(frames: np.ndarray) -> Finding:
    clip = situations.with_frames(frames)
    evidence = Evidence(
        source=View(situations.with_frames(STILL), 640, 1.0),
        candidate=View(clip, 640, 1.0),
        geometry=None,
        spec=None,
        condition=situations.drive().condition,
        labels=None,
        thresholds=Thresholds(),
    )
    (found,) = nothing_new(evidence)
    return found


def test_what_is_put_in_at_the_promised_size_is_found_and_a_smaller_one_is_not():
    size = new_finding(STILL).detectable
    assert size is not None
    for share, is_found in ((1.0, True), (0.25, False)):
        side = math.ceil(size.side_px * share)
        frames = STILL.copy()
        # On the plain ground.
        frames[:, 91 : 91 + side, 101 : 101 + side] += np.uint8(size.contrast_levels)
        assert (new_finding(frames).passed is False) == is_found


def test_noise_enlarges_what_would_be_found():
    plain, noise = (new_finding(f).detectable for f in (STILL, noisy(STILL, 5)))
    assert plain is not None
    assert noise is None or noise.side_px > plain.side_px
