"""Depth fidelity: the veil must lie on the geometry that it is judged with."""

from dataclasses import replace

import numpy as np
import pytest

from tests.situations_critic import FOG, NIGHT, case_of, drive, weathered
from worldgen.critic.build import build_critic
from worldgen.datatypes import Finding, Spec
from worldgen.media.scratch import Scratch
from worldgen.models.physics.renderer import render_frames


@pytest.fixture
def scratch(tmp_path) -> Scratch:
    return Scratch(tmp_path)


def _veil(scratch: Scratch, frames: np.ndarray, spec: Spec) -> Finding | None:
    verdict = build_critic(scratch).judge(case_of(scratch, frames, spec=spec))
    return next((f for f in verdict.findings if f.check == "depth.veil"), None)


def test_fog_on_its_own_depth_is_explained(scratch: Scratch) -> None:
    found = _veil(scratch, weathered(FOG), FOG)
    assert found is not None
    assert found.passed
    assert found.value < 0.25


def test_fog_on_depth_turned_inside_out_is_not(scratch: Scratch) -> None:
    d = drive()
    g = d.geometry
    # The nearest becomes the farthest; what is tagged as sky stays sky.
    turned = np.where(np.isfinite(g.depth_m), 400 / g.depth_m, g.depth_m).astype(np.float32)
    foreign = replace(g, depth_m=turned)
    frames = np.stack(list(render_frames(d.clip, foreign, FOG, d.condition, FOG.seed)))
    found = _veil(scratch, frames, FOG)
    assert found is not None
    assert not found.passed
    assert found.severity == "reject"


def test_night_says_nothing_about_depth(scratch: Scratch) -> None:
    assert _veil(scratch, weathered(NIGHT), NIGHT) is None
