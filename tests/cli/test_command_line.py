"""The command line as a user types it: shapes, exit codes, resume."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.situations_jobs import small_clip

WORLDGEN = [sys.executable, "-m", "worldgen"]


def run(*words: str | Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    command = [*WORLDGEN, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def answer(ended: subprocess.CompletedProcess[str]) -> dict:
    """Standard output is one JSON document and nothing else."""
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=10)


def test_augment_prints_one_document_and_makes_nothing_twice(clip: Path, tmp_path: Path) -> None:
    words = ("augment", clip, "--specs", "fog 80 m, night", "-o", tmp_path / "out", "--json")
    first = run(*words)
    assert first.returncode == 0, first.stderr
    made = answer(first)
    assert {"variants", "report", "seconds"} <= set(made)
    assert len(made["variants"]) == 2
    for variant in made["variants"]:
        assert {"id", "spec", "model", "verdict", "findings", "video", "labels", "provenance"} <= set(variant)
        assert variant["verdict"] in ("accepted", "review", "rejected", "inconclusive")
        assert Path(variant["video"]).is_file()
        assert Path(variant["provenance"]).is_file()
        for finding in variant["findings"]:
            assert {"check", "passed", "value", "threshold", "reason"} <= set(finding)
    assert Path(made["report"]).is_file()
    times = {v["video"]: Path(v["video"]).stat().st_mtime_ns for v in made["variants"]}
    again = answer(run(*words))
    assert [v["id"] for v in again["variants"]] == [v["id"] for v in made["variants"]]
    assert {v["video"]: Path(v["video"]).stat().st_mtime_ns for v in again["variants"]} == times
    assert again["seconds"] < made["seconds"]


def test_strict_turns_what_is_not_accepted_into_three(clip: Path, tmp_path: Path) -> None:
    words = ("augment", clip, "--specs", "night", "-o", tmp_path / "out", "--json")
    made = answer(run(*words))
    expected = 0 if made["variants"][0]["verdict"] == "accepted" else 3
    assert run(*words, "--strict").returncode == expected


def test_judging_the_source_as_a_variant_is_a_rejection(clip: Path) -> None:
    ended = run("judge", clip, clip, "--spec", "dense fog", "--strict", "--json")
    assert ended.returncode == 3, ended.stderr
    found = answer(ended)
    assert found["verdict"] == "rejected"
    assert any(f["passed"] is False for f in found["findings"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("augment", "no-such-file.mp4", "--specs", "fog"), "source.not_found"),
        (("augment", "{clip}", "--specs", "frogs"), "spec.unknown_word"),
        (("augment", "{clip}", "--specs", "fog", "--model", "magic"), "contract.unknown_model"),
        (("judge", "{clip}", "no-such-file.mp4"), "source.not_found"),
        (("bench", "nothing"), "config.not_found"),
        (("bench", "physics", "--soak", "1"), "config.invalid"),
        (("bench", "serve", "--trials", "t.jsonl"), "config.invalid"),
        (("bench", "serve", "--dataset", "cityscapes"), "config.invalid"),
        (("bench", "serve", "--request-rate", "0"), "config.invalid"),
        (("bench", "serve", "--max-concurrency", "0"), "config.invalid"),
        (("bench", "serve", "--model", "magic"), "contract.unknown_model"),
        (("controls", "{clip}", "--kinds", "sonar"), "config.invalid"),
        (("record", "{new}", "--size", "big"), "config.invalid"),
        (("stress", "{clip}", "--predict", "true"), "config.invalid"),
        (("report", "{new}"), "output.not_a_folder"),
        (("augment", "{clip}", "--nonsense"), "usage.invalid"),
    ],
)
def test_bad_input_is_two_with_a_code_and_writes_nothing(
    words: tuple[str, ...], code: str, clip: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    filled = [w.format(clip=clip, new=new) for w in words]
    out = ["-o", str(tmp_path / "out")] if words[0] in ("augment", "controls", "stress") else []
    ended = run(*filled, *out, "--json")
    assert ended.returncode == 2, ended.stdout + ended.stderr
    error = answer(ended)["error"]
    assert error["code"] == code
    assert error["message"]
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_keeps_what_is_finished_and_the_next_run_goes_on(tmp_path: Path) -> None:
    # The fake waits at every step, so that an interrupt after the first variant comes before the last.
    clip = small_clip(tmp_path / "clip.mp4", frames=12)
    out = tmp_path / "out"
    words = [
        *WORLDGEN,
        "augment",
        str(clip),
        "--specs",
        "fog, night, dusk, dense fog",
        *("--model", "fake", "--set", "step_seconds=0.1"),
        "-o",
        str(out),
        "--json",
    ]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where these tests run in a shell's background, children inherit an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if (out / "variants").is_dir() and any((out / "variants").iterdir()):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    kept = {p.name for p in (out / "variants").iterdir()}
    assert 0 < len(kept) < 4
    ended = run(*words[3:])
    assert ended.returncode == 0, ended.stderr
    assert len(answer(ended)["variants"]) == 4
    assert kept < {p.name for p in (out / "variants").iterdir()}


def test_a_dry_run_writes_nothing_and_names_what_is_no_change(clip: Path, tmp_path: Path) -> None:
    ended = run("augment", clip, "--preset", "carla18", "--dry-run", "-o", tmp_path / "out", "--json")
    assert ended.returncode == 0, ended.stderr
    told = answer(ended)
    assert len(told["variants"]) == 18
    assert {row["code"] for row in told["variants"]} > {"ok"}
    assert told["seconds"] > 0
    assert not (tmp_path / "out").exists()


def test_listings_have_stable_fields() -> None:
    specs = answer(run("specs", "--json"))
    assert len(specs["presets"]["carla18"]["specs"]) == 18
    models = answer(run("models", "--json"))["models"]
    physics = next(m for m in models if m["name"] == "physics")
    assert physics["kind"] == "physics"
    assert answer(run("doctor", "--json"))["ready"] is True
    assert "source.not_found" in answer(run("doctor", "--codes", "--json"))["codes"]


def test_every_command_teaches() -> None:
    for command in (
        "augment",
        "judge",
        "inspect",
        "controls",
        "record",
        "specs",
        "models",
        "stress",
        "report",
    ):
        ended = run(command, "--help")
        assert ended.returncode == 0
        assert len(ended.stdout.splitlines()) > 8


def test_controls_are_lossless_and_frame_exact(clip: Path, tmp_path: Path) -> None:
    ended = run("controls", clip, "--kinds", "edge,depth,blur", "-o", tmp_path / "controls", "--json")
    assert ended.returncode == 0, ended.stderr
    told = answer(ended)
    assert {row["kind"] for row in told["controls"]} == {"edge", "depth", "blur"}
    import av

    for row in told["controls"]:
        with av.open(row["video"]) as container:
            frames = list(container.decode(video=0))
        assert len(frames) == 10
        assert "444" in frames[0].format.name
