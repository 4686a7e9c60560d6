"""Guardrails around a world model: refused before and after, faces changed, recorded, never silent."""

import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.situations import painted
from worldgen.datatypes import (
    Candidate,
    Clip,
    Condition,
    Fit,
    GenerationPlan,
    GuardrailRecord,
    Progress,
    Spec,
)
from worldgen.errors import ConfigError, GenerationError
from worldgen.media.scratch import Scratch
from worldgen.models.fake import FakeWorldModel
from worldgen.models.guardrail import GuardedWorldModel, Guardrail, build_guardrail
from worldgen.models.guardrail.fake import FakeGuardrail
from worldgen.models.guardrail.looks import Looks


class Bench:
    """The fake world model over one clip, guarded."""

    def __init__(self, root: Path, guardrail: str | Guardrail) -> None:
        self.scratch = Scratch(root)
        frames = painted(6, 160, 96)
        clip = Clip(frames=frames, fps=10.0, timestamps_seconds=np.arange(6) / 10.0)
        self.source = self.scratch.put_clip(clip)
        guard = build_guardrail(guardrail) if isinstance(guardrail, str) else guardrail
        self.inner = FakeWorldModel(self.scratch)
        self.model = GuardedWorldModel(self.inner, guard, self.scratch)
        self.guardrail = guardrail if isinstance(guardrail, str) else guardrail.name

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


def test_text_and_frames_are_looked_at(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeGuardrail())
    passed = bench.candidate()
    assert passed.guardrail is not None
    record = passed.guardrail
    assert (record.text, record.video, record.faces_blurred) == ("passed", "passed", False)
    assert record.version == "fake 1"
    assert "prompt" in bench.candidate(prompt="forbidden").blocked


def test_frames_that_nothing_could_refuse_are_not_said_to_have_passed(tmp_path: Path) -> None:
    record = Bench(tmp_path, FakeGuardrail(judges_frames=False)).candidate().guardrail
    assert record is not None
    assert (record.text, record.video) == ("passed", "off")


def test_refused_frames_are_a_reason_and_no_black_video(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeGuardrail(refuses_frames=True))
    blocked = bench.candidate()
    assert "frames were refused" in blocked.blocked
    assert blocked.guardrail is not None
    assert (blocked.guardrail.text, blocked.guardrail.video) == ("passed", "blocked")
    assert not blocked.video.uri
    assert not bench.files()
    assert blocked.counters, "what it cost is still told"


def test_changed_faces_are_in_the_file_and_in_the_record(tmp_path: Path) -> None:
    plain = Bench(tmp_path / "plain", "off")
    before = plain.scratch.clip(plain.candidate().video).frames
    bench = Bench(tmp_path / "scratch", FakeGuardrail(paints_faces=True))
    candidate = bench.candidate()
    assert candidate.guardrail is not None
    assert candidate.guardrail.faces_blurred
    frames = bench.scratch.clip(candidate.video).frames
    assert np.abs(frames[:, 14:26, 14:26].astype(int) - 128).max() < 12
    assert np.abs(frames[:, 50:, 80:].astype(int) - before[:, 50:, 80:]).mean() < 4
    assert [p.name for p in bench.files()] == [Path(candidate.video.uri).name], "the unchanged one is gone"


def test_a_guardrail_that_fails_is_no_pass(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeGuardrail(fails=True))
    with pytest.raises(GenerationError, match="guardrail"):
        bench.events()
    assert not bench.files()


def test_what_cannot_be_had_is_an_error_and_not_off() -> None:
    if find_spec("cosmos_guardrail") is not None:
        pytest.skip("the vendor's package is installed here; this is about its absence")
    with pytest.raises(ConfigError) as caught:
        build_guardrail("cosmos")
    assert caught.value.code == "config.missing_extra"
    with pytest.raises(ConfigError) as caught:
        build_guardrail("on")
    assert "off, words, cosmos" in caught.value.message


def test_a_guardrail_looks_at_what_has_no_plan() -> None:
    frames = np.full((3, 40, 60, 3), 90, np.uint8)
    nothing = Looks(None, "off")
    assert nothing.at_words({"prompt": "forbidden"}) == ""
    assert nothing.at_frames(frames) is frames
    assert nothing.record == GuardrailRecord(requested="off")

    looks = Looks(FakeGuardrail(), "fake")
    assert looks.at_words({"prompt": "a road", "negative prompt": "forbidden"}) == (
        "fake: negative prompt: it holds 'forbidden'"
    )
    assert looks.record.text == "blocked"

    looks = Looks(FakeGuardrail(paints_faces=True), "fake")
    assert looks.at_words({"prompt": "a road", "negative prompt": ""}) == ""
    changed = looks.at_frames(frames)
    assert changed is not None
    assert (changed[:, 10:30, 10:30] == 128).all()
    assert looks.record == GuardrailRecord(
        requested="fake", text="passed", video="passed", faces_blurred=True, version="fake 1"
    )

    looks = Looks(FakeGuardrail(refuses_frames=True), "fake")
    assert looks.at_frames(frames) is None
    assert looks.record.video == "blocked"
