"""Trials on disk while they are made."""

import json

import pytest

from worldgen.bench.critic.record import TrialRecord
from worldgen.bench.critic.trial import Trial
from worldgen.bench.progress import BenchProgress
from worldgen.errors import ConfigError


def trial(kind: str = "erased") -> Trial:
    return Trial(
        seed=1,
        kind=kind,
        strength=1,
        is_good=False,
        held_out=False,
        asked="fog",
        verdict="rejected",
        recognised="fog",
        failed=("structure.new", "temporal.still"),
    )


def test_what_was_added_is_there_for_the_next_run(tmp_path):
    path = tmp_path / "deep" / "trials.jsonl"
    record = TrialRecord(path, "measured-1")
    record.add("scene 7", [trial("a"), trial("b")])
    record.add("scene 8", [])
    again = TrialRecord(path, "measured-1")
    assert again.has("scene 7")
    assert again.has("scene 8")
    assert not again.has("scene 9")
    assert again.trials(["scene 8", "scene 7", "scene 9"]) == [trial("a"), trial("b")]


def test_half_a_line_of_whoever_was_killed_is_cut_off(tmp_path):
    path = tmp_path / "trials.jsonl"
    TrialRecord(path, "c").add("scene 1", [trial()])
    whole = path.read_text()
    path.write_text(whole + whole[: len(whole) // 2])
    record = TrialRecord(path, "c")
    assert record.has("scene 1")
    record.add("scene 2", [trial("b")])
    assert TrialRecord(path, "c").trials(["scene 1", "scene 2"]) == [trial(), trial("b")]


def test_trials_of_another_critic_are_not_mixed_in(tmp_path):
    path = tmp_path / "trials.jsonl"
    TrialRecord(path, "old").add("scene 1", [trial()])
    with pytest.raises(ConfigError, match="line 1: trials of critic old; this one is new"):
        TrialRecord(path, "new")


@pytest.mark.parametrize(
    "line", ["not json", "{}", json.dumps({"unit": "u", "critic": "c", "trials": [{"seed": 1}]})]
)
def test_another_file_is_refused_and_left_alone(tmp_path, line):
    path = tmp_path / "notes.txt"
    path.write_text(line + "\n")
    with pytest.raises(ConfigError, match="line 1: no trials"):
        TrialRecord(path, "c")
    assert path.read_text() == line + "\n"


def test_progress_without_a_terminal_is_a_line_at_the_end(capsys):
    with BenchProgress("scenes", 3) as progress:
        progress.skip(1)
        progress.advance()
        progress.advance()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "3 of 3 scenes, about 0 minutes left\n"
