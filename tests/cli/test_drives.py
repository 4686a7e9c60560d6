"""A recorded drive, through the whole house: demo, labels, stress."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.test_command_line import answer, run

DETECTOR = '''
"""A detector for tests: reports a known box where the video shows contrast there, and only then."""
import json, sys
import av, numpy as np
video, output, truth = sys.argv[1:4]
boxes = json.load(open(truth))
found = []
with av.open(video) as container:
    for index, frame in enumerate(container.decode(video=0)):
        grey = frame.to_ndarray(format="gray").astype(float)
        for category, (x, y, w, h) in boxes.get(str(index), []):
            x0, y0, x1, y1 = max(0, int(x)), max(0, int(y)), int(x + w), int(y + h)
            patch = grey[y0:y1, x0:x1]
            if patch.size and patch.std() > 14:
                found.append({"frame": index, "category": category, "bbox": [x, y, w, h], "score": 0.9})
json.dump(found, open(output, "w"))
'''


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drives") / "drive"
    ended = run("record", folder, "--seed", "7", "--frames", "6", "--size", "320x180", "--json")
    assert ended.returncode == 0, ended.stderr
    assert answer(ended)["frames"] == 6
    return folder


def test_a_recording_is_inspected_and_never_overwritten(drive: Path) -> None:
    found = answer(run("inspect", drive, "--json"))
    assert found["frames"] == 6
    assert not [p for p in found["problems"] if p["severity"] == "error"]
    again = run("record", drive, "--json")
    assert again.returncode == 2
    assert answer(again)["error"]["code"] == "output.not_writable"


def test_labels_come_out_with_every_variant(drive: Path, tmp_path: Path) -> None:
    ended = run("augment", drive, "--specs", "dense fog", "-o", tmp_path / "out", "--json")
    assert ended.returncode == 0, ended.stderr
    (variant,) = answer(ended)["variants"]
    coco = json.loads(Path(variant["labels"]).read_text())
    folder = Path(variant["labels"]).parent
    openlabel = json.loads((folder / "labels.openlabel.json").read_text())
    assert openlabel["openlabel"]["metadata"]["schema_version"] == "1.0.0"
    source = json.loads((folder / "labels.json").read_text())
    count = sum(len(f["objects"]) for f in source["frames"])
    # Ignore regions are annotations, too: never fewer than there are objects.
    assert len(coco["annotations"]) >= count > 0
    uses = {o["use"] for f in source["frames"] for o in f["objects"]}
    assert "ignore" in uses, "in dense fog something far can no longer be seen"
    assert all(o["reason"] for f in source["frames"] for o in f["objects"] if o["use"] == "ignore")


def test_recall_falls_with_visibility_for_a_detector_that_needs_contrast(drive: Path, tmp_path: Path) -> None:
    from worldgen.sources.open import open_source

    labels = open_source(drive).labels
    assert labels is not None
    truth = {
        str(f.frame): [
            [o.category, [o.box2d.left, o.box2d.top, o.box2d.width, o.box2d.height]] for o in f.objects
        ]
        for f in labels.frames
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "detect.py").write_text(DETECTOR)
    predict = f"{sys.executable} {tmp_path / 'detect.py'} {{video}} {{output}} {tmp_path / 'truth.json'}"
    ended = run("stress", drive, "--predict", predict, "-o", tmp_path / "out", "--json", timeout=280)
    assert ended.returncode == 0, ended.stderr
    climbed = answer(ended)["ladders"]["fog"]
    rows = climbed["rows"]
    assert [r["level"] for r in rows] == sorted(r["level"] for r in rows)
    assert rows[0]["level"] <= 50
    assert rows[-1]["level"] >= 1000
    assert rows[0]["found"] < rows[-1]["found"], "fog of 50 m must hide what 1000 m shows"
    assert rows[0]["ignored"] >= rows[-1]["ignored"]
    assert Path(climbed["plot"]).stat().st_size > 5000


def test_a_detector_that_fails_is_the_users_to_mend(drive: Path, tmp_path: Path) -> None:
    ended = run("stress", drive, "--predict", "false {video} {output}", "-o", tmp_path / "out", "--json")
    assert ended.returncode == 2
    assert answer(ended)["error"]["code"] == "config.invalid"


def test_the_demo_ends_by_itself_with_a_report(tmp_path: Path) -> None:
    words = ("demo", "--no-serve", "-o", tmp_path / "demo", "--frames", "6", "--size", "192x108", "--json")
    ended = run(*words)
    assert ended.returncode == 0, ended.stderr
    made = answer(ended)
    assert sum(v["model"] == "physics" for v in made["variants"]) == 6
    assert Path(made["report"]).is_file()
    assert made["page"] is None
    again = answer(run(*words))
    assert [v["id"] for v in again["variants"]] == [v["id"] for v in made["variants"]]


def test_the_demo_cannot_keep_what_it_does_not_start(tmp_path: Path) -> None:
    ended = run("demo", "--no-serve", "--keep-serving", "-o", tmp_path / "demo", "--json")
    assert ended.returncode == 2
    assert answer(ended)["error"]["code"] == "config.invalid"
    assert not (tmp_path / "demo").exists()
