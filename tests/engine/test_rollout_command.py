"""Rollouts along the production path: the command, its files, and what it refuses."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from worldgen.assembly import RolloutOptions, rollout
from worldgen.assembly.trajectory import read_trajectory
from worldgen.cli.app import app
from worldgen.datatypes import Progress
from worldgen.errors import Cancelled, ConfigError, ContractError
from worldgen.media.encode import write_video
from worldgen.media.video import read_clip, sha256_of
from worldgen.prompts.blocked import KNOWN

pytestmark = pytest.mark.usefixtures("installed")

WORD = next(iter(KNOWN))
QUICK: dict[str, Any] = {"tier": 256, "steps": 2, "device": "cpu", "dtype": "float32"}
AHEAD = [0.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    pixels = np.random.default_rng(0).integers(0, 256, (6, 54, 96, 3), dtype=np.uint8)
    write_video(path, pixels, fps=10.0)
    return path


def trajectory(path: Path, *, steps: int = 8, side: float = 0.0) -> Path:
    path.write_text(json.dumps([[side, *AHEAD[1:]]] * steps))
    return path


def test_the_command_drives_on_from_the_first_frame(clip: Path, tmp_path: Path) -> None:
    way = trajectory(tmp_path / "ahead.json")
    sets = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]
    words = ["rollout", str(clip), "--actions", str(way), "-o", str(tmp_path / "out"), *sets, "--json"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert (told["mode"], told["judged"], told["reused"]) == ("actions", False, False)
    assert "no source to compare" in told["note"]
    assert told["weights"] == "cosmos3-nano@000000000000"
    assert (told["rendered"]["guidance"], told["rendered"]["steps"]) == (1.0, 2.0)
    video = Path(told["file"])
    made = read_clip(video, trusted=True)
    assert made.frames.shape == (9, 54, 96, 3)
    assert told["video"]["sha256"] == sha256_of(video)
    assert json.loads((video.parent / "rollout.json").read_text())["actions"] == sha256_of(way)
    again = json.loads(CliRunner().invoke(app, words).stdout)
    assert (again["reused"], again["id"]) == (True, told["id"])


def test_another_way_of_driving_gives_another_clip(clip: Path, tmp_path: Path) -> None:
    seen = set()
    for side in (0.0, 3.0):
        way = trajectory(tmp_path / f"{side}.json", side=side, steps=4)
        options = RolloutOptions(parameters=QUICK, actions=way)
        seen.add(rollout(clip, out=tmp_path / "out", options=options).facts["video"]["sha256"])
    assert len(seen) == 2


def test_first_frames_and_words_make_clips_too(clip: Path, tmp_path: Path) -> None:
    options = RolloutOptions(parameters=QUICK, prompt="A wet road.", frames=9)
    modes = {}
    for source, start in ((clip, 1), (clip, 5), (None, 1)):
        made = rollout(source, out=tmp_path / "out", options=replace(options, start=start))
        modes[made.facts["mode"]] = made.facts["video"]["sha256"]
    assert set(modes) == {"image", "video", "text"}
    assert len(set(modes.values())) == 3


def test_a_cancelled_rollout_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    stop, told = threading.Event(), []

    def tell(progress: Progress) -> None:
        told.append(progress.step)
        stop.set()

    options = RolloutOptions(parameters=QUICK | {"steps": 9}, actions=trajectory(tmp_path / "t.json"))
    with pytest.raises(Cancelled):
        rollout(clip, out=tmp_path / "out", options=options, tell=tell, stop=stop)
    assert told == [1]
    assert not (tmp_path / "out").exists()


def test_refused_words_leave_a_reason_and_no_clip(clip: Path, tmp_path: Path) -> None:
    sets = [
        word
        for name, value in (QUICK | {"guardrail": "words"}).items()
        for word in ("--set", f"{name}={value}")
    ]
    words = ["rollout", str(clip), "--prompt", f"A road, {WORD}.", "--frames", "5", *sets]
    words += ["-o", str(tmp_path / "out"), "--json"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 3, ended.output
    told = json.loads(ended.stdout)
    assert WORD in told["blocked"]
    assert (told["file"], told["guardrail"]["text"]) == ("", "blocked")
    assert "weights" not in told, "the model was asked"
    [folder] = (tmp_path / "out" / "rollouts").iterdir()
    assert [path.name for path in folder.iterdir()] == ["rollout.json"]
    again = CliRunner().invoke(app, words[:-1])
    assert again.exit_code == 3
    assert "blocked by a guardrail" in again.output


def test_words_that_pass_are_on_record(clip: Path, tmp_path: Path) -> None:
    options = RolloutOptions(parameters=QUICK | {"guardrail": "words"}, prompt="A wet road.", frames=5)
    facts = rollout(clip, out=tmp_path / "out", options=options).facts
    assert (facts["guardrail"]["text"], facts["guardrail"]["video"]) == ("passed", "off")
    assert facts["blocked"] == ""


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "frames": ({"frames": 10}, "contract.frames"),
    "more frames than steps": ({"frames": 13}, "contract.frames"),
    "too many frames": ({"frames": 405}, "contract.frames"),
    "two first frames": ({"start": 2}, "contract.frames"),
    "five first frames with actions": ({"start": 5}, "contract.needs"),
    "physics": ({"model": "physics", "parameters": {}}, "contract.needs"),
    "a guardrail that is not here": ({"parameters": QUICK | {"guardrail": "cosmos"}}, "config.missing_extra"),
    "no such file": ({"actions": Path("nowhere.json")}, "config.not_found"),
}


@pytest.mark.parametrize(("change", "code"), BAD.values(), ids=list(BAD))
def test_what_does_not_fit_is_refused(clip: Path, tmp_path: Path, change: dict[str, Any], code: str) -> None:
    options = RolloutOptions(parameters=QUICK, actions=trajectory(tmp_path / "t.json"))
    with pytest.raises((ContractError, ConfigError)) as refused:
        rollout(clip, out=tmp_path / "out", options=replace(options, **change))
    assert refused.value.code == code
    assert not (tmp_path / "out").exists()


def test_actions_or_no_words_without_a_clip_are_refused(tmp_path: Path) -> None:
    for options in (
        RolloutOptions(parameters=QUICK),
        RolloutOptions(actions=trajectory(tmp_path / "t.json")),
    ):
        with pytest.raises(ContractError) as refused:
            rollout(None, out=tmp_path / "out", options=options)
        assert refused.value.reason == "needs"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no JSON"),
        ("[]", "no list of steps"),
        ("{}", "no list of steps"),
        (json.dumps([AHEAD, AHEAD[:8]]), "step 2: 9 numbers"),
        (json.dumps([[*AHEAD[:8], "0"]]), "step 1: not every value"),
        (json.dumps([[*AHEAD[:8], True]]), "step 1: not every value"),
        ("[[NaN, 0, 0, 1, 0, 0, 0, 1, 0]]", "finite"),
        (json.dumps([[0, 0, 1, 0, 0, 90, 0, 0, 0]]), "rotation matrix"),
    ],
)
def test_a_trajectory_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_trajectory(path)
