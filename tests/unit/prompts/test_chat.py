"""Captions and rewriting through a real HTTP endpoint: permission, cache, log, useless answers, broken rules."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.situations_captions import SUNNY
from worldgen.chat import Chat, ChatSettings, json_in
from worldgen.config.specs import parse_spec
from worldgen.datatypes import Clip, Spec
from worldgen.errors import ConfigError, ServiceError, SourceError
from worldgen.prompts import Caption, contradictions, edit_caption
from worldgen.sources.captions import caption_beside, read_caption

cv2 = pytest.importorskip("cv2", reason="the extra worldgen[media] is not installed")

from tests.situations_chat import talking  # noqa: E402
from worldgen.models.rewriting import rewrite_caption  # noqa: E402
from worldgen.sources.captioning import caption_clip  # noqa: E402

USEFUL = {
    "subjects": [{"description": "A red car ahead", "number_of_subjects": 1}],
    "background_setting": "A country road between fields.",
    "temporal_caption": "The camera follows a red car along a country road.",
}


def _chat(url: str, folder: Path, **settings: Any) -> Chat:
    return Chat(ChatSettings(url=url, model="looker", **settings), folder=folder)


def _clip(frames: int = 20) -> Clip:
    ramp = np.arange(frames, dtype=np.uint8)[:, None, None, None]
    pixels = np.broadcast_to(10 * ramp, (frames, 900, 1600, 3))
    return Clip(frames=np.ascontiguousarray(pixels), fps=10.0, timestamps_seconds=np.arange(frames) / 10.0)


def test_a_clip_is_captioned_with_few_small_frames_and_its_own_format(tmp_path: Path) -> None:
    with talking(f"<think>hm</think>Here you are:\n```json\n{json.dumps(USEFUL)}\n```") as talker:
        made = caption_clip(_clip(), _chat(talker.url, tmp_path))
        again = caption_clip(_clip(), _chat(talker.url, tmp_path))
    assert made.frames == (0, 5, 10, 14, 19)
    assert made.caption == again.caption
    assert len(talker.asked) == 1, "the second time the answer was remembered"
    assert talker.pictures() == 5
    url = talker.asked[0]["messages"][1]["content"][1]["image_url"]["url"]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(url.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (432, 768, 3)
    assert (made.caption.duration, made.caption.fps) == ("2s", 10)
    assert made.caption.subjects[0].description == "A red car ahead"
    row = json.loads((tmp_path / "sent.jsonl").read_text())
    assert len(row["pictures"]) == 5
    assert row["url"] == talker.url


def test_a_useless_answer_is_asked_for_once_more_and_not_remembered(tmp_path: Path) -> None:
    with talking("I see a road.", json.dumps(USEFUL)) as talker:
        caption_clip(_clip(), _chat(talker.url, tmp_path))
        assert "could not be used" in talker.asked[1]["messages"][1]["content"][-1]["text"]
    with talking("I see a road.") as talker, pytest.raises(ServiceError) as caught:
        caption_clip(_clip(), _chat(talker.url, tmp_path))
    assert caught.value.code == "service.bad_answer"
    assert len(talker.asked) == 2
    assert len(list(tmp_path.glob("*.json"))) == 1, "only the useful answer was kept"


def test_nothing_is_sent_to_another_machine_without_permission(tmp_path: Path) -> None:
    for url in ("https://api.example.org/v1", "http://10.0.0.7:8000/v1", "http://127.0.0.1.example.org/v1"):
        settings = ChatSettings(url=url, model="m")
        with pytest.raises(ConfigError) as caught:
            Chat(settings, folder=tmp_path)
        assert caught.value.code == "config.not_permitted"
        Chat(settings, may_leave=True, folder=tmp_path)
    for url in ("http://localhost:1/v1", "http://[::1]:1/v1", "http://127.0.0.1/v1"):
        Chat(ChatSettings(url=url, model="m"), folder=tmp_path)
    for url in ("ftp://x/v1", "http://user:secret@host/v1", "file:///etc/passwd", "x"):
        with pytest.raises(ValidationError):
            ChatSettings(url=url, model="m")


def test_only_the_key_that_was_set_for_this_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "somebody-else-s")
    with talking("yes") as talker:
        _chat(talker.url, tmp_path).ask("s", ["a"])
        monkeypatch.setenv("WORLDGEN_CHAT_KEY", "mine")
        _chat(talker.url, tmp_path).ask("s", ["b"])
    assert talker.keys == ["", "Bearer mine"]
    assert "mine" not in (tmp_path / "sent.jsonl").read_text()


@pytest.mark.parametrize(
    ("answers", "reason", "asked"),
    [
        ((429, 503, "yes"), "", 3),
        ((503,), "failed", 3),
        ((401,), "unauthorized", 1),
        ((404,), "not_found", 1),
        ((302,), "invalid", 1),
        (("",), "bad_answer", 1),
    ],
)
def test_failures_of_an_endpoint_in_our_words(
    tmp_path: Path, answers: tuple[str | int, ...], reason: str, asked: int
) -> None:
    with talking(*answers) as talker:
        chat = _chat(talker.url, tmp_path)
        if reason:
            with pytest.raises(ServiceError) as caught:
                chat.ask("s", ["a"])
            assert caught.value.reason == reason
        else:
            assert chat.ask("s", ["a"]) == "yes"
    assert len(talker.asked) == asked
    with pytest.raises(ServiceError) as caught:
        _chat("http://127.0.0.1:9/v1", tmp_path).ask("s", ["other"])
    assert caught.value.reason == "unreachable"


NIGHT = parse_spec("night")


def _answer(change: Any) -> str:
    values = json.loads(edit_caption(SUNNY, NIGHT).to_json())
    change(values)
    return json.dumps(values)


def test_a_polished_caption_that_kept_the_rules_is_taken(tmp_path: Path) -> None:
    def polish(values: dict[str, Any]) -> None:
        values["background_setting"] = "At night, a wide suburban avenue with brick houses and parked cars."

    with talking(_answer(polish)) as talker:
        made = rewrite_caption(SUNNY, NIGHT, _chat(talker.url, tmp_path))
    assert made.taken
    assert made.caption.background_setting.startswith("At night")
    sent = talker.asked[0]["messages"][1]["content"]
    assert not contradictions(Caption.parse(sent[1]["text"]), NIGHT), "the template's edit was sent"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda v: v["subjects"].append({"description": "A dog", "number_of_subjects": 1}), "subjects"),
        (lambda v: v["subjects"].pop(), "subjects"),
        (lambda v: v["subjects"][0].update(description="A purple dragon"), "swapped"),
        (lambda v: v["subjects"][1].update(number_of_subjects=3), "number_of_subjects"),
        (lambda v: v["text_and_signage_elements"][0].update(text="NIGHT BAR"), "signage"),
        (lambda v: v["cinematography"].update(camera_motion="Drone shot"), "cinematography"),
        (lambda v: v["actions"][0].update(time="0:00-0:04"), "times"),
        (lambda v: v.update(background_setting="A sunny avenue"), "contradicts"),
        (lambda v: v.update(background_setting="A lifeless avenue"), "guardrail"),
    ],
)
def test_a_polished_caption_that_broke_a_rule_is_not(tmp_path: Path, change: Any, why: str) -> None:
    with talking(_answer(change)) as talker:
        made = rewrite_caption(SUNNY, NIGHT, _chat(talker.url, tmp_path))
    assert not made.taken
    assert why in made.why
    assert made.caption == edit_caption(SUNNY, NIGHT)


def test_an_answer_without_json_keeps_the_template(tmp_path: Path) -> None:
    with talking("Sorry, I cannot.") as talker:
        made = rewrite_caption(SUNNY, NIGHT, _chat(talker.url, tmp_path))
    assert (made.taken, made.caption) == (False, edit_caption(SUNNY, NIGHT))
    with pytest.raises(ServiceError):
        json_in("[1, 2]")


def test_polished_prompts_become_part_of_the_specs(tmp_path: Path) -> None:
    from tests.unit.prompts.test_plans import _profile, _source
    from worldgen.assembly.captioning import with_prompts

    specs = (NIGHT, Spec(fog_mor_m=80, prompt="mine", seed=0))
    with talking(_answer(lambda v: v.update(context="A night drive"))) as talker:
        chat = _chat(talker.url, tmp_path)
        out, notes = with_prompts(_source(caption=SUNNY.to_json()), specs, _profile(), chat)
        same, _ = with_prompts(_source(), specs, _profile(kind="physics"), chat)
    assert notes == ()
    assert json.loads(out[0].prompt)["context"] == "A night drive"
    assert json.loads(out[0].prompt)["resolution"] == {"W": 1280, "H": 720}
    assert out[0].identity != NIGHT.identity
    assert out[1].prompt == "mine"
    assert same == specs, "a model that reads no text needs no prompt"


def test_a_caption_beside_a_clip_is_found_by_its_name(tmp_path: Path) -> None:
    clip = tmp_path / "drive.mp4"
    assert caption_beside(clip) is None
    (tmp_path / "drive.caption.txt").write_text("A sunny street.\n")
    assert caption_beside(clip) == tmp_path / "drive.caption.txt"
    assert read_caption(tmp_path / "drive.caption.txt") == "A sunny street."
    (tmp_path / "caption.json").write_text(SUNNY.to_json())
    assert caption_beside(tmp_path) == tmp_path / "caption.json"
    for content in (b"", b"\xff\xfe\x00", b'{"subjects": 1}', b"a" * 300_000):
        (tmp_path / "bad.txt").write_bytes(content)
        with pytest.raises(SourceError) as caught:
            read_caption(tmp_path / "bad.txt")
        assert caught.value.code == "source.bad_caption"


def test_a_source_brings_its_caption(tmp_path: Path) -> None:
    from tests.situations import good_clip
    from worldgen.assembly.augmenting import Options, source_of

    clip = good_clip(tmp_path)
    assert source_of(clip, Options()).caption == ""
    clip.with_name("good.caption.json").write_text(SUNNY.to_json())
    assert Caption.parse(source_of(clip, Options()).caption) == SUNNY
    (tmp_path / "mine.txt").write_text("A quiet street.")
    assert source_of(clip, Options(caption=tmp_path / "mine.txt")).caption == "A quiet street."
    clip.with_name("good.caption.json").write_text('{"subjects": 3}')
    source = source_of(clip, Options())
    assert source.caption == ""
    assert "left out" in source.notes[-1], "a caption that nobody named does not stop the clip"
    with pytest.raises(SourceError):
        source_of(clip, Options(caption=clip.with_name("good.caption.json")))


def test_captioning_from_the_command_line(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    from tests.situations import good_clip

    clip = good_clip(tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "worldgen", "caption", str(clip), *words],
            capture_output=True,
            text=True,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            check=False,
        )

    with talking(json.dumps(USEFUL)) as talker:
        made = run("--endpoint", talker.url, "--model", "looker")
        assert made.returncode == 0, made.stderr
        assert "red car" in made.stdout
        assert Caption.parse(read_caption(clip.with_name("good.caption.json"))).subjects
        assert run("--endpoint", talker.url, "--model", "looker").returncode == 2, (
            "nothing is written over unasked"
        )
    refused = run("--endpoint", "https://example.org/v1", "--model", "m", "--force", "--json")
    assert json.loads(refused.stdout)["error"]["code"] == "config.not_permitted"


def test_prompts_can_be_looked_at_from_the_command_line(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "c.json").write_text(SUNNY.to_json())
    words = ["specs", "night", "--prompt", "structured", "--caption", str(tmp_path / "c.json"), "--json"]
    ended = subprocess.run(
        [sys.executable, "-m", "worldgen", *words], capture_output=True, text=True, check=True
    )
    (row,) = json.loads(ended.stdout)["prompts"]
    assert json.loads(row["prompt"])["subjects"][0]["description"].startswith("A silver sedan")
