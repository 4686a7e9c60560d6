"""Checks of the whole picture: detail, what lingers, a second picture, colour's place, seams, how much fog."""

import cv2
import numpy as np
import pytest

from tests import situations_critic as situations
from worldgen.critic.build import build_critic
from worldgen.critic.checks.chroma import colour_in_place
from worldgen.critic.checks.condition import fog_amount, uniform
from worldgen.critic.checks.detail import fine_detail, nothing_lingers, nothing_shines_through
from worldgen.critic.critic import MeasuredCritic
from worldgen.critic.evidence import Evidence
from worldgen.critic.haze import fit_haze
from worldgen.critic.thresholds import Thresholds
from worldgen.critic.view import View
from worldgen.datatypes import Finding, Spec
from worldgen.imaging.condition import recognition_version

DUSK = Spec(seed=1, sun_elevation_deg=-3.0)


def evidence_of(frames: np.ndarray, spec: Spec | None = None) -> Evidence:
    d, limits = situations.drive(), Thresholds()

    def view(clip) -> View:
        return View(clip, limits.working_width, limits.gradient_sigma)

    return Evidence(
        source=view(d.clip),
        candidate=view(situations.with_frames(frames)),
        geometry=d.geometry,
        spec=spec,
        condition=d.condition,
        labels=None,
        thresholds=limits,
    )


def the(findings: tuple[Finding, ...], check: str) -> Finding:
    return next(f for f in findings if f.check == check)


def blurred(frames: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(f, (0, 0), 1.5) for f in frames])


def lingering(frames: np.ndarray) -> np.ndarray:
    late = np.concatenate([frames[:3], frames[:-3]])
    return (0.55 * frames + 0.45 * late).astype(np.uint8)


def two_pictures(frames: np.ndarray) -> np.ndarray:
    # The second picture moves as the first does, so that only its content tells it.
    return (0.5 * frames + 0.5 * frames[:, :, ::-1]).astype(np.uint8)


def bled(frames: np.ndarray) -> np.ndarray:
    out = []
    for frame in frames:
        ycc = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)
        ycc[..., 1:] = np.roll(ycc[..., 1:], 6, axis=1)
        out.append(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB))
    return np.stack(out)


@pytest.mark.parametrize(
    ("check", "name", "plant"),
    [
        (fine_detail, "structure.detail", blurred),
        (nothing_lingers, "temporal.lingering", lingering),
        (nothing_shines_through, "structure.second_picture", two_pictures),
        (colour_in_place, "colour.beside", bled),
    ],
)
def test_a_defect_of_the_whole_picture_is_told_from_the_source(check, name, plant):
    frames = situations.drive().clip.frames
    assert the(check(evidence_of(frames)), name).passed is True
    assert the(check(evidence_of(plant(frames))), name).passed is False


@pytest.mark.parametrize("check", [fine_detail, nothing_lingers, nothing_shines_through, colour_in_place])
@pytest.mark.parametrize("spec", [situations.FOG, situations.NIGHT, DUSK], ids=["fog", "night", "dusk"])
def test_weather_is_no_defect_of_the_whole_picture(check, spec):
    found = check(evidence_of(situations.weathered(spec), spec))
    assert all(f.passed is True for f in found), found


def test_haze_that_depth_explains_is_no_seam_and_a_strip_of_other_brightness_is():
    whole = situations.weathered(situations.FOG)
    assert the(uniform(evidence_of(whole, situations.FOG)), "condition.seam").passed is True
    split = whole.astype(np.float32)
    split[:, :, 120:] *= 0.7
    found = the(uniform(evidence_of(split.astype(np.uint8), situations.FOG)), "condition.seam")
    assert found.passed is False, found


def test_the_range_of_a_known_haze_is_measured():
    rng = np.random.default_rng(3)
    source = rng.uniform(0.02, 0.6, 4000).astype(np.float32)
    depth = rng.uniform(5, 150, 4000).astype(np.float32)
    through = np.exp(-2.996 / 120 * depth)
    fit = fit_haze(source, 0.9 * source * through + 0.5 * (1 - through), depth, np.ones(4000, np.bool_))
    assert fit is not None
    assert fit.mor_m == pytest.approx(120, rel=0.1)
    assert fit.airlight == pytest.approx(0.5, abs=0.03)
    assert fit_haze(source, source, np.full(4000, 30, np.float32), np.ones(4000, np.bool_)) is None


def test_the_amount_of_fog_is_told_and_never_rejects():
    (found,) = fog_amount(evidence_of(situations.weathered(situations.FOG), situations.FOG))
    assert found.severity == "info"
    assert found.value == pytest.approx(150, rel=0.6)
    assert found.passed is True


def test_the_version_holds_the_numbers_of_recognition(tmp_path):
    critic = build_critic(situations.new_scratch(tmp_path))
    assert isinstance(critic, MeasuredCritic)
    assert critic.version.endswith(recognition_version())
