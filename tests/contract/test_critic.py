"""Every critic: what it promises, whoever wrote it."""

from collections.abc import Callable

import numpy as np
import pytest

from tests import situations_critic as situations
from worldgen.critic.build import build_critic
from worldgen.critic.fake import AcceptingCritic
from worldgen.critic.protocol import Critic
from worldgen.datatypes import Verdict
from worldgen.errors import JudgeError
from worldgen.media.scratch import Scratch

MAKERS: dict[str, Callable[[Scratch], Critic]] = {
    "measured": build_critic,
    "fake": lambda scratch: AcceptingCritic(),
}


@pytest.fixture(params=sorted(MAKERS))
def critic_and_scratch(request, tmp_path):
    scratch = situations.new_scratch(tmp_path)
    return MAKERS[request.param](scratch), scratch


def test_a_verdict_has_grounds_and_names_its_critic(critic_and_scratch):
    critic, scratch = critic_and_scratch
    case = situations.case_of(scratch, situations.weathered(situations.FOG), situations.FOG)
    verdict = critic.judge(case)
    assert isinstance(verdict, Verdict)
    assert verdict.critic == critic.version
    assert verdict.findings
    assert all(f.reason and "." in f.check for f in verdict.findings)


def test_the_same_case_gets_the_same_verdict(critic_and_scratch):
    critic, scratch = critic_and_scratch
    case = situations.case_of(scratch, situations.weathered(situations.FOG), situations.FOG)
    assert critic.judge(case) == critic.judge(case)


def test_an_honest_variant_is_accepted(critic_and_scratch):
    critic, scratch = critic_and_scratch
    case = situations.case_of(scratch, situations.weathered(situations.FOG), situations.FOG)
    verdict = critic.judge(case)
    assert verdict.state == "accepted", [f for f in verdict.findings if f.passed is not True]


def test_the_fake_says_that_it_is_one(tmp_path):
    scratch = situations.new_scratch(tmp_path)
    verdict = AcceptingCritic().judge(situations.case_of(scratch, situations.drive().clip.frames, None))
    assert "fake" in verdict.critic
    assert any("fake" in f.reason for f in verdict.findings)


def test_an_unreadable_candidate_is_an_error_and_no_verdict(tmp_path):
    scratch = situations.new_scratch(tmp_path)
    case = situations.case_of(scratch, situations.drive().clip.frames, None)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(np.random.default_rng(0).bytes(4000))
    gone = case.candidate.model_copy(update={"uri": str(broken), "sha256": "0" * 64})
    with pytest.raises(JudgeError) as caught:
        build_critic(scratch).judge(case.model_copy(update={"candidate": gone}))
    assert caught.value.code == "judge.unreadable"


def test_the_version_changes_with_every_threshold(tmp_path):
    scratch = situations.new_scratch(tmp_path)
    from worldgen.critic.thresholds import StructureLimits, Thresholds

    one = build_critic(scratch, Thresholds())
    other = build_critic(scratch, Thresholds(structure=StructureLimits(tile_lost=0.7)))
    assert one.version != other.version
