"""In haze: contrast that may turn or that nobody can see is no evidence, and what can be seen still is."""

import cv2
import numpy as np
import pytest

from worldgen.critic.checks.objects import patterns_kept
from worldgen.critic.evidence import Evidence
from worldgen.critic.survey import Allowance, survey
from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Clip, Spec
from worldgen.models.physics import render_frames
from worldgen.sources.proving_ground import Drive, render_drive

FOG = Spec(seed=1, fog_mor_m=100.0)


def fogged(drive: Drive) -> np.ndarray:
    return np.stack(list(render_frames(drive.clip, drive.geometry, FOG, drive.condition, 1)))


def evidence_of(drive: Drive, frames: np.ndarray) -> Evidence:
    clip = Clip(frames=frames, timestamps_seconds=drive.clip.timestamps_seconds, fps=drive.clip.fps)
    return Evidence(
        source=View(drive.clip, 640, 1.0),
        candidate=View(clip, 640, 1.0),
        geometry=drive.geometry,
        spec=FOG,
        condition=drive.condition,
        labels=drive.labels,
        thresholds=Thresholds(),
    )


def test_white_cars_before_white_fog_keep_their_pattern_and_others_in_their_place_do_not():
    drive = render_drive(9_000_025, frames=12, size=(256, 144), fps=10.0)
    frames = fogged(drive)
    found = {f.check: f for f in patterns_kept(evidence_of(drive, frames))}["objects.pattern"]
    assert found.passed
    assert found.value > 0.7, "their contrast turns over, and is expected to"
    assert drive.geometry.instances is not None
    ids, counts = np.unique(drive.geometry.instances, return_counts=True)
    largest = drive.geometry.instances == ids[1:][counts[1:].argmax()]
    other = np.where(largest[..., None], 255 - frames, frames)
    found = {f.check: f for f in patterns_kept(evidence_of(drive, other))}["objects.pattern"]
    assert found.passed is False


@pytest.mark.parametrize(("left", "least", "most"), [(0.02, 0.2, 0.6), (0.2, 0.95, 1.001)])
def test_contrast_below_that_of_the_optical_range_is_hardly_asked_for(left, least, most):
    """The same picture with little contrast: whether it is haze that takes it decides what is asked."""
    noise = np.random.default_rng(1).normal(size=(144, 256, 3)).astype(np.float32)
    texture = 128 + 250 * cv2.GaussianBlur(noise, (0, 0), 2.0)
    clips = [
        Clip(
            frames=np.repeat(np.clip(frame, 0, 255).round().astype(np.uint8)[None], 3, axis=0),
            timestamps_seconds=np.arange(3) / 10,
            fps=10.0,
        )
        for frame in (texture, 128 + left * (texture - 128))
    ]
    source, candidate = (View(clip, 640, 1.0) for clip in clips)
    through = np.full((3, 144, 256), left, np.float32)
    asked = [
        survey(source, candidate, tile=8, floor=4.0, allowance=allowance).due.sum()
        for allowance in (Allowance(), Allowance(predicted=through))
    ]
    assert asked[0] > 0
    assert least < asked[1] / asked[0] < most
