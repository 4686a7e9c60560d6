"""Guardrails around a world model: refused before and after, faces changed, recorded, never silent."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.situations import painted
from worldgen.datatypes import Candidate, Clip, Condition, Fit, GenerationPlan, Progress, Spec
from worldgen.errors import ConfigError, GenerationError
from worldgen.media.scratch import Scratch
from worldgen.models.fake import FakeWorldModel
from worldgen.models.guardrail import GuardedWorldModel, build_guardrail

STAND_IN = '''
"""The interface of cosmos_guardrail without its gated weights: refuses what the tests ask it to refuse."""
class CosmosSafetyChecker:
    refuse, faces, broken = False, False, False
    def __init__(self): self.devices = []
    def to(self, device=None, dtype=None): self.devices.append(device)
    def check_text_safety(self, prompt):
        if self.broken: raise RuntimeError("out of memory")
        return "forbidden" not in prompt
    def check_video_safety(self, frames):
        if self.refuse: return None
        if self.faces: frames[:, 10:30, 10:30] = 128
        return frames
'''


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    """Stand in for the vendor's package, whose weights are gated: the same interface, decisions by the tests."""
    (tmp_path / "cosmos_guardrail.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "cosmos_guardrail", raising=False)
    from cosmos_guardrail import CosmosSafetyChecker

    yield CosmosSafetyChecker
    sys.modules.pop("cosmos_guardrail", None)


class Bench:
    """The fake world model over one clip, guarded."""

    def __init__(self, root: Path, guardrail: str) -> None:
        self.scratch = Scratch(root)
        frames = painted(6, 160, 96)
        clip = Clip(frames=frames, fps=10.0, timestamps_seconds=np.arange(6) / 10.0)
        self.source = self.scratch.put_clip(clip)
        guard = build_guardrail(guardrail)
        self.inner = FakeWorldModel(self.scratch)
        self.model = GuardedWorldModel(self.inner, guard, self.scratch)
        self.guardrail = guardrail

    def events(self, prompt: str = "a street", negative: str = "blurry") -> list[Progress | Candidate]:
        fit = Fit(
            source_frames=6,
            model_frames=6,
            source_size=(160, 96),
            model_size=(160, 96),
            source_fps=10,
            model_fps=10,
        )
        plan = GenerationPlan(
            variant_id="v" * 32,
            attempt=1,
            model="fake",
            revision="1",
            spec=Spec(seed=1),
            seed=1,
            source=self.source,
            geometry=None,
            controls=(),
            condition=Condition(),
            fit=fit,
            prompt=prompt,
            negative_prompt=negative,
            parameters={"steps": 2, "chunks": 1, "guardrail": self.guardrail},
        )
        return list(self.model.generate(plan, threading.Event()))

    def candidate(self, **words: str) -> Candidate:
        last = self.events(**words)[-1]
        assert isinstance(last, Candidate)
        return last

    def files(self) -> list[Path]:
        return list(self.scratch.root.rglob("*.candidate.mp4"))


def test_off_is_recorded_as_off(tmp_path: Path) -> None:
    record = Bench(tmp_path, "off").candidate().guardrail
    assert record is not None
    assert (record.requested, record.text, record.video) == ("off", "off", "off")


@pytest.mark.parametrize("words", [{"prompt": "a lifeless street"}, {"negative": "color bleeding"}])
def test_a_refused_prompt_costs_no_compute_and_leaves_no_file(tmp_path: Path, words: dict[str, str]) -> None:
    bench = Bench(tmp_path, "words")
    (only,) = bench.events(**words)
    assert isinstance(only, Candidate)
    assert "blocked by a guardrail (words" in only.blocked
    assert only.guardrail is not None
    assert (only.guardrail.text, only.guardrail.video) == ("blocked", "off")
    assert not bench.files()
    passed = bench.candidate()
    assert not passed.blocked
    assert passed.guardrail is not None
    assert passed.guardrail.text == "passed"


def test_the_vendor_s_guardrail_looks_at_text_and_frames(tmp_path: Path, vendor: type) -> None:
    bench = Bench(tmp_path / "scratch", "cosmos")
    passed = bench.candidate()
    assert passed.guardrail is not None
    assert (passed.guardrail.text, passed.guardrail.video, passed.guardrail.faces_blurred) == (
        "passed",
        "passed",
        False,
    )
    assert passed.guardrail.version.startswith("cosmos_guardrail")
    assert "prompt" in bench.candidate(prompt="forbidden").blocked


def test_refused_frames_are_a_reason_and_no_black_video(
    tmp_path: Path, vendor: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "refuse", True)
    bench = Bench(tmp_path / "scratch", "cosmos")
    blocked = bench.candidate()
    assert "frames were refused" in blocked.blocked
    assert blocked.guardrail is not None
    assert (blocked.guardrail.text, blocked.guardrail.video) == ("passed", "blocked")
    assert not blocked.video.uri
    assert not bench.files()
    assert blocked.counters, "what it cost is still told"


def test_changed_faces_are_in_the_file_and_in_the_record(
    tmp_path: Path, vendor: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Bench(tmp_path / "plain", "off")
    before = plain.scratch.clip(plain.candidate().video).frames
    monkeypatch.setattr(vendor, "faces", True)
    bench = Bench(tmp_path / "scratch", "cosmos")
    candidate = bench.candidate()
    assert candidate.guardrail is not None
    assert candidate.guardrail.faces_blurred
    frames = bench.scratch.clip(candidate.video).frames
    assert np.abs(frames[:, 14:26, 14:26].astype(int) - 128).max() < 12
    assert np.abs(frames[:, 50:, 80:].astype(int) - before[:, 50:, 80:]).mean() < 4
    assert [p.name for p in bench.files()] == [Path(candidate.video.uri).name], "the unchanged one is gone"


def test_a_guardrail_that_fails_is_no_pass(
    tmp_path: Path, vendor: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "broken", True)
    bench = Bench(tmp_path / "scratch", "cosmos")
    with pytest.raises(GenerationError, match="guardrail"):
        bench.events()
    assert not bench.files()


def test_what_cannot_be_had_is_an_error_and_not_off(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        build_guardrail("cosmos")
    assert caught.value.code == "config.missing_extra"
    with pytest.raises(ConfigError) as caught:
        build_guardrail("on")
    assert "off, words, cosmos" in caught.value.message
