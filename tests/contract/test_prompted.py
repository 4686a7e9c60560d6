"""From a caption beside a clip to what a diffusion model read, in one call: prompts, guardrail, provenance."""

import json
from pathlib import Path

import pytest

from tests.situations import encode, painted
from tests.situations_captions import SUNNY
from worldgen.assembly import augment
from worldgen.errors import WeightsError

pytest.importorskip("torch", reason="the extra worldgen[models] is not installed")
pytest.importorskip("diffusers", reason="the extra worldgen[models] is not installed")

QUICK = {"tier": 256, "steps": 1, "device": "cpu", "dtype": "float32", "guardrail": "words"}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "drive.mp4"
    encode(path, painted(9, 160, 96))
    return path


def test_the_caption_beside_a_clip_is_what_the_model_read(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.situations_cosmos3 import install

    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(tmp_path / "weights"))
    install(tmp_path / "weights", "cosmos3-nano")
    beside = clip.with_name("drive.caption.json")
    beside.write_text(SUNNY.to_json())
    options = {"model": "cosmos3-nano", "parameters": QUICK, "report_page": False, "condition": "clear"}
    (variant,) = augment(clip, "night", out=tmp_path / "out", **options).variants
    directive = variant.provenance.plan.prompt.index("} Follow the ")
    said = json.loads(variant.provenance.plan.prompt[: directive + 1])
    assert said["subjects"][0]["description"] == "A silver sedan driving ahead in the same lane"
    assert said["lighting"]["conditions"].startswith("Night")
    assert variant.candidate.guardrail is not None
    assert (variant.candidate.guardrail.requested, variant.candidate.guardrail.text) == ("words", "passed")
    assert augment(clip, "night", out=tmp_path / "out", **options).reused == 1

    # Another caption makes another variant, and one with a listed word is refused before any compute.
    beside.write_text(SUNNY.model_copy(update={"context": "a lifeless avenue"}).to_json())
    (blocked,) = [v for v in augment(clip, "night", out=tmp_path / "out", **options) if v.id != variant.id]
    assert blocked.verdict.state == "rejected"
    (finding,) = blocked.verdict.findings
    assert "'lifeless'" in finding.reason
    assert blocked.provenance.attempts == 1
    folder = next((tmp_path / "out" / "variants").glob(f"*-{blocked.id[:12]}"))
    assert not list(folder.glob("*.mp4")), "a refused clip is no video"
    assert blocked.candidate.guardrail is not None
    assert blocked.candidate.guardrail.text == "blocked"


def test_missing_weights_say_what_to_run(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDGEN_WEIGHTS", str(tmp_path / "weights"))
    with pytest.raises(WeightsError) as caught:
        augment(clip, "night", out=tmp_path / "out", model="cosmos3-nano")
    assert caught.value.code == "weights.missing"
    assert "worldgen models pull cosmos3-nano" in caught.value.hint
    assert "35.0 GB on disk" in caught.value.message
